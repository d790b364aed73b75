"""Whatever goes wrong while an experiment runs or is published: nothing is lost or forged, and a re-run mends it.

The workflow file, the lab, S3, MLflow, Git and DVC are real; the four processes do next to nothing (fake_process.py).
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from labkit.git_cli import git_in
from labkit.paths import ROOT
from labkit.pipeline.records import read_records
from labkit.testing.example_lab import STAGES
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until
from labkit.tracking.journal import journals
from runtimes.sandbox.fake_process import DIVERGES, Params, digest
from runtimes.sandbox.processes import running
from runtimes.sandbox.runs import kill_run, recorded_runs, rerun
from runtimes.sandbox.services import start_service, wait_until_ready
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import Sandbox
from runtimes.sandbox.watch import follow_newest

pytestmark = [pytest.mark.integration, pytest.mark.nightly]

COMPLETE = "Results of "
INCOMPLETE = "Incomplete results of "
# What GitHub does: protect a branch. And what it does not: wait at a gate of a test's.
PRE_RECEIVE = "#!/bin/sh\nwhile [ -e ../gates/before-push ]; do touch ../gates/before-push.reached; sleep 0.02; done\n"
POST_UPDATE = "#!/bin/sh\nwhile [ -e ../gates/after-push ]; do touch ../gates/after-push.reached; sleep 0.02; done\n"
UPDATE = '#!/bin/sh\n[ "$1" != refs/heads/main ] || [ ! -e ../gates/main ]\n'

# So that the tests need not wait as long as a person would.
SHORTER = (
    ("labkit/publish/results.py", "DELIVERY_SECONDS = 60.0", "DELIVERY_SECONDS = 10.0"),
    ("labkit/publish/data.py", "LOOK_SECONDS = 20.0", "LOOK_SECONDS = 2.0"),
    ("labkit/publish/data.py", "wait_exponential_jitter(1, max=10)", "wait_exponential_jitter(0.1, max=1)"),
)

Fault = Callable[[str], None]


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Path], shell: Shell) -> Path:
    """The example lab with stand-ins for its processes, which waits less for a server that is away."""
    lab = new_lab()
    for main in lab.glob("lab/processes/*/main.py"):
        shutil.copy(ROOT / "runtimes" / "sandbox" / "fake_process.py", main)
    for file, patience, less in SHORTER:
        text = (lab / file).read_text(encoding="utf-8")
        assert patience in text
        (lab / file).write_text(text.replace(patience, less), encoding="utf-8")
    params = lab / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("n_estimators: 100 ", "n_estimators: 3 "))
    shell("git commit --quiet --all --no-verify -m 'Put stand-ins in the place of the processes'", lab)
    return lab


@pytest.fixture(scope="module")
def sandbox(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of that lab, whose origin waits at gates too."""
    folder = tmp_path_factory.mktemp("platform") / "sandbox"
    try:
        sandbox = up(folder, free_port(), free_port(), source=lab)
        (folder / "gates").mkdir()
        (folder / "gates" / "begun").touch()
        for name, text in (("pre-receive", PRE_RECEIVE), ("post-update", POST_UPDATE), ("update", UPDATE)):
            hook = sandbox.origin / "hooks" / name
            hook.write_text(text)
            hook.chmod(0o755)
        yield sandbox
    finally:
        down(folder)
        assert running(folder) == []


@pytest.fixture
def fault(record_property: Callable[[str, object], None]) -> Fault:
    """Count a fault: conftest.py tells how many were tried, and how many of their tests passed."""
    return lambda name: record_property("fault", name)


SEEDS = count(100)
TRAINERS = STAGES[1:3]


def ask(sandbox: Sandbox, tag: str, **sections: Params) -> str:
    """Commit a change of params.yaml and push it, then a tag on it. The commit."""
    git_in(sandbox.clone, "pull", "--quiet", "--ff-only")
    commit = commit_params(sandbox, **sections)
    git_in(sandbox.clone, "push", "--quiet", "--no-verify", "origin", "HEAD")
    push_tags(sandbox, tag)
    return commit


def commit_params(sandbox: Sandbox, **sections: Params) -> str:
    """Commit a change of sections of params.yaml, or of `training`: the stages that read them run again. The commit."""
    file = sandbox.clone / "params.yaml"
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    for section, params in (sections or {"training": {}}).items():
        whole[section] |= {"seed": next(SEEDS), **params}
    file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    git_in(sandbox.clone, "commit", "--quiet", "--no-verify", "--all", "-m", "Change the parameters")
    return git_in(sandbox.clone, "rev-parse", "HEAD")


