"""What every test can use: lab/fixtures.py."""

pytest_plugins = ["lab.fixtures"]
