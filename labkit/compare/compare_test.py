"""Two commits beside each other, of a small lab with real commits, cache and remote."""

import csv
import json
import shutil
from math import comb
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm
from sklearn.metrics import log_loss, root_mean_squared_error
from typer.testing import CliRunner

from labkit.cli import app
from labkit.compare import gather as gathering
from labkit.compare.conftest import CLASSES, ROWS, classes, commit, write
from labkit.compare.gather import File, Found, Metric, Param, as_json, gather_differences
from labkit.compare.run import compare
from labkit.compare.sides import find_side
from labkit.figures.sources import NotHereError
from labkit.figures.values import paired_intervals
from labkit.git_cli import git
from labkit.pipeline.tables import write_tables
from labkit.process.errors import InputError
from labkit.publish.results_commit import commit_results
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration


def found_of(a: str, b: str) -> Found:
    return gather_differences(find_side(a), find_side(b))


def rows(tag: str) -> list[dict[str, str]]:
    return list(csv.DictReader(git("show", f"{tag}:src/test.csv").splitlines()))


def test_all_that_differs_is_found(lab: Path) -> None:
    found = found_of("one", "two")
    assert found.params == [Param("training.lr", "0.1", "0.01")]
    assert File("params.yaml", 1, 1) in found.code
    assert File("src/dots.png", None, None) in found.code
    assert "dvc.lock" not in {one.path for one in found.code}
    assert found.stages == {"report": ["src/report.json"], "select": ["training.lr 0.1 -> 0.01", "src"]}
    assert found.metrics == [Metric("out: test", "accuracy", 0.75, 0.95), Metric("out: test", "rows", 60, 60)]
    assert found.unknown == []
    (data,) = found.data
    assert data[:5] == ("out/report.json", (500, 600), (2, 2), [], [])
    assert [(one.column, one.measure) for one in data.drifts] == [
        ("age", "Kolmogorov-Smirnov distance"),
        ("city", "total variation"),
    ]
    assert data.drifted == ["age"]
    assert data.drifts[0].distance == pytest.approx(2 * norm.cdf(0.5) - 1, abs=0.06)  # one deviation apart


def test_the_differences_of_predictions_are_those_of_their_own_formulas(lab: Path) -> None:
    found = {(one.model, one.found.metric): one for one in found_of("one", "two").tests}
    one, two = rows("one"), rows("two")
    right = [[row["actual"] == row["predicted"] for row in side] for side in (one, two)]
    lost, won = (sum(a and not b for a, b in zip(*sides, strict=True)) for sides in (right, right[::-1]))
    p = min(1, 2 * sum(comb(lost + won, k) for k in range(min(lost, won) + 1)) / 2 ** (lost + won))
    accuracy = found["forest → densenet", "accuracy"]
    assert accuracy.rows == ROWS
    assert accuracy.found[1:4] == pytest.approx((sum(right[0]) / ROWS, sum(right[1]) / ROWS, (won - lost) / ROWS))
    assert accuracy.found.p == pytest.approx(p)
    assert accuracy.found.low < accuracy.found.difference < accuracy.found.high
    losses = [
        log_loss(
            [row["actual"] for row in side], [[float(row[f"probability_{name}"]) for name in CLASSES] for row in side]
        )
        for side in (one, two)
    ]
    loss = found["forest → densenet", "log_loss"]
    assert loss.found[1:3] == pytest.approx(losses)
    assert loss.verdict == "better"
    assert found["tree", "log_loss"].found[3:7] == (0, 0, 0, 1)
    assert found["tree", "log_loss"].verdict == "noise"
    tested = sorted(found.values(), key=lambda each: each.found.p)
    assert len(tested) == 4
    assert [each.holm for each in tested[:2]] == pytest.approx([4 * tested[0].found.p, 3 * tested[1].found.p])


