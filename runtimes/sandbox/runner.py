"""The runner of a sandbox: starts a run for each tag that is pushed, one at a time, in their order.

    python -m runtimes.sandbox.runner .lab/sandbox

`make sandbox` starts it.
"""

import sys
import time
from pathlib import Path

from labkit.process.errors import InputError
from labkit.process.files import replacing
from runtimes.sandbox.runs import execute, new_run, only_run, record, starts_a_run
from runtimes.sandbox.services import WATCHING
from runtimes.sandbox.state import Sandbox, existing

POLL_SECONDS = 0.3
TAGS = "refs/tags/"


def handled_file(sandbox: Sandbox) -> Path:
    """Holds the number of pushes that the runner has taken."""
    return sandbox.origin / "pushes.handled"


def handled(sandbox: Sandbox) -> int:
    """The number of pushes that the runner has taken."""
    file = handled_file(sandbox)
    return int(file.read_text()) if file.exists() else 0


def waiting(sandbox: Sandbox) -> list[str]:
    """The pushes to the origin that the runner has not taken yet."""
    return (sandbox.origin / "pushes").read_text().splitlines()[handled(sandbox) :]


def taken(sandbox: Sandbox) -> None:
    """Count one more push as taken."""
    with replacing(handled_file(sandbox)) as beside:
        beside.write_text(str(handled(sandbox) + 1))


def take(sandbox: Sandbox, push: str) -> None:
    """Take one push, and run its tag if that is what its workflow wants."""
    _, commit, ref = push.split(" ", 2)
    tag = ref.removeprefix(TAGS)
    if not ref.startswith(TAGS) or not commit.strip("0") or not starts_a_run(sandbox, tag):
        print(f"{ref}: nothing to run")
        taken(sandbox)
        return
    with only_run(sandbox):
        run = new_run(sandbox, tag)
        record(sandbox, run)
        taken(sandbox)  # now that it is recorded: a runner that starts again must not repeat it
        print(f"{tag}: run {run.number}")
        print(f"{tag}: exit code {execute(sandbox, run)}")


def main() -> None:
    """Run what is pushed, for as long as this process lives."""
    sandbox = existing(Path(sys.argv[1]))
    print(WATCHING)
    while True:
        try:
            if pushes := waiting(sandbox):
                take(sandbox, pushes[0])
                continue
        except (InputError, RuntimeError, OSError) as error:  # such as a tag that is gone again
            print(f"error: {error}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
