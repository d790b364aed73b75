"""All checks together: what is printed, what the exit code is, and that one ill check stops no other."""

import os
import time
from collections.abc import Callable
from multiprocessing import Event
from pathlib import Path

import pytest

from labkit.doctor.check import Check, ok, problem
from labkit.doctor.run import OF_A_PERSON, OF_EVERYONE, annotation, checks
from labkit.testing.fixtures import Shell

QUICK_IS_DONE = Event()


def slow() -> Check:
    QUICK_IS_DONE.wait()
    return ok("slow", "well")


def broken() -> Check:
    raise RuntimeError("the check itself is ill")


def hanging() -> Check:
    time.sleep(600)
    return ok("hanging", "well")


def quick() -> Check:
    os.environ["SET_BY_A_CHECK"] = "1"
    QUICK_IS_DONE.set()
    return ok("quick", "well")


@pytest.mark.unittest
def test_checks_come_in_their_order_and_one_that_breaks_or_hangs_is_named() -> None:
    named = {"slow": slow, "broken": broken, "hanging": hanging, "quick": quick}
    started = time.monotonic()
    found = [(check.subject, check.state, check.found) for check in checks(named, seconds=1)]
    assert found == [
        ("slow", "ok", "well"),
        ("broken", "problem", "RuntimeError: the check itself is ill"),
        ("hanging", "problem", "this check was not done within 1 s"),
        ("quick", "ok", "well"),
    ]
    assert time.monotonic() - started < 300  # not for as long as it hangs


@pytest.mark.unittest
def test_what_a_check_sets_ends_with_it() -> None:
    assert [check.state for check in checks({"quick": quick})] == ["ok"]
    assert "SET_BY_A_CHECK" not in os.environ


@pytest.mark.unittest
def test_github_gets_a_problem_on_one_line() -> None:
    text = annotation(problem("settings", "50% wrong\nand more", "fix it"))
    assert text == "::error title=settings::50%25 wrong%0Aand more%0Afix: fix it"


@pytest.mark.integration
def test_on_a_laptop_every_check_has_its_line(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    done = shell("python -m lab doctor", lab, check=False)
    lines = done.stdout.splitlines()
    for subject in OF_A_PERSON | OF_EVERYONE:
        assert [line for line in lines if line[8:].startswith(f"{subject}: ")], subject
    assert done.returncode == 1
    assert [line for line in lines if line.startswith("problem")] == [
        "problem git hooks: not installed: pre-commit, pre-push, post-checkout, the merge driver of dvc.lock"
    ]
    assert "        fix: `make -B setup`" in lines
    assert done.stderr == ""
    shell("pre-commit install && python -m labkit.publish.merge_driver --install", lab)
    assert shell("python -m lab doctor", lab).returncode == 0


@pytest.mark.integration
def test_on_a_runner_the_services_must_be_there_and_a_person_need_not(
    new_lab: Callable[[], Path], shell: Shell
) -> None:
    done = shell("python -m lab doctor", new_lab(), check=False, GITHUB_ACTIONS="true", MLFLOW_TRACKING_URI="")
    assert done.returncode == 1
    errors = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert [line.split("::")[1] for line in errors] == ["error title=DVC remote", "error title=MLflow"]
    assert "gh variable set MLFLOW_TRACKING_URI" in errors[1]
    assert "git hooks" not in done.stdout