def test_a_figure_has_the_interval_of_the_selected_model_and_of_no_other(lab: Path) -> None:
    tests = found_of("one", "two").tests
    assert {test.model for test in tests} == {"forest → densenet", "tree"}
    one, two, more = (git("rev-parse", tag) for tag in ("one", "two", "more"))
    assert paired_intervals(one, two) == {
        ("out/metrics.json", ("test", test.found.metric)): (test.found.low, test.found.high, test.verdict)
        for test in tests
        if test.model == "forest → densenet"
    }
    with pytest.raises(NotHereError, match=r"can't be compared here: .*the test rows differ"):
        paired_intervals(two, more)


def test_numbers_are_compared_by_their_errors(lab: Path) -> None:
    found = {(one.model, one.found.metric): one for one in found_of("numbers", "worse").tests}
    wanted = [
        root_mean_squared_error([float(r["actual"]) for r in rows(tag)], [float(r["predicted"]) for r in rows(tag)])
        for tag in ("numbers", "worse")
    ]
    rmse = found["forest", "rmse"]
    assert rmse.found[1:3] == pytest.approx(wanted)
    assert rmse.verdict == "worse"
    assert 0 < rmse.found.low < wanted[1] - wanted[0] < rmse.found.high
    assert {metric for _, metric in found} == {"mae", "rmse"}


def test_a_commit_does_not_differ_from_itself(lab: Path) -> None:
    found = found_of("two", "two")
    assert found[2:5] == ([], [], {})
    assert {one.found[3:7] for one in found.tests} == {(0, 0, 0, 1)}
    assert all(one.a == one.b for one in found.metrics)
    assert {drift.distance for drift in found.data[0].drifts} == {0}
    assert CliRunner().invoke(app, ["compare", "worse"]).stdout.count("The same.") == 3  # as HEAD is


@pytest.mark.parametrize(
    ("other", "told"),
    [("more", "60 of two, 61 of more"), ("moved", "60 of 60 are other rows"), ("numbers", "another actual value")],
)
def test_other_test_rows_are_refused(lab: Path, other: str, told: str) -> None:
    found = found_of("two", other)
    refused = [line for line in found.unknown if "is not compared by its predictions" in line]
    assert refused[-1].startswith("densenet → forest is not compared by its predictions: the test rows differ: ")
    assert told in refused[-1]
    assert {one.model for one in found.tests} <= {"tree"}
    assert found.metrics != []


def test_a_name_may_be_a_version_and_must_be_one_of_a_commit(lab: Path) -> None:
    two = git("rev-parse", "two")
    assert [find_side(name).commit for name in ("cancer@v1", "cancer@v1.0.0", "v1", "main~4", two[:8])] == [two] * 5
    for name in ("three", "--all", ""):
        with pytest.raises(InputError, match=f"^'{name}' is not a commit here; try `git fetch --tags`$"):
            find_side(name)
    with pytest.raises(InputError, match=r"^cancer has no 'v2'; its versions: v1$"):
        find_side("cancer@v2")


@pytest.mark.nightly
def test_the_tag_of_a_run_means_its_results(lab: Path, shell: Shell) -> None:
    write(classes(4, 0.2), classes(3, 0.5), 0.5, 60, 0.97)
    commit(shell, "run-1", reproduce=False)
    code = git("rev-parse", "HEAD")
    (before,) = (line for line in found_of("two", "run-1").unknown if "no results commit" in line)
    assert before.startswith("run-1 (")
    assert any("not of its own code, parameters and data: select" in line for line in found_of("two", "run-1").unknown)
    shell("dvc repro -q && dvc push -q", lab)
    results = commit_results(code, f"Results\n\nCode-Commit: {code}\nTag: run-1\n")
    git("update-ref", "refs/remotes/origin/results/run-1", str(results))
    found = found_of("two", "run-1")
    assert found.b.commit == results
    assert found.params == [Param("training.lr", "0.01", "0.5")]
    assert found.unknown == [f"run-1 ({str(results)[:7]}): the results commit of the run of {code[:7]}"]
    assert {one.model for one in found.tests} == {"densenet → forest", "tree"}


