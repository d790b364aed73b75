"""Candidates: found by their metrics, refused when something is missing or named twice."""

from pathlib import Path

import pytest

from lab.processes.select_best_model.candidates import read_candidates
from labkit.process.errors import InputError
from labkit.process.files import write_json

pytestmark = pytest.mark.unittest


def add(folder: Path, name: str, model: str, log_loss: float = 0.5) -> Path:
    """Leave a model and its metrics as a training process does."""
    write_json(folder / "metrics" / f"{name}.json", {"log_loss": log_loss})
    (folder / model).parent.mkdir(parents=True, exist_ok=True)
    (folder / model).touch()
    return folder


def test_every_model_of_every_folder_is_a_candidate(tmp_path: Path) -> None:
    sklearn = add(tmp_path / "a", "tree", "models/tree.joblib", 0.4)
    torch = add(tmp_path / "b", "net", "net.pt", 0.2)
    candidates = read_candidates([sklearn, torch])
    assert {name: model.file for name, model in candidates.items()} == {
        "tree": sklearn / "models/tree.joblib",
        "net": torch / "net.pt",
    }
    assert candidates["net"].metrics == {"log_loss": 0.2}


def test_a_folder_without_metrics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model's metrics; run `dvc repro`"):
        read_candidates([tmp_path])


def test_metrics_without_their_model_are_refused(tmp_path: Path) -> None:
    add(tmp_path, "tree", "models/tree.joblib")
    (tmp_path / "models/tree.joblib").unlink()
    with pytest.raises(InputError, match="tree has metrics but no model"):
        read_candidates([tmp_path])


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    folders = [add(tmp_path / "a", "net", "net.pt"), add(tmp_path / "b", "net", "net.pt")]
    with pytest.raises(InputError, match="has this name too"):
        read_candidates(folders)
