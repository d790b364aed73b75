"""Fixtures that the tests of every process may ask for."""

from pathlib import Path

import pytest


@pytest.fixture(name="temp_data_dir", scope="module")
def temporary_cancer_data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the breast-cancer set as prepare_data leaves it; pytest clears it away later."""
    cancer_data = pytest.importorskip("lab.processes.prepare_data.cancer_data", reason="prepare_data is not here")
    directory = tmp_path_factory.mktemp("data") / "processed"
    cancer_data.prepare_cancer_data(dir_output=directory)
    return directory
