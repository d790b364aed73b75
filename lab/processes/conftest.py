"""Fixtures that the tests of every process may ask for."""

from pathlib import Path

import pytest

from lab.processes.prepare_data.cancer_data import prepare_cancer_data


@pytest.fixture(name="temp_data_dir", scope="module")
def temporary_cancer_data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the breast-cancer set as prepare_data leaves it; pytest clears it away later."""
    directory = tmp_path_factory.mktemp("data") / "processed"
    prepare_cancer_data(dir_output=directory)
    return directory
