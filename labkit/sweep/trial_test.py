"""What a trial reached is read of its own table."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from labkit.pipeline.leaderboard import Leaderboard
from labkit.process.errors import InputError
from labkit.sweep import trial
from labkit.sweep.trial import Score, TrialError, run_trial, score_of

pytestmark = pytest.mark.unittest

BOARD = Leaderboard("here", Path("out/table.csv"), Path("out/best.json"))
LOSSES = "net,0.2\ntree,0.3\nnone,\n"


def reached(monkeypatch: pytest.MonkeyPatch, rows: str, model: str | None = None) -> Score:
    """The score in an experiment whose table has these rows."""
    best = {"selected": "net", "metric": "loss", "test": {}}
    content = {"out/table.csv": f"model,loss\n{rows}", "out/best.json": json.dumps(best)}

    def copy(_project: Any, commit: str, path: str, target: Path) -> None:
        assert commit == "abc"
        target.write_text(content[path])

    monkeypatch.setattr(trial, "open_project", nullcontext)
    monkeypatch.setattr(trial, "copy_from", copy)
    return score_of("abc", BOARD, model)


def test_it_is_that_of_the_selected_model_or_of_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reached(monkeypatch, LOSSES) == Score("net", "loss", 0.2, less_is_better=True)
    assert reached(monkeypatch, LOSSES, "tree") == Score("tree", "loss", 0.3, less_is_better=True)
    assert reached(monkeypatch, "net,0.9\ntree,0.8\n") == Score("net", "loss", 0.9, less_is_better=False)


@pytest.mark.parametrize(
    ("rows", "model", "told"),
    [
        (LOSSES, "forest", "--model forest: .* has no such row; it has net, tree, none"),
        (LOSSES, "none", "has no number for loss of none"),
        ("net,0.2\ntree,small\n", None, "has no number for loss of net"),
        ("net,0.2\n", None, "has one model, so it does not tell whether more loss is better"),
    ],
)
def test_where_the_table_lacks_it_that_is_told(
    monkeypatch: pytest.MonkeyPatch, rows: str, model: str | None, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        reached(monkeypatch, rows, model)


def test_why_one_failed_is_told_in_its_last_words_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "1\n2\n\n3\n4\nhttps://me:S3CRET@host/x is away"  # pragma: allowlist secret
    program = f"print({said!r}); raise SystemExit(1)"
    monkeypatch.setattr(trial, "dvc", lambda *_: [sys.executable, "-c", program])
    with pytest.raises(TrialError) as failed:
        run_trial("one", {})
    assert str(failed.value).endswith("\nhttps://host/x is away")
    assert len(str(failed.value).splitlines()) == trial.LAST_WORDS
