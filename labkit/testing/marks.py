"""A pytest plugin: what each test must say of itself, and which are left for the night.

Each is marked as one of `unittest` and `integration`, and a unit test runs no commands. Those marked `nightly` too
run with `--nightly` alone.
"""

import signal

import pytest

KINDS = {"unittest", "integration"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --nightly."""
    parser.addoption("--nightly", action="store_true", help="also run the tests marked `nightly`, which take minutes")


def pytest_configure() -> None:
    """Hear Ctrl-C: a shell has its background jobs ignore it, and what the tests start would ignore it too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before -m leaves any out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly tests out, unless they are asked for.

    Raises UsageError for a test without exactly one of the marks, and for a unit test that asks for `shell`.
    """
    faults = []
    for item in items:
        kinds = KINDS & {mark.name for mark in item.iter_markers()}
        if len(kinds) != 1:
            faults.append(f"{item.nodeid}: give it exactly one of the marks unittest and integration")
        elif kinds == {"unittest"} and "shell" in getattr(item, "fixturenames", ()):
            faults.append(f"{item.nodeid}: it runs commands (the fixture `shell`), so mark it integration")
    if faults:
        raise pytest.UsageError("\n".join(faults))
    if not config.getoption("--nightly"):
        left_out = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
