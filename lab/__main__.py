"""The lab's command line: `python -m lab --help`."""

from labkit.cli import main
from runtimes import cli  # noqa: F401  (its verbs)

if __name__ == "__main__":
    main()
