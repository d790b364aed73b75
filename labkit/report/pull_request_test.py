"""The page of a pull request, made of a small DVC project: in a clone that has neither data nor a key for them."""

import re
import time
from pathlib import Path

import pytest

from labkit.git_cli import GitError, git
from labkit.report.pull_request import MOST_BYTES, branch_page
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration


BEST = "artifacts/best_model/metrics.json"


def page(branch: str) -> str:
    git("checkout", "--quiet", branch)
    return branch_page("origin/main")


def test_it_shows_parameters_first_then_every_model_against_the_base_the_goals_and_the_plots(on: Path) -> None:
    said = page("ran")
    assert re.findall("^##+ (.*)$", said, re.MULTILINE) == [
        *("What this branch changes", "Parameters", "Metrics", "Goals", "Stages", "Plots"),
    ]
    base = git("rev-parse", "--short", "main")
    assert "**Complete**; `forest` selected; `log_loss` on its test rows 0.0500 (-0.0500); goals: 1 of 2 met" in said
    assert "- `models.forest 0.2 -> 0.1`\n" in said
    assert "are not in Git" not in said
    assert f"Changes are against the results of `{base}`." in said
    assert "| ★ `forest` | 0.1000 (-0.1000) | 300 (=) |" in said
    assert "| `tree` | 0.4000 (=) | 300 (=) |" in said
    assert "| it is good | met | 0.0500 | ≤ 0.1 |" in said
    assert "| `train` | recorded | `models.forest 0.2 -> 0.1` |" in said
    assert 'title "All models"' in said.split("<details>")[1]
    assert len(said) < MOST_BYTES
    assert git("status", "--porcelain") == ""


def test_what_is_not_run_yet_is_named_with_the_reason_and_has_no_results(on: Path) -> None:
    said = page("asked")
    assert "**Incomplete**: `train` not run, `select` not run; goals: not judged." in said
    assert r"| `split` | recorded |" in said
    assert r"| `train` | **not run yet**: models.forest 0.2 -\> 0.1 |" in said
    assert "| `select` | **not run yet**: after train |" in said
    assert "0.2000" not in said
    assert "### Plots" not in said


def test_it_is_markdown_that_folds_the_plots_and_keeps_its_tables_whole(on: Path) -> None:
    markdown_it = pytest.importorskip("markdown_it")  # rich brings it
    html = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(page("ran"))
    assert re.findall("<h[23]>(.*?)</h", html)[1:3] == ["Parameters", "Metrics"]
    folded = html[html.index("<details>") : html.index("</details>")]
    assert folded.count('<code class="language-mermaid">') == 2
    assert folded.count("<table>") == 1  # a confusion matrix
    for shown in re.findall("<table>(.*?)</table>", html, re.DOTALL):
        head, *rows = re.findall("<tr>(.*?)</tr>", shown, re.DOTALL)
        assert {len(re.findall("<td", row)) for row in rows} == {len(re.findall("<th", head))}
        assert "|" not in re.sub("<.*?>", "", shown)


def test_the_plots_are_drawn_beside_those_of_the_base(on: Path, tmp_path: Path) -> None:
    git("checkout", "--quiet", "ran")
    branch_page("origin/main", tmp_path / "plots.html")
    drawn = (tmp_path / "plots.html").read_text()
    assert drawn.count("<svg") == 3
    base = git("rev-parse", "main")[:7]
    assert f">base ({base})<" in drawn
    assert ">this branch<" in drawn
    marks = re.findall(r'<path aria-label="[^"]*rev: (.*?)"(.*?)>', drawn)
    assert {rev for rev, look in marks if re.search('(fill|stroke)="#', look)} == {"this branch", f"base ({base})"}
    assert "http" not in drawn.replace("http://www.w3.org/", "")


def test_without_tables_in_git_it_says_where_the_metrics_would_come_from(on: Path, shell: Shell) -> None:
    shell("git checkout --quiet ran && git rm -r --quiet lab/results && git commit --quiet -m none", on)
    said = page("HEAD")
    assert "**The metrics of this commit are not in Git**" in said
    assert "### Metrics" not in said
    assert "| `train` | recorded |" in said


def test_metrics_that_somebody_made_better_are_not_shown(on: Path, shell: Shell) -> None:
    shell("git checkout --quiet ran && sed -i s/0.1/0.01/ lab/results/models/forest.json && git commit -qam liar", on)
    said = page("HEAD")
    assert "0.0100" not in said
    assert "`forest` | 0.1" not in said
    assert "| ★ `forest` on its test rows | 0.0500" in said


def test_an_output_that_git_tracks_does_not_beat_dvc_lock(on: Path, shell: Shell) -> None:
    git("checkout", "--quiet", "ran")
    lies = {"models/forest.json": '{"log_loss": 0.01}', BEST: '{"selected": "forest", "test": {"log_loss": 0.001}}'}
    for file, content in lies.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(content)
    shell(f"git add --force {' '.join(lies)} && git commit --quiet -m liar && git tag liar", on)
    said = page("liar")
    assert f"**Not what dvc.lock records, and not shown**: `models`, `{BEST}`. Where" in said
    assert "0.0010" not in said
    assert "0.0100" not in said
    assert "| it is good | not judged |" in said
    shell(f"git rm --quiet {' '.join(lies)} && git commit --quiet -m mended", on)
    said = branch_page("liar")  # nor does one of the base
    assert "| ★ `forest` (earlier results not available) | 0.1000 |" in said
    assert "0.0990" not in said


def test_changed_goals_and_a_base_that_has_newer_results_are_told(on: Path, shell: Shell) -> None:
    assert "**This branch changes" not in page("ran")
    shell("git checkout --quiet ran && echo '# lower' >> goals/goals.yaml && git commit --quiet --all -m lower", on)
    shell("git checkout --quiet main && echo >> dvc.lock && git commit --quiet --all -m newer", on)
    git("checkout", "--quiet", "ran")
    said = branch_page("main")
    assert "**This branch changes `goals/goals.yaml`**" in said
    assert "**The base has other results since** (1 commits)" in said


def test_a_remote_that_takes_a_key_is_not_waited_for(on: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shell("git checkout --quiet ran && dvc remote add -d s3 s3://bucket/dvc && git commit --quiet --all -m s3", on)
    shell("dvc remote modify s3 endpointurl http://127.0.0.1:1 && git commit --quiet --all -m url", on)
    started = time.monotonic()
    assert "| ★ `forest` | 0.1000 (-0.1000) | 300 (=) |" in page("HEAD")
    assert time.monotonic() - started < 60


def test_a_base_that_is_not_there_is_an_error(on: Path) -> None:
    with pytest.raises(GitError, match="nowhere"):
        branch_page("nowhere")
