from pathlib import Path

import pytest

from labkit.pipeline import remote
from labkit.testing.fixtures import Shell

URL = "http://user:hunter2@127.0.0.1:9/x"  # pragma: allowlist secret


@pytest.mark.integration
def test_no_password_of_a_remote_is_told(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell(f"git init --quiet && dvc init --quiet && dvc remote add --default there '{URL}'", tmp_path)
    monkeypatch.chdir(tmp_path)
    probed = remote.probe_remote()
    assert probed is not None
    assert probed.fault
    assert "127.0.0.1:9" in probed.where
    assert "hunter2" not in str(probed)
