"""What a file holds, by the name that dvc.yaml gives it."""

import io
import json
from typing import Any

import numpy as np
import pytest

from labkit.pipeline.records import read_records, write_records
from labkit.process.errors import InputError
from labkit.publish.kept import Kept
from labkit.publish.occurrences import blocks, key_of
from labkit.publish.told import Told, count, epochs, number, parsed, told_of, values

pytestmark = pytest.mark.unittest

REPORT = {"rows": {"read": 9, "test": 2}, "warnings": ["few", "old"], "folds": {"f1": {"mean": 0.5, "all": [1, 2]}}}
FILES = {
    "out/report.json": json.dumps(REPORT),
    "out/m/forest.json": '{"f1": 0.9, "rows": 4, "kind": "x"}',
    "out/m/tree.json": '{"f1": 0.8}',
    "out/history.csv": "epoch,loss,note\n1,0.5,a\n2,0.25,b\n",
    "out/other.csv": "model,loss\ntree,0.5\n",
    "out/broken.json": "{",
}


@pytest.fixture
def kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The files, each where it belongs and as recorded."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for part in ("train", "test"):
        np.save(tmp_path / f"out/y_{part}.npy", np.zeros((3, 2)))
    record = {"outs": [{"path": path, "md5": "0"} for path in (*FILES, "out/y_train.npy", "out/y_test.npy")]}
    monkeypatch.setattr("labkit.publish.kept.cached_file", lambda *_: None)
    monkeypatch.setattr("labkit.publish.kept.md5_of", lambda _: "0")
    return Kept(object(), record)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("out/report.json#rows.test", [("", "", 2)]),
        ("out/report.json#rows.*", [("", "read", 9), ("", "test", 2)]),
        ("out/report.json#warnings.*", [("", "1", "few"), ("", "2", "old")]),
        ("out/report.json#warnings", [("", "", ["few", "old"])]),
        ("out/report.json#folds.*.mean", [("", "f1", 0.5)]),
        ("out/report.json#nothing", []),
        ("out/m/{run}.json", [("forest", "f1", 0.9), ("forest", "kind", "x"), ("tree", "f1", 0.8)]),
        ("out/*/{best}.json#f1", [("", "", 0.8)]),
        ("out/{lab.best}.json#f1", []),
        ("out/{best}/{run}/{run}.json", []),
        ("out/m/forest.json#**", [("", "f1", 0.9), ("", "kind", "x")]),
        ("out/broken.json", []),
        ("out/absent.json", []),
    ],
)
def test_a_source_names_values(kept: Kept, source: str, told: list[tuple[str, str, Any]]) -> None:
    assert [tuple(one) for one in values(kept, source, {"best": "tree"}, ("rows",))] == told


def test_a_file_that_is_not_what_its_name_says_is_told(kept: Kept) -> None:
    list(values(kept, "out/broken.json", {}))
    assert kept.unreadable == ["out/broken.json"]


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        ("out/y_*.npy", 6),
        ("out/history.csv", 2),
        ("out/report.json#rows.read", 9),
        ("out/report.json#warnings", 2),
        ("out/absent.npy", None),
    ],
)
def test_rows_are_counted(kept: Kept, source: str, rows: int | None) -> None:
    assert count(kept, source, {}) == rows


def test_a_table_over_time_has_its_epochs_in_the_first_column(kept: Kept) -> None:
    assert list(epochs(kept, "out/history.csv", {})) == [("", 1, {"loss": 0.5}), ("", 2, {"loss": 0.25})]
    assert list(epochs(kept, "out/other.csv", {})) == []


def test_numbers_and_what_can_be_counted() -> None:
    assert [number(value) for value in (3, 0.5, True, "x", None, [1, 2], {"a": 1})] == [3, 0.5, None, None, None, 2, 1]


def test_arrays_of_both_formats_tell_their_rows() -> None:
    for version in ((1, 0), (2, 0)):
        file = io.BytesIO()
        np.lib.format.write_array(file, np.zeros((4, 2)), version)
        assert len(parsed("a.npy", file.getvalue())) == 4


def test_a_wrong_key_is_refused(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.publish.told._today", lambda: {"train": {"meta": {"run": {"metric": {}}}}})
    with pytest.raises(InputError, match=r"dvc\.yaml: stages\.train\.meta\.run: metric .* is unknown; allowed"):
        told_of("train", "", kept)


def test_a_stage_that_says_nothing_is_told_by_its_metrics_and_plots(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = {"metrics": ["out/report.json"], "plots": [{"out/history.csv": {"x": "epoch"}}]}
    monkeypatch.setattr("labkit.publish.told._today", lambda: {"train": stage})
    told = told_of("train@a", "", kept)
    assert told.metrics == {"*": "out/report.json#**"}
    assert told.epochs == {"*": "out/history.csv"}
    assert "out/report.json" in (told.artifacts or [])
    assert Told().sources() == []


LOCK: dict[str, dict[str, Any]] = {
    "train": {"cmd": "a", "deps": [{"path": "x y", "md5": "1"}], "params": {"params.yaml": {"lr": 1e-09, "n": None}}},
    "on": {"cmd": ["a", "b"], "outs": [{"path": "y", "md5": "2"}]},
}


@pytest.mark.parametrize("text", [write_records(LOCK), json.dumps({"schema": "2.0", "stages": LOCK}), ""])
def test_a_lock_is_cut_into_its_records(text: str) -> None:
    found = blocks(text.encode())
    assert {stage: read_records(f"stages:\n  {stage!r}:\n{block}")[stage] for stage, block in found.items()} == (
        read_records(text)
    )
    if text:
        assert found == blocks(write_records(LOCK).encode())


def test_a_record_is_known_by_its_content() -> None:
    record = LOCK["train"]
    assert key_of(dict(reversed(record.items()))) == key_of(record) != key_of(record | {"cmd": "b"})