def push_tags(sandbox: Sandbox, *tags: str) -> None:
    """Tag the clone's commit, where it has no such tag, and push all tags in one."""
    for tag in tags:
        if not git_in(sandbox.clone, "tag", "--list", tag):
            git_in(sandbox.clone, "tag", tag)
    git_in(sandbox.clone, "push", "--quiet", "--no-verify", "origin", *tags)


def ended(sandbox: Sandbox) -> tuple[int, str]:
    """The exit code and the log of the newest run, once it has ended."""
    log: list[str] = []
    return follow_newest(sandbox, log.append), "\n".join(log)


def run_again(sandbox: Sandbox, tag: str) -> tuple[int, str]:
    """The exit code and the log of another attempt."""
    log: list[str] = []
    return rerun(sandbox, tag, log.append), "\n".join(log)


@contextmanager
def closed(sandbox: Sandbox, gate: str) -> Iterator[Path]:
    """Have a stage, or the origin, wait at a gate."""
    path = sandbox.folder / "gates" / gate
    path.with_name(f"{gate}.reached").unlink(missing_ok=True)
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def reached(sandbox: Sandbox, gate: str) -> None:
    """Wait until something waits at a gate."""
    wait_until((sandbox.folder / "gates" / f"{gate}.reached").exists)


def wait_until_quiet(number: Callable[[], int]) -> None:
    """Wait until a number stays as it is: a server that was silent does what it was asked to do before."""
    before = -1
    while before != (before := number()):
        time.sleep(0.5)


@contextmanager
def attempt(sandbox: Sandbox, tag: str) -> Iterator[Future[tuple[int, str]]]:
    """Another attempt, in the background."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(run_again, sandbox, tag)


@contextmanager
def away(sandbox: Sandbox, service: str) -> Iterator[None]:
    """Kill a service, and start it again."""
    for process in running(sandbox.folder, service):
        process.kill()
    wait_until(lambda: not running(sandbox.folder, service))
    try:
        yield
    finally:
        start_service(sandbox, service)
        wait_until_ready(sandbox, service)


@contextmanager
def silent(sandbox: Sandbox, service: str) -> Iterator[None]:
    """Have a service take connections and answer none."""
    stopped = running(sandbox.folder, service)
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def results_of(sandbox: Sandbox, tag: str, title: str = COMPLETE) -> str:
    """The one results commit of a tag with that title, which stands on the tag's commit."""
    found = git_in(sandbox.origin, "log", "--all", "--no-merges", "--format=%H %P %s", f"--grep=^{title}{tag}$")
    ((commit, parent, _),) = (line.split(maxsplit=2) for line in found.splitlines())
    assert parent == git_in(sandbox.origin, "rev-parse", f"{tag}^{{commit}}")
    return commit


def survived(sandbox: Sandbox, shell: Shell, tag: str, branch: str = "main", title: str = COMPLETE) -> str:
    """Nothing is lost and nothing forged, and `branch` has the results of `tag`. Return their commit."""
    commit = results_of(sandbox, tag, title)
    git_in(sandbox.origin, "merge-base", "--is-ancestor", commit, branch)
    shell("git fsck --strict --no-dangling", sandbox.origin)
    for of in git_in(sandbox.origin, "log", "--all", "--format=%H", "--", "dvc.lock").split():
        for stage, record in read_records(git_in(sandbox.origin, "show", f"{of}:dvc.lock")).items():
            assert is_of_a_run(sandbox, record), f"{stage} in {of} is no record of a run"
    clone = sandbox.folder / "fresh"
    git_in(sandbox.folder, "clone", "--quiet", str(sandbox.origin), str(clone))
    git_in(clone, "checkout", "--quiet", "--detach", commit)
    shutil.copy(sandbox.clone / ".dvc" / "config.local", clone / ".dvc" / "config.local")
    status = shell("dvc pull --quiet && dvc status && git status --porcelain", clone).stdout.strip()
    shutil.rmtree(clone)
    if title == COMPLETE:
        assert status == "Data and pipelines are up to date."
    assert_each_execution_is_in_mlflow_once(sandbox)
    return commit


