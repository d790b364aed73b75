"""What every test can use: labkit/testing/fixtures.py."""

pytest_plugins = ["labkit.testing.fixtures"]
