"""What a result tells of its run: by its run.json, or by its outputs."""

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.publish import run_data
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Result
from labkit.publish.run_data import NOWHERE, UNREADABLE, Artifact, RunData, numbers, read_run_data

pytestmark = pytest.mark.unittest

STAGES = {"train": {"metrics": ["m/a.json", {"m/b.yaml": {"cache": True}}], "plots": ["loss.csv"]}}
PARAMS = {"params.yaml": {"train": {"lr": 0.1}}, "labkit/launch/kernels.yaml": {"kernels": "x"}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where nothing is in DVC's cache, and each file is as recorded."""
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    monkeypatch.setattr("labkit.publish.kept.cached_file", lambda *_: None)
    monkeypatch.setattr("labkit.publish.kept.md5_of", lambda _: "0")
    monkeypatch.setattr(run_data, "declared_stages", lambda: STAGES)


def result(*outs: str) -> tuple[Result, Kept]:
    record: dict[str, Any] = {"params": PARAMS, "outs": [{"path": out, "md5": "0"} for out in outs]}
    record["deps"] = [{"path": path, "md5": "1"} for path in ("data/x.csv", "lab/processes/train")]
    found: Any = Result("key", "train", record, {}, [])
    return found, Kept(None, record)  # type: ignore[arg-type]


def test_it_is_what_run_json_says() -> None:
    told = {"params": {"lr": "0.1"}, "metrics": {"loss": [[1, 0.5], [2, float("nan")]]}, "nested": [{"name": "a"}]}
    Path("run.json").write_text(json.dumps(told | {"of a later version": 1}))
    found, lacking = read_run_data(*result("run.json", "loss.csv"))
    assert lacking == {}
    assert (found.params, found.metrics["loss"][0], found.nested[0].name) == ({"lr": "0.1"}, (1, 0.5), "a")
    assert found.metrics["loss"][1][1] != found.metrics["loss"][1][1]  # NaN


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"params": {"a": 1}}',
        '{"metrics": {"a": [["x", 1]]}}',
        '{"metrics": {"a": [[9223372036854775808, 1]]}}',
        '{"artifacts": {"../a": {"path": "a", "md5": "0"}}}',
        '{"artifacts": {"a": {"path": "/etc/passwd", "md5": "0"}}}',
        '{"artifacts": {"a": {"path": "../a", "md5": "0"}}}',
        '{"artifacts": {".": {"path": "a", "md5": "0"}}}',  # each of these would end all that is published after it
        '{"artifacts": {"a": {"path": "", "md5": "0"}}}',
        '{"artifacts": {"a\\u0000": {"path": "a", "md5": "0"}}}',
        '{"artifacts": {"a": {"path": "' + "x" * 256 + '", "md5": "0"}}}',
        '{"artifacts": {"' + "x/" * 1100 + 'x": {"path": "a", "md5": "0"}}}',
        '{"nested": ' + '[{"nested": ' * 5_000,
    ],
)
def test_a_run_json_of_another_shape_tells_nothing_and_is_told(text: str) -> None:
    Path("run.json").write_text(text)
    assert read_run_data(*result("run.json")) == (RunData(params={"train.lr": "0.1"}), {"run.json": UNREADABLE})


def test_no_process_sets_the_tags_by_which_the_lab_knows_its_runs() -> None:
    ours = dict.fromkeys(["lab.record", "lab.journal", "lab.git.dirty", "lab.in.data", "mlflow.parentRunId"], "x")
    its = dict.fromkeys(["lab.selected", "lab.warning.1", "lab", "labels", "purpose"], "y")
    Path("run.json").write_text(json.dumps({"tags": ours | its, "nested": [{"tags": ours | its}]}))
    found, _ = read_run_data(*result("run.json"))
    assert found.tags == found.nested[0].tags == its


def test_one_that_is_nowhere_is_told() -> None:
    assert read_run_data(*result("run.json")) == (RunData(params={"train.lr": "0.1"}), {"run.json": NOWHERE})


def test_without_one_the_outputs_tell() -> None:
    Path("m/a.json").write_text('{"test": {"f1": 0.5}, "name": "x"}')
    Path("m/b.yaml").write_text("rows: 3\n")
    of = result("m/a.json", "m/b.yaml", "loss.csv", "note.md", "model.bin")
    found, lacking = read_run_data(*of)
    assert lacking == {}
    assert [(one.name, one.md5) for one in found.inputs] == [("data/x.csv", "1")]
    assert [*found.artifacts] == ["a.json", "b.yaml", "loss.csv", "note.md"]
    assert numbers(*of) == ({"a.test.f1": [(0, 0.5)], "b.rows": [(0, 3.0)]}, {})
    Path("m/a.json").write_text("{")
    assert numbers(*of) == ({"b.rows": [(0, 3.0)]}, {"m/a.json": UNREADABLE})


def test_numbers_of_one_file_alone_go_by_their_keys() -> None:
    Path("m/a.json").write_text('{"f1": 0.5}')
    assert numbers(*result("m/a.json"))[0] == {"f1": [(0, 0.5)]}


def test_what_is_large_stays_with_dvc() -> None:
    small, large = (
        Artifact(path=name, md5="0", size=size) for name, size in (("a", 1), ("b", run_data.MOST_BYTES + 1))
    )
    told = RunData(artifacts={"a": small, "b": large}, nested=[RunData(artifacts={"a": small})])
    assert [*told.all_artifacts()] == [small, small]


def test_of_a_folder_of_very_many_files_the_list_is_not_fetched() -> None:
    outs = [{"path": name, "md5": f"{name}.dir", "nfiles": files} for name, files in (("few", 9), ("many", 10_001))]
    assert Kept(None, {"outs": outs}).first() == {"few.dir"}  # type: ignore[arg-type]