def is_of_a_run(sandbox: Sandbox, record: dict[str, Any]) -> bool:
    """Whether the remote has each output of a record, and each of its files was made of what the record says."""
    deps = {dep["path"]: dep["md5"] for dep in record["deps"]}
    made_of = digest(deps, record["params"]["params.yaml"]).encode()
    files = [content for out in record["outs"] for content in stored(sandbox, out["md5"])]
    return all(made_of in content for content in files)


def stored(sandbox: Sandbox, md5: str) -> Iterator[bytes]:
    """The bytes of each file that the DVC remote has as `md5`, which may be a folder's."""
    content = (sandbox.folder / "s3" / "lab" / "dvc" / "files" / "md5" / md5[:2] / md5[2:]).read_bytes()
    if md5.endswith(".dir"):
        for entry in json.loads(content):
            yield from stored(sandbox, entry["md5"])
    else:
        yield content


def assert_each_execution_is_in_mlflow_once(sandbox: Sandbox) -> None:
    """Each process that has begun is one run in MLflow, and no journal is left or refused."""
    folder = sandbox.folder / "runner" / "tool_cache" / "sandbox" / "lab" / "journals"
    assert journals(folder) == []
    assert [*folder.glob("*.refused")] == []
    begun = (sandbox.folder / "gates" / "begun").read_text().splitlines()
    assert sorted(journal for _, journal in map(str.split, begun)) == sorted(journals_in_mlflow(sandbox))


