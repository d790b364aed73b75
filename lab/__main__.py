"""The lab's command line: `python -m lab --help`."""

import runtimes.cli  # noqa: F401  (its verbs)
from labkit.cli import main

if __name__ == "__main__":
    main()
