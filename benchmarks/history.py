"""How the verbs that read all of Git's history grow with it: `python -m benchmarks.history [EXPERIMENTS ...]`.

Each experiment is two commits on this lab: one of a parameter, one of the four results that a runner would commit,
whose metrics are those of today. The seconds are the processor's; the power is that of their growth at the last step.
"""

import json
import math
import re
import resource
import subprocess
import sys
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from benchmarks.run import command, copy_of_the_lab
from labkit.dvc_adapter.lock_text import parse_lock
from labkit.paths import TABLES

COUNTS = (25, 250, 2_500)
MOST_PAGES = 25  # the site takes a second for each
LAB = f"{sys.executable} -m lab"
CLAIMS = "import json; from labkit.publish.claims import claims_of; print(json.dumps(next(claims_of(['HEAD']))))"
LEARNING_RATE = re.compile(r"\blr: [\d.e-]+")


def make_history(lab: Path, experiments: int) -> None:
    """Add so many experiments to a copy of this lab, as one stream, since a process for each commit takes minutes."""
    told = subprocess.run([sys.executable, "-c", CLAIMS], cwd=lab, capture_output=True, text=True, check=True).stdout
    claims = "".join(f"{name}: {value}\n" for name, value in json.loads(told).items())
    lock, params = ((lab / name).read_text() for name in ("dvc.lock", "params.yaml"))
    hashes = changing_hashes(lab, lock)
    branch = subprocess.run(
        ["git", "symbolic-ref", "HEAD"], cwd=lab, capture_output=True, text=True, check=True
    ).stdout.strip()
    with subprocess.Popen(
        ["git", "fast-import", "--quiet"], cwd=lab, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as git:
        print(f"reset {branch}\nfrom {branch}^0\n", file=git.stdin)
        for number in range(1, experiments + 1):
            rate = f"lr: {number / 1e6:.6f}"
            code = add_commit(git, branch, f"Learn at {rate}\n", "params.yaml", LEARNING_RATE.sub(rate, params), number)
            results = hashes.sub(lambda found, n=number: md5(f"{found[0]} {n}".encode()).hexdigest(), lock)  # type: ignore[misc]
            message = f"Results of run-{number}\n\nCode-Commit: {code}\nTag: run-{number}\nRan: all (1 s)\n{claims}"
            add_commit(git, branch, message, "dvc.lock", LEARNING_RATE.sub(rate, results), number)
    command("git reset --quiet --hard", lab)()


def changing_hashes(lab: Path, lock: str) -> re.Pattern[str]:
    """The hashes that differ from one experiment to the next: of all outputs but those that Git has copies of."""
    copies = [file.relative_to(lab / TABLES) for file in (lab / TABLES).rglob("*") if file.is_file()]
    copied = {str(path) for copy in copies for path in (copy, *copy.parents)}
    outs: list[dict[str, Any]] = [out for stage in parse_lock(lock).values() for out in stage["outs"]]
    return re.compile("|".join(out["md5"][:32] for out in outs if out["path"] not in copied))


def add_commit(git: subprocess.Popen[str], branch: str, message: str, file: str, content: str, minute: int) -> str:
    """Commit one changed file to a branch, and tell the commit's name."""
    assert git.stdin is not None
    assert git.stdout is not None
    to: IO[str] = git.stdin
    to.write(f"commit {branch}\nmark :1\ncommitter b <b@b> {1_700_000_000 + 60 * minute} +0000\n")
    to.write(f"data {len(message.encode())}\n{message}\n")
    to.write(f"M 100644 inline {file}\ndata {len(content.encode())}\n{content}\nget-mark :1\n")
    to.flush()
    return git.stdout.readline().strip()


def seconds(line: str, lab: Path) -> float:
    """The processor's seconds of a command, and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command(line, lab)()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure each number of experiments and print one table."""
    counts = [int(word) for word in sys.argv[1:]] or [*COUNTS]
    verbs = {
        "lab log": "log",
        "lab lineage of a model": "lineage artifacts/best_model/model",
        "lab lineage of the raw data, all of it as JSON": "lineage data/raw --json",
        "lab site, the first time": "site",
        "lab site, nothing new": "site",
    }
    found: dict[str, list[float]] = {verb: [] for verb in verbs}
    for count in counts:
        with TemporaryDirectory() as name:
            lab = copy_of_the_lab(Path(name) / "lab")
            make_history(lab, count)
            for verb, words in verbs.items():
                if words != "site" or count <= MOST_PAGES:
                    found[verb].append(seconds(f"{LAB} {words}", lab))
    table = Table(
        "seconds of the processor", *(f"{2 * count:,} commits,\n{4 * count:,} results" for count in counts), "power"
    )
    for verb, times in found.items():
        step = counts[: len(times)][-2:]
        power = f"{math.log(times[-1] / times[-2]) / math.log(step[1] / step[0]):.2f}" if len(step) > 1 else ""
        cells = [f"{time:.1f}" for time in times] + [""] * (len(counts) - len(times))
        table.add_row(verb, *cells, power)
    Console().print(table)


if __name__ == "__main__":
    main()
