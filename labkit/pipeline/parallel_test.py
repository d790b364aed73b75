"""Stages at the same time leave what `dvc repro` leaves, fail one by one, and end together."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from time import sleep

import psutil
import pytest

from labkit.dvc_adapter.graph import Step
from labkit.paths import ROOT
from labkit.pipeline import parallel
from labkit.pipeline.parallel import allowed_jobs, is_chain, pays
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import TrackedRun, remember

Run = Callable[[Path], subprocess.CompletedProcess[str]]

HERE = f"{sys.executable} -c 'import os, sys; from labkit.pipeline.parallel import reproduce; " + (
    "sys.exit(reproduce(int(sys.argv[1]), os.environ))'"
)
# Where they run at once, `a` waits for the record of `c`, and so ends after it.
DVC_YAML = """
stages:
  join:
    cmd: cat made/* > joined
    deps: [made/a, made/b, made/c]
    outs: [joined]
  first:
    cmd: cat sub/made > start
    deps: [sub/made, raw]
    outs: [start]
  each:
    foreach: [b, c]
    do:
      cmd: mkdir -p made; cat start > made/${item}
      deps: [start]
      outs: ["made/${item}"]
  a:
    cmd: >-
      mkdir -p made; for i in $(seq 600); do test -n "$ALONE" && break; grep -q each@c: dvc.lock && break; sleep 0.1;
      done; cat start > made/a
    deps: [start]
    outs: [made/a]
  after_a:
    cmd: cp made/a after
    deps: [made/a]
    outs: [after]
  last:
    cmd: cp joined last
    deps: [joined]
    outs: [last]
  notes:
    frozen: true
    cmd: "false"
    deps: [raw]
    outs: [notes]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A project with stages in two dvc.yaml, of which nothing has run."""
    folder = tmp_path_factory.mktemp("template")
    for name, text in {
        "dvc.yaml": DVC_YAML,
        "sub/dvc.yaml": "stages: {make: {cmd: cp ../raw made, deps: [../raw], outs: [made]}}",
        "raw": "1",
        "notes": "as they were",
        ".gitignore": "\n# mine\n\n# mine\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    shell("git init --quiet && dvc init --quiet && dvc add --quiet raw && dvc commit --force --quiet notes", folder)
    shell("rm raw && printf 2 > raw", folder)  # which `dvc repro` adds again
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """A copy to run."""
    return Path(shutil.copytree(template, tmp_path / "project", symlinks=True))


@pytest.fixture
def run(shell: Shell) -> Run:
    """Run up to three stages at once."""

    def at_once(project: Path) -> subprocess.CompletedProcess[str]:
        return shell(f"{HERE} 3", project, check=False, PYTHONPATH=str(ROOT))

    return at_once


def written(project: Path) -> dict[str, str]:
    names = ("raw.dvc", "dvc.lock", "sub/dvc.lock", ".gitignore", "made/.gitignore", "joined", "after")
    return {name: (project / name).read_text() for name in names}


@pytest.mark.integration
@pytest.mark.nightly  # .ci/run holds the dvc.lock of stages at once to the committed one
def test_what_is_left_is_what_dvc_repro_leaves(project: Path, template: Path, run: Run, shell: Shell) -> None:
    done = run(project)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    ends = [line.split()[0] for line in lines if " | done in " in line]
    assert ends.index("each@c") < ends.index("a") < ends.index("after_a")
    assert {line.partition(" | ")[0].strip() for line in lines} == {*ends}
    alone = Path(shutil.copytree(template, project.parent / "alone", symlinks=True))
    shell("dvc repro", alone, ALONE="1")
    assert written(project) == written(alone)
    assert (project / "notes").read_text() == "as they were"

    assert (project / "joined").read_text() == "222"
    assert run(project).stdout == ""


@pytest.mark.integration
def test_one_failure_leaves_the_others_to_finish(project: Path, run: Run) -> None:
    (project / "dvc.yaml").write_text(DVC_YAML.replace("mkdir -p made; cat start >", "mkdir made; test ${item} = c >"))
    done = run(project)
    assert done.returncode not in (0, 130)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert [line for line in lines if line.startswith("each@b | failed after ")]
    assert "join | skipped: it needs each@b, which failed" in lines
    assert "last | skipped: it needs join, which was skipped" in lines
    assert (project / "after").read_text() == "2"
    assert not (project / "joined").exists()


@pytest.mark.integration
@pytest.mark.parametrize(("jobs", "number"), [(2, signal.SIGINT), (1, signal.SIGTERM)])
def test_a_signal_to_this_process_alone_ends_all_that_run(
    project: Path, tmp_path: Path, jobs: int, number: signal.Signals
) -> None:
    # A shell that was started in the background has its jobs ignore Ctrl-C; DVC's own must hear it.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    names = ["one", "other"][:jobs]
    wait = "sh -c 'echo $$ > %s; exec sleep 90'; true"  # which a shell has started, not DVC
    stages = "".join(f"  {name}: {{cmd: {json.dumps(wait % (tmp_path / name))}, deps: [raw]}}\n" for name in names)
    (project / "dvc.yaml").write_text(f"stages:\n{stages}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        f"exec {HERE} {jobs}", shell=True, cwd=project, env=environment, stdout=subprocess.PIPE
    ) as running:
        places = [tmp_path / name for name in names]
        while not all(place.exists() and place.read_text() for place in places):
            assert running.poll() is None
            sleep(0.1)
        processes = [psutil.Process(int(place.read_text())) for place in places]
        running.send_signal(number)
        running.communicate(timeout=45)
    assert running.returncode not in (0, -number)
    assert not any(process.is_running() for process in processes)


@pytest.mark.integration
@pytest.mark.nightly
def test_what_did_not_change_is_pulled_and_the_rest_runs(project: Path, shell: Shell) -> None:
    shell("dvc remote add --quiet -d share ../share && dvc repro --quiet && dvc push --quiet", project, ALONE="1")
    shell("git add --all && git commit --quiet -m done && git clone --quiet . ../clone", project)
    clone = project.parent / "clone"
    pulling = HERE.replace("os.environ", "os.environ, pull=True")
    (clone / "dvc.yaml").write_text(DVC_YAML.replace("cat made/*", "sort made/*").replace("cp made/a", "cat made/a >"))
    lines = shell(f"{pulling} 3", clone, PYTHONPATH=str(ROOT)).stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"after_a", "join", "last"}
    assert (clone / "after").read_text() == "2"


@pytest.mark.unittest
def test_stages_run_at_once_where_that_takes_less_time_than_a_dvc_of_its_own_for_each() -> None:
    first, one, other = (
        Step(name, [*needs], f"python -m labkit.launch {name}", [], False)
        for name, needs in (("a", ""), ("b", "a"), ("c", "a"))
    )
    steps = [first, one, other]
    assert pays(steps, 2, {})
    assert pays(steps, 2, {"a": 1.0, "b": 1.0})
    assert not pays(steps, 2, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert pays(steps, 2, {"a": 1.0, "b": 9.0, "c": 9.0})
    assert not pays(steps, 2, {"a": 1.0, "b": 0.5, "c": 9.0})
    assert not pays([one, other], 1, {"b": 9.0, "c": 9.0})


@pytest.mark.integration
@pytest.mark.parametrize(("seconds", "is_apart"), [(0.1, False), (60.0, True)])
def test_short_stages_are_left_to_dvc_repro_the_next_time(
    project: Path, tmp_path: Path, shell: Shell, seconds: float, is_apart: bool
) -> None:
    journals = tmp_path / "journals"
    journals.mkdir()
    for name in ("one", "other"):
        remember(journals, TrackedRun(name, "execution", status="FINISHED", seconds=seconds))
    stages = {name: {"cmd": f"echo labkit.launch {name} > {name}", "outs": [name]} for name in ("one", "other")}
    (project / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    by_itself = HERE.replace("int(sys.argv[1])", "None")
    said = shell(by_itself, project, PYTHONPATH=str(ROOT), LAB_JOURNALS=str(journals)).stdout
    assert (" | done in " in said) == (is_apart and allowed_jobs() > 1)
    assert (project / "other").read_text() == "labkit.launch other\n"


@pytest.mark.integration
def test_a_chain_is_left_to_dvc_repro(project: Path, run: Run) -> None:
    (project / "dvc.yaml").write_text("stages: {first: {cmd: cp sub/made start, deps: [sub/made], outs: [start]}}")
    said = run(project).stdout
    assert "Running stage 'first':" in said.splitlines()
    assert " | " not in said


@pytest.mark.unittest
def test_steps_that_each_need_the_one_before_are_a_chain() -> None:
    first, second, third = (Step(name, [*needs], "", [], False) for name, needs in (("a", ""), ("b", "a"), ("c", "a")))
    assert is_chain([first, second])
    assert is_chain([first])
    assert not is_chain([first, second, third])


@pytest.mark.unittest
def test_a_remote_that_fails_stops_nothing_and_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise OSError("https://me:S3CRET@host/x is away")  # pragma: allowlist secret

    monkeypatch.setattr(parallel, "open_project", nullcontext)
    monkeypatch.setattr(parallel, "bring_unchanged", fail)
    parallel._bring()
    assert capsys.readouterr().err == "warning: the DVC remote: https://host/x is away\n"


@pytest.mark.integration
def test_data_that_are_asked_again_run_what_they_change_and_nothing_else(tmp_path: Path, shell: Shell) -> None:
    lab, source = tmp_path / "lab", tmp_path / "source"
    lab.mkdir()
    (lab / "dvc.yaml").write_text("""
stages:
  prepare:
    cmd: echo asked >> ../asked; cp ../source data
    always_changed: true
    outs: [data]
  train:
    cmd: echo trained >> ../trained; cp data model
    deps: [data]
    outs: [model]
""")
    shell("git init --quiet && dvc init --quiet", lab)
    for night, (content, trained) in enumerate((("old", 1), ("old", 1), ("new", 2)), 1):
        source.write_text(content)
        shell(f"{HERE} 2", lab, PYTHONPATH=str(ROOT))
        assert (tmp_path / "asked").read_text() == night * "asked\n"
        assert (tmp_path / "trained").read_text() == trained * "trained\n"
        assert (lab / "model").read_text() == content