def journals_in_mlflow(sandbox: Sandbox) -> list[str]:
    """The journal of each run in MLflow."""
    api = f"{sandbox.mlflow_url}/api/2.0/mlflow"
    experiments = requests.post(f"{api}/experiments/search", json={"max_results": 100}, timeout=30).json()
    ids = [experiment["experiment_id"] for experiment in experiments["experiments"]]
    found = requests.post(f"{api}/runs/search", json={"experiment_ids": ids, "max_results": 1000}, timeout=30).json()
    tags = ({tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in found["runs"])
    return [of["lab.journal"] for of in tags]


def begun(sandbox: Sandbox) -> list[str]:
    """The stages that have begun so far."""
    return [line.split()[0] for line in (sandbox.folder / "gates" / "begun").read_text().splitlines()]


@pytest.mark.parametrize("killed_in", [STAGES[2:3], STAGES], ids=["one", "every"])
def test_killed_in_a_stage_a_rerun_goes_on_with_that_stage(
    sandbox: Sandbox, shell: Shell, fault: Fault, killed_in: tuple[str, ...]
) -> None:
    tag = f"run-example-killed-in-{len(killed_in)}"
    before = begun(sandbox)
    with closed(sandbox, killed_in[0]):
        fault(f"killed in {killed_in[0]}")
        ask(sandbox, tag, split={})
        reached(sandbox, killed_in[0])
        kill_run(sandbox)
        assert ended(sandbox)[0] != 0
    for stage in killed_in[1:]:
        fault(f"killed in {stage}")
        with closed(sandbox, stage), attempt(sandbox, tag) as killed:
            reached(sandbox, stage)
            kill_run(sandbox)
            assert killed.result()[0] != 0
    exit_code, log = run_again(sandbox, tag)
    assert exit_code == 0, log
    times = Counter(begun(sandbox)[len(before) :])
    for stage in STAGES:  # those that train run beside each other, and are killed together
        together = {stage} | ({*TRAINERS} if stage in TRAINERS else set())
        assert 1 + (stage in killed_in) <= times[stage] <= 1 + len(together & {*killed_in})
    survived(sandbox, shell, tag)


@pytest.mark.parametrize("service", ["s3", "mlflow"])
def test_with_a_service_away_or_silent_nothing_is_trained(
    sandbox: Sandbox, shell: Shell, fault: Fault, service: str
) -> None:
    told = {
        "s3": f"problem DVC remote: s3://lab/dvc at {sandbox.s3_url} does not answer",
        "mlflow": f"problem MLflow: {sandbox.mlflow_url}, asked to find the experiment: does not answer",
    }
    tag = f"run-example-before-{service}"
    before = begun(sandbox)
    fault(f"{service} silent before")
    with silent(sandbox, service):
        commit = ask(sandbox, tag)
        exit_code, log = ended(sandbox)
        assert exit_code != 0
        assert told[service] in log
    fault(f"{service} away before")
    with away(sandbox, service):
        exit_code, log = run_again(sandbox, tag)
        assert exit_code != 0
        assert told[service] in log
        assert "fix: start it, or" in log
    assert begun(sandbox) == before
    assert git_in(sandbox.origin, "rev-parse", "main") == commit
    exit_code, log = run_again(sandbox, tag)
    assert exit_code == 0, log
    survived(sandbox, shell, tag)


@pytest.mark.parametrize("stage", [STAGES[0], STAGES[-1]])
def test_with_s3_away_during_the_run_nothing_is_trained_twice(
    sandbox: Sandbox, shell: Shell, fault: Fault, stage: str
) -> None:
    fault(f"S3 away during {stage}")
    tag = f"run-example-s3-during-{stage}"
    before = begun(sandbox)
    with closed(sandbox, stage) as gate:
        commit = ask(sandbox, tag, split={})
        reached(sandbox, stage)
        with away(sandbox, "s3"):
            gate.unlink()
            exit_code, log = ended(sandbox)
    assert exit_code != 0
    assert "dvc push failed" in log
    assert git_in(sandbox.origin, "rev-parse", "main") == commit
    exit_code, log = run_again(sandbox, tag)
    assert exit_code == 0, log
    assert begun(sandbox) == [*before, *STAGES]
    survived(sandbox, shell, tag)


def test_with_s3_away_and_the_branch_moved_when_the_data_are_there_the_results_come_by_a_merge(
    sandbox: Sandbox, shell: Shell, fault: Fault
) -> None:
    tag = "run-example-moved"
    commit = ask(sandbox, tag)
    with closed(sandbox, "before-push") as gate:
        reached(sandbox, "before-push")
        fault("the branch moves while it is pushed to")
        (sandbox.clone / "notes.md").write_text(tag)
        git_in(sandbox.clone, "add", "notes.md")
        git_in(sandbox.clone, "commit", "--quiet", "--no-verify", "-m", "Note")
        git_in(sandbox.origin, "fetch", "--quiet", str(sandbox.clone), "HEAD:main")  # which no hook holds up
        fault("S3 away after dvc push")
        with away(sandbox, "s3"):
            gate.unlink()
            assert ended(sandbox)[0] == 0
    results = survived(sandbox, shell, tag)
    assert git_in(sandbox.origin, "log", "-1", "--format=%P", "main").split()[1] == results
    changed = git_in(sandbox.origin, "diff", "--name-only", commit, "main", "--", ".", ":!lab/results").split()
    assert changed == ["dvc.lock", "notes.md"]


def test_with_mlflow_away_during_the_run_the_results_come_and_mlflow_has_them_later(
    sandbox: Sandbox, shell: Shell, fault: Fault
) -> None:
    fault("MLflow away during")
    tag = "run-example-mlflow-during"
    with closed(sandbox, "train_dnn_pytorch") as gate:
        ask(sandbox, tag)
        reached(sandbox, "train_dnn_pytorch")
        with away(sandbox, "mlflow"):
            gate.unlink()
            exit_code, log = ended(sandbox)
    assert exit_code == 0
    assert "not in MLflow yet" in log
    results_of(sandbox, tag)
    exit_code, log = run_again(sandbox, tag)
    assert exit_code == 0, log
    survived(sandbox, shell, tag)


def test_results_that_come_after_those_of_newer_code_do_not_replace_them(
    sandbox: Sandbox, shell: Shell, fault: Fault
) -> None:
    fault("newer results come first")
    old, new = "run-example-older", "run-example-newer"
    with closed(sandbox, "train_dnn_pytorch"):
        ask(sandbox, old)
        reached(sandbox, "train_dnn_pytorch")
        kill_run(sandbox)
        assert ended(sandbox)[0] != 0
    ask(sandbox, new)
    assert ended(sandbox)[0] == 0
    assert run_again(sandbox, old)[0] == 0
    results_of(sandbox, old)
    of_newer = survived(sandbox, shell, new)
    assert git_in(sandbox.origin, "show", "main:dvc.lock") == git_in(sandbox.origin, "show", f"{of_newer}:dvc.lock")


def test_a_protected_branch_is_left_alone(sandbox: Sandbox, shell: Shell, fault: Fault) -> None:
    fault("the branch is protected")
    tag = "run-example-protected"
    commit = ask(sandbox, tag)
    with closed(sandbox, "main"):
        assert ended(sandbox)[0] == 0
    number = recorded_runs(sandbox)[-1].number
    assert git_in(sandbox.origin, "rev-parse", "main") == commit
    survived(sandbox, shell, tag, f"results/{tag}-{number}.1")


def test_two_tags_at_once_then_three_of_which_two_and_a_rerun_have_nothing_new(
    sandbox: Sandbox, shell: Shell, fault: Fault
) -> None:
    fault("two tags at once")
    git_in(sandbox.clone, "pull", "--quiet", "--ff-only")
    tags = [f"run-example-at-once-{number}" for number in range(5)]
    for tag in tags[:3]:
        commit_params(sandbox)
        git_in(sandbox.clone, "tag", tag)
    git_in(sandbox.clone, "push", "--quiet", "--no-verify", "origin", "HEAD")
    push_tags(sandbox, *tags[:2])
    assert ended(sandbox)[0] == 0
    fault("three tags at once")
    push_tags(sandbox, *tags[2:])
    assert ended(sandbox)[0] == 0
    assert [(run.tag, run.exit_code) for run in recorded_runs(sandbox)[-5:]] == [(tag, 0) for tag in tags]
    for tag in tags[:2]:
        results_of(sandbox, tag)
    fault("a finished run again")
    before = git_in(sandbox.origin, "for-each-ref"), begun(sandbox)
    exit_code, log = run_again(sandbox, tags[2])
    assert exit_code == 0
    assert "Nothing new" in log
    assert (git_in(sandbox.origin, "for-each-ref"), begun(sandbox)) == before
    survived(sandbox, shell, tags[2])


def test_a_failed_stage_publishes_what_finished_and_its_mending_completes_it(
    sandbox: Sandbox, shell: Shell, fault: Fault
) -> None:
    fault("a stage fails")
    failing, mended = "run-example-failing", "run-example-mended"
    ask(sandbox, failing, split={}, training={"lr": DIVERGES})
    exit_code, log = ended(sandbox)
    assert exit_code != 0
    assert "the training diverged" in log
    survived(sandbox, shell, failing, title=INCOMPLETE)
    ask(sandbox, mended, training={"lr": 0.01})
    assert ended(sandbox)[0] == 0
    survived(sandbox, shell, mended)


def test_a_tag_on_no_branch(sandbox: Sandbox, shell: Shell, fault: Fault) -> None:
    fault("a tag on no branch")
    tag = "run-example-on-no-branch"
    git_in(sandbox.clone, "pull", "--quiet", "--ff-only")
    commit_params(sandbox)
    push_tags(sandbox, tag)
    git_in(sandbox.clone, "reset", "--quiet", "--hard", "origin/main")
    main = git_in(sandbox.origin, "rev-parse", "main")
    assert ended(sandbox)[0] == 0
    assert git_in(sandbox.origin, "rev-parse", "main") == main
    survived(sandbox, shell, tag, f"results/{tag}-{recorded_runs(sandbox)[-1].number}.1")


def test_s3_silent_or_killed_while_publishing_a_rerun_goes_on(sandbox: Sandbox, shell: Shell, fault: Fault) -> None:
    tag = "run-example-publishing"
    remote = sandbox.folder / "s3" / "lab" / "dvc" / "files"
    before = {*remote.rglob("*")}

    def pushed() -> int:
        return len({*remote.rglob("*")} - before)

    fault("killed in dvc push")
    ask(sandbox, tag, classifiers={"random_forest": {"n_estimators": 500}})
    wait_until(lambda: pushed() > 0)
    with silent(sandbox, "s3"):  # so that the push is not done before it is killed
        kill_run(sandbox)
        assert ended(sandbox)[0] != 0
    wait_until_quiet(pushed)
    fault("S3 silent in dvc push")
    so_far = pushed()
    with attempt(sandbox, tag) as given_up:
        wait_until(lambda: pushed() > so_far)
        with silent(sandbox, "s3"):
            exit_code, log = given_up.result()
    assert exit_code != 0
    assert f"dvc push failed: s3://lab/dvc at {sandbox.s3_url} does not answer" in log
    assert so_far < pushed() < 500
    fault("killed between dvc push and git push")
    with closed(sandbox, "before-push"), attempt(sandbox, tag) as killed:
        reached(sandbox, "before-push")
        assert pushed() > 500
        kill_run(sandbox)
        assert killed.result()[0] != 0
    fault("killed after git push")
    with closed(sandbox, "after-push"), attempt(sandbox, tag) as killed:
        reached(sandbox, "after-push")
        kill_run(sandbox)
        assert killed.result()[0] != 0
    exit_code, log = run_again(sandbox, tag)
    assert exit_code == 0
    assert "Nothing new" in log
    survived(sandbox, shell, tag)