@pytest.mark.nightly
def test_what_the_cache_lacks_comes_from_the_remote_else_from_git_or_from_here(lab: Path, shell: Shell) -> None:
    wanted = as_json(found_of("one", "worse"))
    shutil.rmtree(".dvc/cache")
    assert as_json(found_of("one", "worse")) == wanted
    shutil.rmtree("../share")
    shutil.rmtree(".dvc/cache")
    found = found_of("one", "worse")
    lost = " ".join(found.unknown)
    assert "out/test.csv of one (" in lost
    assert "out/metrics.json of one (" in lost
    assert f"`git checkout {found.a.commit[:10]} && dvc repro`" in lost
    assert "of worse (" not in lost  # all of it is in the working folder
    assert found.metrics[0] == Metric("out: test", "accuracy", None, 0.95)
    assert found.tests == []
    assert found.params == [Param("training.lr", "0.1", "0.01")]


@pytest.mark.nightly
def test_metrics_that_git_has_are_taken_where_nothing_else_is(lab: Path, shell: Shell) -> None:
    for tag in ("one", "two"):
        shell(f"git checkout --quiet {tag} && dvc checkout -q", lab)
        write_tables()
        shell(f"git add --all && git commit --quiet -m tables && git tag {tag}-tables", lab)
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("../share")
    found = found_of("one-tables", "two-tables")
    assert Metric("out: test", "accuracy", 0.75, 0.95) in found.metrics
    assert [one.drifted for one in found.data] == [["age"]]


def test_a_commit_without_results_is_told(lab: Path) -> None:
    found = found_of("empty", "two")
    assert any(line.startswith("empty (") and "has no results in dvc.lock" in line for line in found.unknown)
    assert found.stages == {"report": ["new"], "select": ["new"]}
    assert found.tests == []
    found = found_of("two", "empty")
    assert found.stages == {"report": ["gone"], "select": ["gone"]}
    assert found.tests == []


def test_it_is_printed_as_tables_as_json_and_as_a_page(
    lab: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    compare("one", "two", False, None)
    shown = capsys.readouterr().out
    assert "training.lr" in shown
    assert "forest → densenet" in shown
    compare("one", "two", True, tmp_path / "page.html")
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["params"] == [{"name": "training.lr", "a": "0.1", "b": "0.01"}]
    assert told["tests"][0]["found"]["metric"] == "accuracy"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert page.count('src="data:image;base64,') == 2
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/", "")
    assert git("status", "--porcelain") == ""


def test_words_that_look_like_markup_are_shown(lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    Path("[red]<b>.txt").write_text("")
    shell("git add --all && git commit --quiet -m '[red]<b>words' && git tag words", lab)
    compare("worse", "words", False, Path("page.html"))
    assert "[red]<b>.txt" in capsys.readouterr().out
    assert "&lt;b&gt;words" in Path("page.html").read_text(encoding="utf-8")


def test_a_password_is_not_shown(lab: Path, shell: Shell) -> None:
    source = "sqlite://me:S3CRET@host/x"  # pragma: allowlist secret
    Path("params.yaml").write_text(f"training: {{lr: 0.01, epochs: 3, source: '{source}'}}\n")
    commit(shell, "hidden")
    assert "S3CRET" not in as_json(found_of("worse", "hidden"))
    assert [one.name for one in found_of("worse", "hidden").params] == ["training.source"]


@pytest.mark.parametrize("report", ["{}", "no JSON", '{"rows": {"read": 3}, "columns": [{"name": "a"}]}'])
def test_a_report_of_another_form_is_left_out(tmp_path: Path, report: str) -> None:
    (tmp_path / "report.json").write_text(report)
    assert gathering._data("report.json", tmp_path, tmp_path) is None
