"""Candidates: found by their metrics, refused when something is missing or named twice."""

from pathlib import Path

import pytest

from lab.processes.select_best_model.candidates import Candidate, read_candidates
from labkit.process.errors import InputError
from labkit.process.files import write_json

pytestmark = pytest.mark.unittest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def add(process: str, name: str, model: str, log_loss: float = 0.5) -> Path:
    """Leave a model and its metrics as a training process does, and return the model's place."""
    write_json(f"artifacts/{process}/metrics/{name}.json", {"log_loss": log_loss})
    place = Path(f"artifacts/{process}/models/{model}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    return place


def test_every_model_of_every_process_is_a_candidate() -> None:
    tree, net = add("a", "tree", "tree.joblib", 0.4), add("b", "net", "net.pt", 0.2)
    assert read_candidates(["a", "b"]) == {
        "tree": Candidate("a", tree, {"log_loss": 0.4}),
        "net": Candidate("b", net, {"log_loss": 0.2}),
    }


def test_a_model_may_be_a_folder_and_its_name_the_beginning_of_another() -> None:
    add("a", "net", "net/weights")
    add("a", "net_2", "net_2.onnx")
    assert [model.file.name for model in read_candidates(["a"]).values()] == ["net", "net_2.onnx"]


def test_a_process_that_left_no_metrics_is_refused() -> None:
    with pytest.raises(InputError, match="artifacts/a/metrics holds no model's metrics; run `dvc repro`"):
        read_candidates(["a"])


def test_no_process_is_refused_with_what_adds_one() -> None:
    with pytest.raises(InputError, match="new-process --model NAME"):
        read_candidates([])


def test_metrics_without_their_model_are_refused() -> None:
    add("a", "tree", "tree.joblib").unlink()
    with pytest.raises(InputError, match="tree has metrics but no model"):
        read_candidates(["a"])


def test_a_model_of_two_files_is_refused() -> None:
    add("a", "tree", "tree.joblib")
    add("a", "tree", "tree.txt")
    with pytest.raises(InputError, match="tree is more than one file"):
        read_candidates(["a"])


def test_a_model_that_is_called_as_the_baseline_is_refused() -> None:
    add("a", "baseline", "baseline.pt")
    with pytest.raises(InputError, match=r"baseline\.json: baseline is what models are compared with; rename"):
        read_candidates(["a"])


def test_two_models_of_one_name_are_refused() -> None:
    add("a", "net", "net.pt")
    add("b", "net", "net.pt")
    with pytest.raises(InputError, match=r"b/metrics/net\.json: artifacts/a/models/net\.pt has this name too"):
        read_candidates(["a", "b"])
