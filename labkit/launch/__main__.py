"""Run a process: `python -m labkit.launch NAME`, what every stage of dvc.yaml calls."""

from labkit.launch.launcher import main

if __name__ == "__main__":
    main()
