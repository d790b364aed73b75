"""A pytest plugin: each test is marked as one of `unittest` and `integration`, and a unit test starts no commands."""

import pytest

KINDS = {"unittest", "integration"}


@pytest.hookimpl(tryfirst=True)  # before -m leaves any out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raise UsageError for a test without exactly one of the marks, or for a unit test that asks for `shell`."""
    faults = []
    for item in items:
        kinds = KINDS & {mark.name for mark in item.iter_markers()}
        if len(kinds) != 1:
            faults.append(f"{item.nodeid}: give it exactly one of the marks unittest and integration")
        elif kinds == {"unittest"} and "shell" in getattr(item, "fixturenames", ()):
            faults.append(f"{item.nodeid}: it runs commands (the fixture `shell`), so mark it integration")
    if faults:
        raise pytest.UsageError("\n".join(faults))
