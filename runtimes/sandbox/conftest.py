"""Tells how many faults were tried: those that tests have recorded as their property `fault`."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults were tried, and how many of them in tests that passed."""
    passed, failed = (
        [name for report in terminalreporter.getreports(outcome) for name, _ in report.user_properties].count("fault")
        for outcome in ("passed", "failed")
    )
    if passed + failed:
        terminalreporter.write_line(f"faults: {passed + failed} tried, {passed} survived")
