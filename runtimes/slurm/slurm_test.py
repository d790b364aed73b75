"""A real SLURM on this machine runs the pipeline stage by stage, and leaves what one machine leaves."""

import os
import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from labkit.pipeline.plan import Plan, PlannedStage, Resources
from labkit.process.errors import InputError
from labkit.testing.example_lab import STAGES, read_yaml, write_yaml
from labkit.testing.fixtures import Shell
from labkit.testing.waiting import wait_until
from runtimes.slurm.cluster import queue, sbatch
from runtimes.slurm.jobs import jobs_of, log_of

SLURM = {
    "squeue": r"""
printf "7\037RUNNING\037None\037$PWD\037run-1:first\n8\037PENDING\037Priority\037$PWD\037run-10:first\n"
printf '9\037RUNNING\037None\037/another/lab\037run-1:second\n10\037RUNNING\037None\037/another/lab\037run-2:first\n'
""",
    "sbatch": "case $* in *--job-name=run-2:first*) echo '11;a-cluster';; *) echo too much memory >&2; exit 1;; esac",
    "scancel": 'echo "$@" >> "$(dirname "$0")/cancelled"',
}
PLAN = Plan(
    commit="abc",
    stages=[
        PlannedStage(
            name=name,
            command=["true"],
            needs=needs,
            inputs=[],
            outputs=[],
            resources=resources,
            timeout=timeout,
        )
        for name, needs, resources, timeout in (
            ("first", [], Resources(), None),
            ("each@50%", ["first"], Resources(cpu=1.5, memory="2Gi", gpu=1), 3690.0),
        )
    ],
)


@pytest.mark.unittest
def test_a_job_asks_for_what_its_stage_needs() -> None:
    first, each, last = jobs_of(PLAN, "run/1")
    assert first.resources == last.resources == []
    assert each.resources == ["--cpus-per-task=2", "--mem=2G", "--gpus=1", "--time=62"]
    assert (each.name, each.needs) == ("run/1:each@50%", ["run/1:first"])
    assert (last.name, last.needs) == ("run/1", [first.name, each.name])
    assert each.command[1:] == [
        "-m",
        "labkit.distribute",
        "task",
        "--execution",
        "run/1",
        "--commit",
        "abc",
        "--",
        "each@50%",
    ]
    command = sbatch(each, ["7", "8"])
    assert {"--dependency=afterok:7:8", "--kill-on-invalid-dep=yes"} <= {*command}
    assert "--output=.lab/slurm/run%%2F1:each@50%%25.log" in command  # to SLURM, %% is one %
    assert not any("dependency" in word for word in sbatch(first, []))
    assert "--dependency=afterany:7:8" in sbatch(last, ["7", "8"])
    assert log_of(last.name).name == "run%2F1.log"


@pytest.mark.unittest
def test_without_slurm_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="there is no squeue here: run this on a cluster's login node"):
        queue("run-1")


@pytest.mark.integration
def test_the_jobs_of_a_tag_are_its_own_and_none_is_left_where_one_is_refused(
    tiny_lab: Path, tmp_path: Path, shell: Shell, environment: dict[str, str]
) -> None:
    """The commands stand in for SLURM's: a queue that another lab shares, a cluster that takes `first` alone."""
    for name, script in SLURM.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    def slurm(command: str) -> CompletedProcess[str]:
        path = f"{tmp_path}{os.pathsep}{environment['PATH']}"
        return shell(f"python -m lab slurm {command}", tiny_lab / "alone", check=False, PATH=path)

    assert slurm("status run-1").stdout.startswith("run-1:first: RUNNING, 7: \nTheir logs: ")
    assert slurm("status run-10").stdout.startswith("run-10:first: PENDING (Priority), 8: \nTheir logs: ")
    assert slurm("submit run-1").stderr == "error: run-1 is in the queue already; `scancel 7` ends it\n"
    shell("git tag run-2", tiny_lab / "alone")
    assert slurm("submit run-2").stderr == "error: sbatch failed: too much memory\n"
    assert (tmp_path / "cancelled").read_text(encoding="utf-8") == "11\n"


def submitted(lab: Path, tag: str, shell: Shell, **variables: str) -> str:
    """Tag what is checked out, submit it, wait until the queue is empty, and return what `status` tells."""
    shell(f"git tag --force {tag} && python -m lab slurm submit {tag}", lab, **variables)
    wait_until(lambda: not shell("squeue --noheader", lab, **variables).stdout)
    return shell(f"python -m lab slurm status {tag}", lab, **variables).stdout


