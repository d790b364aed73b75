"""Workers in clones of their own leave together what one machine leaves: tiny stages, a real origin, a real remote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.distribute import task
from labkit.distribute.exchange import publish, published
from labkit.distribute.task import refuse_misfits
from labkit.dvc_adapter.folders import hash_of
from labkit.git_cli import git
from labkit.process.errors import InputError
from labkit.testing.example_lab import read_yaml
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import EXECUTION_VARIABLE, TrackedRun, remember, runs_of_execution

pytestmark = pytest.mark.integration

HERE = f"{sys.executable} -m labkit.distribute"
OPTIONS = "--execution run~1"


def test_a_stage_waits_for_what_it_needs_and_publishes_once(tiny_lab: Path, shell: Shell) -> None:
    lab = tiny_lab / "alone"
    early = shell(f"{HERE} task elsewhere {OPTIONS}", lab, check=False)
    assert early.stderr == "error: elsewhere needs first, which has not published in run~1 yet\n"
    shell(f"{HERE} task first {OPTIONS}", lab)
    assert not (lab / "start").exists()
    assert "already" in shell(f"{HERE} task first {OPTIONS}", lab).stdout
    refused = shell(f"{HERE} collect {OPTIONS}", lab, check=False)
    assert refused.stderr == "error: run~1 is not complete: each@b, each@c, join, elsewhere has not published\n"


@pytest.mark.nightly
def test_what_finished_is_published_and_the_rest_later(tiny_lab: Path, shell: Shell) -> None:
    lab, origin = tiny_lab / "alone", tiny_lab / "origin"
    code = shell("git rev-parse main", origin).stdout
    nothing = shell(f"{HERE} finish {OPTIONS}", lab, check=False)
    assert "error: run~1 is not complete: first, each@b, each@c, join, elsewhere has not published" in nothing.stderr
    assert shell("git rev-parse main", origin).stdout == code
    for stage in ("first", "each@b"):
        shell(f"{HERE} task {stage} {OPTIONS}", lab)
    partly = shell(f"{HERE} finish {OPTIONS}", lab, check=False)
    told = "error: run~1 is published as far as it came: each@c, join, elsewhere has not finished; "
    assert (partly.returncode, partly.stderr.splitlines()[-1][: len(told)]) == (1, told)
    message = shell("git log -1 --format=%B main", origin).stdout
    assert message.startswith("Incomplete results of run~1")
    assert {"Not-Run: join", "Not-Run: elsewhere", "From-Cache: first"} <= {*message.splitlines()}
    assert shell("git rev-parse main^", origin).stdout == code
    shell("git fetch --quiet && git checkout --quiet --detach origin/main", lab)
    recorded = {*read_yaml(lab / "dvc.lock")["stages"]}
    assert recorded == {"first", "each@b"}
    shell("git checkout --quiet --detach HEAD^", lab)
    for stage in ("each@c", "join", "elsewhere"):
        shell(f"{HERE} task {stage} {OPTIONS}", lab)
    assert "run~1 is published" in shell(f"{HERE} finish {OPTIONS}", lab).stdout
    shell("dvc repro", lab)
    assert shell("git show main:dvc.lock", origin).stdout == (lab / "dvc.lock").read_text()
    assert shell("git ls-remote origin 'refs/lab/*'", lab).stdout == ""


def test_why_a_stage_failed_is_known_where_the_results_are_collected(tiny_lab: Path, shell: Shell) -> None:
    worker, collector = tiny_lab / "alone", tiny_lab / "collector"
    shell(f"git clone --quiet origin {collector.name}", tiny_lab)
    shell(f"{HERE} task first {OPTIONS}", worker)
    failed = TrackedRun("elsewhere", "run~1", status="FAILED", seconds=3.0, reason="worn out")
    (worker / ".lab/journals").mkdir(parents=True, exist_ok=True)
    remember(worker / ".lab/journals", failed)
    ended = shell(f"{HERE} task elsewhere {OPTIONS}", worker, check=False, HINDRANCE="false")
    assert ended.stderr.endswith("error: elsewhere failed\n")
    shell(f"{HERE} collect --partial {OPTIONS}", collector)
    assert [*read_yaml(collector / "dvc.lock")["stages"]] == ["first"]
    assert runs_of_execution("run~1", collector / ".lab/journals") == [failed]
    finished = TrackedRun("elsewhere", "run~1", run_id="r2", status="FINISHED", seconds=4.0)
    remember(worker / ".lab/journals", finished)
    shell(f"{HERE} task elsewhere {OPTIONS}", worker)
    shell(f"git checkout --quiet . && git clean -fdq && {HERE} collect --partial {OPTIONS}", collector)
    assert [*read_yaml(collector / "dvc.lock")["stages"]] == ["first", "elsewhere"]
    assert runs_of_execution("run~1", collector / ".lab/journals") == [failed, finished]
    shell(f"{HERE} forget {OPTIONS}", worker)
    assert shell("git ls-remote origin 'refs/lab/*'", worker).stdout == ""


@pytest.mark.nightly
def test_workers_leave_what_one_machine_leaves(tiny_lab: Path, shell: Shell) -> None:
    alone = tiny_lab / "alone"
    clones = [tiny_lab / f"worker{number}" for number in range(3)]
    for clone in clones:
        shell(f"git clone --quiet origin {clone.name}", tiny_lab)
    commit = json.loads(shell("python -m lab plan", clones[0]).stdout)["commit"]
    command = f"{HERE} task {{}} {OPTIONS} --commit {commit}"
    ran = TrackedRun("first", "run~1", "r1", "http://u", "FINISHED", 3.0)
    (clones[0] / ".lab/journals").mkdir(parents=True)
    remember(clones[0] / ".lab/journals", ran)
    shell(command.format("first"), clones[0])
    secret = os.environ | {"GITHUB_TOKEN": "a-token", "HINDRANCE": 'test -z "$GITHUB_TOKEN"'}
    started = [
        subprocess.Popen(command.format(stage), shell=True, cwd=clone, env=secret)
        for stage, clone in zip(("each@b", "each@c", "elsewhere"), clones, strict=True)
    ]
    assert [worker.wait() for worker in started] == [0, 0, 0]
    shell(command.format("join"), clones[2])
    shell(f"{HERE} collect {OPTIONS}", clones[1])
    shell("dvc repro", alone)
    assert (clones[1] / "dvc.lock").read_bytes() == (alone / "dvc.lock").read_bytes()
    assert (clones[1] / "away/copy").read_text() == "1\n"
    assert runs_of_execution("run~1", clones[1] / ".lab/journals") == [ran]
    assert not list(tiny_lab.glob("worker*/.lab/tmp/tasks/*"))
    shell(f"{HERE} forget {OPTIONS}", clones[0])
    assert shell("git ls-remote origin 'refs/lab/*'", clones[0]).stdout == ""


def test_a_result_of_other_code_parameters_or_data_is_refused(
    tiny_lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tiny_lab / "alone"
    monkeypatch.chdir(lab)
    shell("dvc repro first && dvc push", lab)
    record, commit = read_yaml(lab / "dvc.lock")["stages"]["first"], git("rev-parse", "HEAD")
    (data,) = record["deps"]
    for execution, changed, told in (
        ("command", {"cmd": "echo 7 > start"}, "command"),
        ("parameters", {"params": {"params.yaml": {"project": {"name": "other"}}}}, "params.yaml"),
        ("data", {"deps": [{**data, "md5": "0" * 32 + ".dir"}]}, "in"),
    ):
        shell("git checkout --quiet . && git clean -fdq", lab)
        publish(execution, commit, "first", record | changed)
        refused = shell(f"{HERE} collect --partial --execution {execution}", lab, check=False)
        assert f"what first has published is of another {told} than {commit[:10]}" in refused.stderr


def test_the_first_to_publish_wins(tiny_lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_lab / "alone")
    commit, name = git("rev-parse", "HEAD"), "each@a.b/../c:d"
    publish("run 2", commit, name, {"cmd": "true"})
    publish("run 2", commit, name, {"cmd": "true"})
    with pytest.raises(InputError, match="another attempt of run 2 has published other results"):
        publish("run 2", commit, name, {"cmd": "false"})
    assert published("run 2", commit) == {name: {"cmd": "true"}}
    with pytest.raises(InputError, match="not of 0000000000; give each execution its own name"):
        published("run 2", "0" * 40)
    assert published("run 3", commit) == {}
    git("push", "--quiet", "origin", "refs/lab/run%202/each@a%2Eb%2F%2E%2E%2Fc%3Ad:refs/lab/run%202/train")
    with pytest.raises(InputError, match=r"train has results of each@a\.b/\.\./c:d; run the execution again"):
        published("run 2", commit)


def test_records_that_do_not_fit_are_refused() -> None:
    made = {"outs": [{"path": "start", "md5": "1"}, {"path": "made", "md5": "3.dir"}]}
    inner = hash_of({"x": "5"})
    listed = {"3.dir": {"one": "4", "two/x": "5"}}.get

    def refuse(*deps: tuple[str, str]) -> None:
        read = [{"path": path, "md5": md5} for path, md5 in deps]
        refuse_misfits({"first": made, "each": {"deps": read}}, listed)

    refuse(("start", "1"), ("code", "2"), ("made", "3.dir"), ("made/one", "4"), ("made/two", inner))
    refuse_misfits({"first": made, "each": {"deps": [{"path": "made/one", "md5": "9"}]}}, lambda md5: None)
    for path, md5 in (("start", "2"), ("made", "4.dir"), ("made/one", "5"), ("made/two", "5"), ("made/three", "4")):
        with pytest.raises(InputError, match=f"each read another {path} than first wrote"):
            refuse((path, md5))


@pytest.mark.parametrize("name", ["", "refused"])
def test_an_execution_has_a_name_of_its_own(name: str) -> None:
    with pytest.raises(InputError, match="give a name that no other execution has"):
        published(name, "0" * 40)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GIT_CONFIG_VALUE_0", "DVC_ROOT", "PYTHONPATH"])
def test_a_stage_gets_nothing_that_opens_origin_or_reaches_into_its_clone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    program = f"import os; raise SystemExit({name!r} in os.environ or os.environ[{EXECUTION_VARIABLE!r}] != 'run 1')"
    monkeypatch.setenv(name, "a-token")
    monkeypatch.setattr(task, "dvc", lambda *_: [sys.executable, "-c", program])
    task._repro("train", "run 1")


def test_a_stage_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "dvc", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(RuntimeError, match="train failed"):
        task._repro("train", "run 1")
