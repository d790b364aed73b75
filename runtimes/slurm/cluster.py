"""The jobs of a tag on a SLURM cluster: submitted all or none, and found again after a logout.

The login node and the compute nodes share this folder, as they do on a cluster. What a user sets for `sbatch` holds:
SBATCH_PARTITION, SBATCH_ACCOUNT and so on.
"""

import os
import shlex
import subprocess
from typing import NamedTuple
from urllib.parse import unquote

from labkit.distribute.exchange import published
from labkit.git_cli import commit_or_none
from labkit.paths import ROOT
from labkit.pipeline.plan import plan_here
from labkit.process.errors import InputError
from runtimes.slurm.jobs import LOGS, Job, jobs_of, log_of, tag_of

SEPARATOR = "\x1f"


class Queued(NamedTuple):
    """A job in the queue: its number, and SLURM's word for its state, with the reason why it waits."""

    number: str
    state: str


def submit(tag: str) -> dict[str, str]:
    """Submit what the tag, which is checked out, has not published; return the jobs' numbers by name.

    Raises InputError where it can't be planned or is in the queue already, and RuntimeError where SLURM refuses a job:
    then none is left.
    """
    os.chdir(ROOT)
    if there := queue(tag):
        listed = " ".join(job.number for job in there.values())
        raise InputError(f"{tag} is in the queue already; `scancel {listed}` ends it")
    plan = plan_here()
    tagged = commit_or_none(f"refs/tags/{tag}")
    if tagged and tagged != plan.commit:
        raise InputError(f"{tag} is a tag of another commit: `git checkout {shlex.quote(tag)}`, or choose a new tag")
    if not tagged:
        raise InputError(f"{tag} is not a tag of the commit checked out: `git tag {shlex.quote(tag)}`")
    done = {f"{tag}:{stage}" for stage in published(tag, plan.commit)}
    LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
    numbers: dict[str, str] = {}
    try:
        for job in jobs_of(plan, tag):
            if job.name not in done:
                needs = [numbers[needed] for needed in job.needs if needed not in done]
                numbers[job.name] = _slurm(*sbatch(job, needs)).partition(";")[0]  # after it, a cluster's name
    except BaseException:
        if numbers:
            _slurm("scancel", *numbers.values())
        raise
    return numbers


def queue(tag: str) -> dict[str, Queued]:
    """The jobs of this lab's tag in the queue, by name. Raises InputError without SLURM, RuntimeError if it fails."""
    printed = _slurm("squeue", "--noheader", f"--format={SEPARATOR.join(['%i', '%T', '%r', '%Z', '%j'])}")
    jobs = [line.split(SEPARATOR) for line in printed.splitlines()]
    return {
        name: Queued(number, state if reason == "None" else f"{state} ({reason})")
        for number, state, reason, folder, name in jobs
        if tag_of(name) == tag and folder == str(ROOT)  # others call their tags run-1 too
    }


def last_lines(tag: str) -> dict[str, str]:
    """The last line that each job of a tag wrote, by the job's name, the newest last."""
    os.chdir(ROOT)
    logs = sorted(LOGS.glob("*.log"), key=lambda log: log.stat().st_mtime_ns)
    lines = {unquote(log.stem): log.read_text(encoding="utf-8", errors="replace").splitlines() for log in logs}
    return {name: words[-1] if words else "" for name, words in lines.items() if tag_of(name) == tag}


def sbatch(job: Job, needs: list[str]) -> list[str]:
    """The command that submits a job, to run once those with the numbers `needs` have ended as it wants."""
    kind = "afterany" if job.publishes else "afterok"
    after = [f"--dependency={kind}:{':'.join(needs)}", "--kill-on-invalid-dep=yes"] if needs else []
    log = str(log_of(job.name)).replace("%", "%%")
    place = [f"--chdir={ROOT}", f"--output={log}", "--open-mode=append"]
    return [
        *("sbatch", "--parsable", f"--job-name={job.name}", *place, *job.resources, *after),
        f"--wrap=exec {shlex.join(job.command)}",
    ]


def _slurm(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError(f"there is no {command[0]} here: run this on a cluster's login node") from None
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()
