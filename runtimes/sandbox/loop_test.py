"""The README's loop, as it stands there: change, commit, tag, push, watch, pull, look; on the real workflow file.

S3, MLflow, the Git remote and DVC are real. GitHub itself is not here: act runs the workflow, on this host.
"""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from sklearn.datasets import load_wine

from labkit.paths import ROOT
from labkit.pipeline.records import read_records
from labkit.testing.docs_test import DOCS, Block, blocks
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until
from runtimes.sandbox.processes import running
from runtimes.sandbox.runs import folder_of, recorded_runs
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import BUCKET, Sandbox
from runtimes.sandbox.watch import follow_newest

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LOCAL_DATA = DOCS / "local-data.md"
TEST = "runtimes/sandbox/loop_test.py does"


@pytest.fixture(scope="module")
def sandbox(finished_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of a lab whose results are committed, as a template's are."""
    folder = tmp_path_factory.mktemp("platform") / "sandbox"
    try:
        yield up(folder, free_port(), free_port(), source=finished_lab)
    finally:
        down(folder)
        assert running(folder) == []


@pytest.fixture(scope="module")
def looped(sandbox: Sandbox, shell: Shell) -> dict[str, str]:
    """The README's two blocks on the runner, run in the sandbox's clone; what each printed, and the run's log."""
    before, after = [b.text for b in blocks(ROOT / "README.md") if b.reason and b.reason.startswith(TEST)]
    log: list[str] = []
    asked = shell(f"bash -euo pipefail -c {shlex.quote(before)}", sandbox.clone).stdout
    if exit_code := follow_newest(sandbox, log.append):
        pytest.fail(f"the run exited with {exit_code}:\n" + "\n".join(log))
    answered = shell(f"bash -euo pipefail -c {shlex.quote(after)}", sandbox.clone).stdout
    return {"before": asked, "log": "\n".join(log), "after": answered}


def in_clone(sandbox: Sandbox, shell: Shell, command: str) -> str:
    return shell(command, sandbox.clone).stdout.strip()


def test_status_told_what_would_run(looped: dict[str, str]) -> None:
    assert "train_dnn_pytorch: training.lr 0.0003 -> 0.001" in looped["before"]


def test_the_results_commit_stands_on_the_tags_commit_and_tells_the_run(
    looped: dict[str, str], sandbox: Sandbox, shell: Shell
) -> None:
    assert in_clone(sandbox, shell, "git rev-parse HEAD^") == in_clone(sandbox, shell, "git rev-parse run-example-1")
    trailers = in_clone(sandbox, shell, "git log -1 --format='%(trailers:unfold)'")
    keys = [line.split(": ")[0] for line in trailers.splitlines()]
    assert {"Code-Commit", "Tag", "Run", "Selected-Model", "Metric", "Goals"} <= set(keys)
    assert "From-Cache: prepare_data" in trailers
    assert "Ran: train_dnn_pytorch (" in trailers
    assert "Tag: run-example-1" in trailers
    changed = in_clone(sandbox, shell, "git diff --name-only HEAD^").splitlines()
    assert [name for name in changed if not name.startswith("lab/results/")] == ["dvc.lock"]
    assert "lab/results/artifacts/best_model/metrics.json" in changed
    assert "run-example-1" in looped["after"]  # python -m lab log
    assert "unproven" not in looped["after"]


def test_a_fresh_clone_has_the_results_and_they_are_current(
    looped: dict[str, str], sandbox: Sandbox, shell: Shell, tmp_path: Path
) -> None:
    shell(f"git clone --quiet {sandbox.origin} {tmp_path / 'clone'}", tmp_path)
    shutil.copy(sandbox.clone / ".dvc/config.local", tmp_path / "clone/.dvc/config.local")
    shell("dvc pull", tmp_path / "clone")
    assert "up to date" in shell("dvc status", tmp_path / "clone").stdout
    assert "up to date" in in_clone(sandbox, shell, "dvc status")
    shell("git fsck --strict", sandbox.origin)


def test_the_run_shows_what_changed_against_the_results_before(looped: dict[str, str], sandbox: Sandbox) -> None:
    summary = (folder_of(sandbox, recorded_runs(sandbox)[-1]) / "summary.md").read_text(encoding="utf-8")
    densenet = next(line for line in summary.splitlines() if line.startswith(("| `densenet`", "| ★ `densenet`")))
    assert "(+" in densenet or "(-" in densenet
    assert "```mermaid" in summary
    assert "`train_dnn_pytorch` | ran" in summary
    assert "`prepare_data` | from cache" in summary
    assert sandbox.mlflow_url in summary


def test_mlflow_has_the_run_with_its_tag_and_plots(looped: dict[str, str], sandbox: Sandbox) -> None:
    api = f"{sandbox.mlflow_url}/api/2.0/mlflow"
    experiments = requests.post(f"{api}/experiments/search", json={"max_results": 100}, timeout=30).json()
    ids = [experiment["experiment_id"] for experiment in experiments["experiments"]]
    query = {"experiment_ids": ids, "filter": "tags.`lab.stage` = 'train_dnn_pytorch'"}
    found: list[Any] = requests.post(f"{api}/runs/search", json=query, timeout=30).json()["runs"]
    (run,) = found
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["lab.tag"] == "run-example-1"
    assert tags["lab.git.dirty"] == "false"
    assert tags["lab.ci"].endswith("/actions/runs/1/attempts/1")
    listed = requests.get(f"{api}/artifacts/list", params={"run_id": run["info"]["run_id"]}, timeout=30).json()
    assert "training_history.png" in {Path(file["path"]).name for file in listed["files"]}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to look at the page with")
def test_a_browser_shows_the_run(looped: dict[str, str], sandbox: Sandbox, shell: Shell, tmp_path: Path) -> None:
    url = in_clone(sandbox, shell, "git log -1 --format='%(trailers:key=MLflow,valueonly)'").splitlines()[0]
    assert url.startswith(sandbox.mlflow_url)
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=60000", "--dump-dom", url),
    ]

    def shows_it() -> bool:
        page = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
        return "train_" in page and "run-example-1" in page

    wait_until(shows_it)


