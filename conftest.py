"""What every test can use, labkit/testing/fixtures.py and tiny.py, and what every test must say, marks.py."""

import os

# As kernels.yaml has it for the processes: several workers with several threads each wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["labkit.testing.fixtures", "labkit.testing.marks", "labkit.testing.tiny"]
