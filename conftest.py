"""What every test can use, labkit/testing/fixtures.py, and what every test must say, labkit/testing/marks.py."""

pytest_plugins = ["labkit.testing.fixtures", "labkit.testing.marks"]
