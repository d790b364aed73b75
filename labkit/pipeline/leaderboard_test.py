"""What a stage's `meta` says of the models is shown, or refused in one line; DVC re-runs nothing for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from labkit.pipeline.leaderboard import Leaderboard, Selected, models, read_leaderboard, selected
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

TABLE, METRICS = Path("best/table.csv"), Path("best/metrics.json")
META = {"models": "best/table.csv", "selected": "best/metrics.json"}
PLACE = "dvc.yaml: stages.select.meta.leaderboard"
BOARD = Leaderboard(PLACE, TABLE, METRICS)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lab, with the working folder in it."""
    monkeypatch.chdir(tmp_path)
    Path("best").mkdir()
    return tmp_path


def declare(*leaderboards: Any, **more: Any) -> None:
    """Write a dvc.yaml with a stage for each leaderboard, named select, select1, and so on."""
    stage = {"cmd": "true", "outs": ["best/table.csv"], "metrics": [{"best/metrics.json": {"cache": False}}]}
    stages = {
        f"select{number or ''}": {**stage, "meta": {"mine": 1, "leaderboard": leaderboard}, **more}
        for number, leaderboard in enumerate(leaderboards)
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")


def test_it_is_read() -> None:
    declare(META)
    assert read_leaderboard() == BOARD


@pytest.mark.parametrize(
    "dvc_yaml",
    ["", "stages:\n", "stages: {a: {cmd: b}}\n", "stages: {a: {cmd: b, meta: {mine: 1}}}\n"],
)
def test_a_lab_needs_none(dvc_yaml: str) -> None:
    assert read_leaderboard() is None
    Path("dvc.yaml").write_text(dvc_yaml, encoding="utf-8")
    assert read_leaderboard() is None


@pytest.mark.parametrize(
    ("leaderboard", "told"),
    [
        (None, f"{PLACE} is None; give it the keys models, selected"),
        ({**META, "metrics": "a"}, f"{PLACE}: metrics (= 'a') is unknown; allowed here: models, selected"),
        ({"models": "best/table.csv"}, f"{PLACE}: selected is missing; add selected"),
        ({**META, "models": 3}, f"{PLACE}: models is 3: "),
        (
            {**META, "models": "best/other.csv"},
            f"{PLACE}.models is 'best/other.csv', which select does not write; it writes best/table.csv, best/metrics",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(leaderboard: Any, told: str) -> None:
    declare(leaderboard)
    with pytest.raises(InputError) as refused:
        read_leaderboard()
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_there_is_one_at_the_most() -> None:
    declare(META, META)
    with pytest.raises(InputError, match=r"^dvc\.yaml: stages select and select1 have a meta\.leaderboard each; keep"):
        read_leaderboard()


def test_the_models_and_the_selected_one_are_read() -> None:
    TABLE.write_text("model,log_loss,rows\nnet,0.1,300\ntree,0.2\n", encoding="utf-8")
    content = {"selected": "net", "metric": "log_loss", "test": {"log_loss": 0.3}}
    METRICS.write_text(json.dumps(content), encoding="utf-8")
    net, tree = models(BOARD)
    assert (net, tree["rows"]) == ({"model": "net", "log_loss": "0.1", "rows": "300"}, "")
    assert selected(BOARD) == Selected("net", "log_loss", {"log_loss": 0.3})


def test_the_column_of_a_plot_is_not_shown_twice() -> None:
    TABLE.write_text("model,loss,compared_by\na,0.1,0.1\n", encoding="utf-8")
    assert models(BOARD) == [{"model": "a", "loss": "0.1"}]


def test_what_is_not_here_is_told_with_what_brings_it() -> None:
    for read in (models, selected):
        with pytest.raises(InputError, match=r"^best/\w+\.\w+ is not here; `make run` \(or `dvc pull`\) brings it$"):
            read(BOARD)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"name,log_loss\nnet,0.1\n", "has no column `model`"),
        (b"model,log_loss\n", "has no row"),
        (b"", "has no row"),
        (b"model,log_loss\nnet,0.1,300\n", "has a value without a column"),
        (b"\xff\xfe", "is not CSV"),
        (b'model\n"a"b\n', "is not CSV"),
    ],
)
def test_a_table_without_models_is_told(table: bytes, told: str) -> None:
    TABLE.write_bytes(table)
    with pytest.raises(InputError, match=rf"^{PLACE}\.models: best/table\.csv {told}"):
        models(BOARD)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"selected"', '{"test": {}}', '{"selected": "net"}', '{"selected": "net", "test": 1}']
)
def test_a_file_that_selects_nothing_is_told(text: str) -> None:
    METRICS.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{PLACE}\.selected: best/metrics\.json (is not JSON|lacks `selected`)"):
        selected(BOARD)


def test_another_meta_re_runs_nothing(lab: Path) -> None:
    made = {"cmd": "mkdir -p best && touch best/table.csv best/metrics.json"}
    Repo.init(str(lab), no_scm=True).close()
    declare(META, **made)
    with Repo() as repo:
        assert len(repo.reproduce()) == 1
    declare({**META, "models": "best/other.csv"}, **made)
    with Repo() as repo:
        assert repo.status() == {}
        assert repo.reproduce() == []
