"""A result is copied as a commit or a version has it, from the remote too, whole or not at all."""

import shutil
from pathlib import Path

import pytest

from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.registry import artifacts
from labkit.registry.artifacts import fetched
from labkit.registry.conftest import ROWS, Lab
from labkit.registry.verbs import promote, register

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the copies are kept."""
    monkeypatch.setattr(artifacts, "COPIES", tmp_path / "copies")
    return tmp_path / "copies"


def test_a_result_is_that_of_its_commit_or_version_and_not_of_the_working_folder(lab: Lab) -> None:
    first, better = (read_json(fetched("out/metrics.json", tag)) for tag in ("first", "better"))
    assert first != better
    register("first")
    promote("v1", "It is the first")
    shutil.rmtree(".dvc/cache")  # the remote has it
    assert read_json(fetched("out/metrics.json")) == read_json(fetched("out/metrics.json", "v1")) == first
    assert (fetched("out/model", "champion") / "MLmodel").read_text() == f"model 36 of {ROWS}\n"


def test_a_folder_is_whole_though_a_file_of_it_was_fetched_before(lab: Lab) -> None:
    fetched("out/model/MLmodel", "first")
    fetched("out/metrics.json", "first")
    place = fetched("out", "first")
    names = sorted(file.relative_to(place).as_posix() for file in place.rglob("*"))
    assert names == [".gitignore", "metrics.json", "model", "model/MLmodel", "predictions.csv"]
    assert fetched("out/", "first") == place


def test_a_copy_that_was_edited_is_fetched_again(lab: Lab) -> None:
    model, metrics = (fetched(path, "first") for path in ("out/model", "out/metrics.json"))
    whole = (model / "MLmodel").read_text(), metrics.read_text()
    (model / "MLmodel").write_text("another", encoding="utf-8")
    (model / "more").touch()
    metrics.write_text("{}", encoding="utf-8")
    assert [fetched(path, "first") for path in ("out/model", "out/metrics.json")] == [model, metrics]
    assert ((model / "MLmodel").read_text(), metrics.read_text()) == whole
    assert [file.name for file in model.iterdir()] == ["MLmodel"]


def test_what_can_not_be_had_leaves_nothing(lab: Lab, copies: Path) -> None:
    for path, at, told in (
        ("out/none", "first", r"out/none of \w{10} is neither in DVC's cache nor in its remote"),
        ("../origin", "first", "'../origin' is no path in the lab"),
        (".", "first", "'.' is no path in the lab"),
        ("out/model", "v9", "has no 'v9'"),
        ("out/model", "nonsense", "'nonsense' is not a commit here"),
    ):
        with pytest.raises(InputError, match=told):
            fetched(path, at)
    assert [found for found in copies.rglob("*") if found.is_file()] == []