@pytest.mark.integration
@pytest.mark.nightly
def test_the_example_comes_out_as_on_one_machine(
    finished_lab: Path, cluster: dict[str, str], tmp_path: Path, shell: Shell
) -> None:
    lab = Path(shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True))
    shell("git reset --quiet --hard HEAD~ && dvc remote add --quiet -d share ../share", lab)
    shell("rm -rf artifacts data/processed .dvc/cache .lab mlflow.db", lab)
    shell(
        "git commit --quiet --all --no-verify -m share && git init --quiet --bare --initial-branch main ../origin", lab
    )
    shell("git remote add origin ../origin && git push --quiet origin HEAD:main", lab)
    told = submitted(lab, "cluster-1", shell, **cluster)
    assert "cluster-1: ended: cluster-1 is published" in told, (lab / log_of("cluster-1")).read_text()
    shell("git pull --quiet origin main && dvc pull --quiet", lab)
    assert (lab / "dvc.lock").read_bytes() == (finished_lab / "dvc.lock").read_bytes()
    message = shell("git log -1", lab).stdout
    assert "Results of cluster-1" in message
    assert {f"Ran: {stage}" for stage in STAGES} <= {line.split(" (")[0].strip() for line in message.splitlines()}
    assert "unproven" not in shell("python -m lab log", lab).stdout


@pytest.mark.integration
@pytest.mark.nightly
def test_what_failed_goes_on_from_there(tiny_lab: Path, cluster: dict[str, str], tmp_path: Path, shell: Shell) -> None:
    lab, broken = tiny_lab / "alone", tmp_path / "broken"
    broken.touch()
    hindered = cluster | {"HINDRANCE": f"test ! -e {broken}"}
    told = submitted(lab, "run-1", shell, **hindered)
    assert "run-1:elsewhere: ended: error: elsewhere failed" in told
    assert "run-1:join: ended: join has published its results of run-1" in told
    assert "run-1: ended: error: run-1 is published as far as it came: elsewhere has not finished" in told
    message = shell("git log -1 --format=%B main", tiny_lab / "origin").stdout
    assert message.startswith("Incomplete results of run-1")
    broken.unlink()
    again = shell("python -m lab slurm submit run-1", lab, **hindered).stdout
    assert [line.split()[1] for line in again.splitlines()] == ["run-1:elsewhere", "run-1"]
    twice = shell("python -m lab slurm submit run-1", lab, check=False, **hindered).stderr
    assert "run-1 is in the queue already; `scancel " in twice
    wait_until(lambda: not shell("squeue --noheader", lab, **hindered).stdout)
    assert "run-1: ended: run-1 is published" in shell("python -m lab slurm status run-1", lab, **cluster).stdout
    shell("dvc repro", lab)
    assert shell("git show main:dvc.lock", tiny_lab / "origin").stdout == (lab / "dvc.lock").read_text()


@pytest.mark.integration
@pytest.mark.nightly
def test_nothing_stays_of_what_was_refused_or_cancelled(
    tiny_lab: Path, cluster: dict[str, str], tmp_path: Path, shell: Shell
) -> None:
    lab, begun = tiny_lab / "alone", tmp_path / "begun"
    untagged = shell("python -m lab slurm submit run-2", lab, check=False, **cluster).stderr
    assert untagged == "error: run-2 is not a tag of the commit checked out: `git tag run-2`\n"
    shell("git tag older && git commit --quiet --allow-empty --no-verify -m Newer", lab)
    older = shell("python -m lab slurm submit older", lab, check=False, **cluster).stderr
    assert older == "error: older is a tag of another commit: `git checkout older`, or choose a new tag\n"
    hanging = cluster | {"HINDRANCE": f"touch {begun}; sleep 300"}
    shell("git tag run-2 && python -m lab slurm submit run-2", lab, **hanging)
    wait_until(begun.exists)
    status = shell("python -m lab slurm status run-2", lab, **cluster).stdout
    number = re.search(r"run-2:elsewhere: RUNNING, (\d+)", status)
    assert number, status
    shell(f"scancel {number[1]}", lab, **cluster)
    wait_until(lambda: not shell("squeue --noheader", lab, **cluster).stdout)
    assert list(lab.glob(".lab/tmp/tasks/*")) == []
    pipeline = read_yaml(lab / "dvc.yaml")
    pipeline["stages"]["elsewhere"]["meta"] = {"resources": {"gpu": 1}}
    write_yaml(lab / "dvc.yaml", pipeline)
    shell("git commit --quiet --all --no-verify -m gpu && git tag run-3", lab)
    refused = shell("python -m lab slurm submit run-3", lab, check=False, **cluster)
    assert refused.stderr.startswith("error: sbatch failed: ")
    wait_until(lambda: not shell("squeue --noheader", lab, **cluster).stdout)
    assert list(lab.glob(".lab/tmp/tasks/*")) == []
