from pathlib import Path

import pytest

from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import ReadOnlyError, RunCacheError
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


@pytest.mark.integration
@pytest.mark.parametrize(
    ("error", "fault", "fix"),
    [
        (PermissionError("no"), "the key may not write, read or delete there: no", "give it these rights, or "),
        (ReadOnlyError("no"), "is read-only for this lab: it can be read, and a write is refused: no", "let this key "),
        (RunCacheError("runs/"), "holds a run cache, runs/: DVC takes results from it", "remove it there, and never "),
        (OSError("gone"), "fails: OSError: gone", "`python -m lab setup`, if the address is wrong"),
    ],
)
def test_what_a_remote_refuses_is_told_with_its_remedy(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, error: Exception, fault: str, fix: str
) -> None:
    def refuse(project: Project) -> None:
        raise error

    shell("git init --quiet && dvc init --quiet && dvc remote add --default there ../there", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "use_remote", refuse)
    probed = remote.probe_remote()
    assert probed is not None
    assert fault in probed.fault
    assert probed.fix.startswith(fix)