@pytest.mark.nightly
def test_pushed_again_the_same_code_runs_nothing_and_commits_nothing(
    looped: dict[str, str], sandbox: Sandbox, shell: Shell
) -> None:
    before = in_clone(sandbox, shell, "git ls-remote --heads origin")
    tag = shlex.quote("run-example-$(touch${IFS}injected)")  # it is run where it is pasted into a script
    assert shell("bash -c 'echo run-example-$(touch${IFS}injected)' && rm injected", sandbox.folder).returncode == 0
    in_clone(sandbox, shell, f"git tag {tag} && git push --quiet --no-verify origin {tag}")
    log: list[str] = []
    assert follow_newest(sandbox, log.append) == 0
    assert any("Nothing new" in line for line in log)
    assert list(sandbox.folder.rglob("injected")) == []
    assert in_clone(sandbox, shell, "git ls-remote --heads origin") == before
    records = read_records((sandbox.clone / "dvc.lock").read_text(encoding="utf-8"))
    params = yaml.safe_load((sandbox.clone / "params.yaml").read_text(encoding="utf-8"))
    trained = records["train_dnn_pytorch"]["params"]["params.yaml"]["training"]["lr"]
    assert trained == params["training"]["lr"] == 0.001


WINE = load_wine(as_frame=True).frame


@pytest.fixture(scope="module")
def page() -> dict[str, Block]:
    """The blocks of the page on local data that run, by what they are for."""
    found = [block for block in blocks(LOCAL_DATA) if not block.reason]
    return dict(zip(("put away", "bring", "share", "change"), found, strict=True))


def done(block: Block, sandbox: Sandbox, shell: Shell, check: bool = True) -> bool:
    """Whether a block works in the sandbox's clone."""
    key = {"AWS_ACCESS_KEY_ID": sandbox.access_key, "AWS_SECRET_ACCESS_KEY": sandbox.secret_key}
    values = key | {"BUCKET": BUCKET, "AWS_ENDPOINT_URL": sandbox.s3_url, "RCLONE_CONFIG": "/dev/null"}
    command = f"bash -euo pipefail -c {shlex.quote(block.text)}"
    return shell(command, sandbox.clone, check, **values).returncode == 0


@pytest.fixture(scope="module")
def original(looped: dict[str, str], page: dict[str, Block], sandbox: Sandbox, shell: Shell) -> Path:
    """Where the bucket has the wines, once they are put away, brought into the clone and shared, as the page says."""
    incoming = sandbox.clone / "incoming"
    incoming.mkdir()
    WINE.to_csv(incoming / "wine.csv", index=False)
    done(page["put away"], sandbox, shell)
    done(page["bring"], sandbox, shell)
    params = yaml.safe_load((sandbox.clone / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"source": "data/raw/wine.csv", "target": "target"}
    (sandbox.clone / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    done(page["share"], sandbox, shell)  # the hook pushes the data
    return sandbox.folder / "s3" / BUCKET / "data" / "raw" / "wine.csv"


@pytest.mark.nightly
def test_raw_data_go_through_s3_as_the_page_on_local_data_says(
    original: Path, page: dict[str, Block], sandbox: Sandbox, shell: Shell
) -> None:
    before = original.read_bytes()
    (sandbox.clone / "incoming/wine.csv").write_text("another")
    assert not done(page["put away"], sandbox, shell, check=False)
    assert original.read_bytes() == before  # the originals can't be changed
    (brought,) = yaml.safe_load(in_clone(sandbox, shell, "git show origin/main:data/raw/wine.csv.dvc"))["outs"]
    md5 = brought["md5"]
    assert (original.parents[2] / "dvc/files/md5" / md5[:2] / md5[2:]).read_bytes() == before


@pytest.mark.nightly
def test_a_run_trains_on_them_and_on_what_takes_their_place(
    original: Path, page: dict[str, Block], sandbox: Sandbox, shell: Shell
) -> None:
    before = original.read_bytes()
    in_clone(sandbox, shell, "git tag run-example-wine && git push --quiet origin run-example-wine")
    log: list[str] = []
    assert follow_newest(sandbox, log.append) == 0, "\n".join(log)
    in_clone(sandbox, shell, "git pull --quiet && dvc pull")
    model = json.loads((sandbox.clone / "artifacts/best_model/metrics.json").read_text(encoding="utf-8"))
    assert model["test"]["accuracy"] > 0.9

    WINE.iloc[::-1].to_csv(sandbox.clone / "incoming/wine-2026-11.csv", index=False)
    (sandbox.clone / "incoming/wine.csv").unlink()
    done(page["put away"], sandbox, shell)
    done(page["change"], sandbox, shell)
    assert original.read_bytes() == before
    assert "wine-2026-11.csv" in (sandbox.clone / "data/raw/wine.csv.dvc").read_text(encoding="utf-8")
