"""The runner of a sandbox: starts a run for each tag that is pushed, one at a time, in their order.

    python -m runtimes.sandbox.runner .lab/sandbox

`make sandbox` starts it.
"""

import sys
import time
from pathlib import Path

from labkit.process.errors import InputError
from runtimes.sandbox.pushes import Push, no_run, taken, waiting
from runtimes.sandbox.runs import execute, new_run, only_run, record
from runtimes.sandbox.services import WATCHING
from runtimes.sandbox.state import Sandbox, existing

POLL_SECONDS = 0.3


def take(sandbox: Sandbox, push: Push) -> None:
    """Take one push, and run its tag if that is what its workflow wants."""
    if reason := no_run(sandbox, push):
        print(f"{push.ref}: nothing to run: {reason}")
        taken(sandbox)
        return
    with only_run(sandbox):
        run = new_run(sandbox, push)
        record(sandbox, run)
        taken(sandbox)  # now that it is recorded: a runner that starts again must not repeat it
        print(f"{push.tag}: run {run.number}")
        print(f"{push.tag}: exit code {execute(sandbox, run)}")


def main() -> None:
    """Run what is pushed, for as long as this process lives."""
    sandbox = existing(Path(sys.argv[1]))
    print(WATCHING)
    while True:
        try:
            if pushes := waiting(sandbox):
                take(sandbox, pushes[0])
                continue
        except (InputError, RuntimeError, OSError) as error:  # such as a full disk: it is tried again
            print(f"error: {error}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
