"""Where the model is that a person names."""

from pathlib import Path

import pytest

from labkit.process.tracking import md5_of
from labkit.registry.settings import Registered
from runtimes.serving import model
from runtimes.serving.model import Place, locate


@pytest.mark.unittest
def test_a_folder_with_a_model_and_the_last_runs_are_named_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own", "last"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MLmodel").write_text(name, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "commit_of", lambda revision: "0" * 40)
    monkeypatch.setattr(model, "registered_in", lambda commit: ("stage", Registered(name="best", model="last")))
    assert locate("own") == Place(Path("own"), "best", md5_of(Path("own"))[:10])
    assert locate(None) == Place(Path("last"), "best", md5_of(Path("last"))[:10])
