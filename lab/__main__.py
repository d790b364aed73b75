"""The lab's command line: `python -m lab --help`."""

from labkit.cli import main

if __name__ == "__main__":
    main()
