"""A test that is not marked for what it is stops the collection."""

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.unittest

TEST = """
import pytest

@pytest.fixture
def shell():
    pass

@pytest.fixture
def lab(shell):
    pass

{marks}
def test_one({fixture}):
    pass
"""


def outcome(pytester: pytest.Pytester, marks: str, fixture: str = "", *arguments: str) -> tuple[int, str]:
    pytester.makeini("[pytest]\nmarkers =\n    unittest\n    integration\n    nightly\n")
    pytester.makepyfile(TEST.format(marks=marks, fixture=fixture))
    done = pytester.runpytest_inprocess("-p", "no:hypothesispytest", "-p", "labkit.testing.marks", *arguments)
    return int(done.ret), str(done.stderr)


@pytest.mark.parametrize("kind", ["unittest", "integration"])
def test_one_mark_is_right(pytester: pytest.Pytester, kind: str) -> None:
    assert outcome(pytester, f"@pytest.mark.{kind}")[0] == pytest.ExitCode.OK


@pytest.mark.parametrize("marks", ["", "@pytest.mark.unittest\n@pytest.mark.integration"])
@pytest.mark.parametrize("arguments", [(), ("-m", "unittest")])
def test_none_and_both_are_refused_also_where_some_are_left_out(
    pytester: pytest.Pytester, marks: str, arguments: tuple[str, ...]
) -> None:
    code, said = outcome(pytester, marks, "", *arguments)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "::test_one: give it exactly one of the marks unittest and integration" in said


def test_what_runs_commands_is_no_unit_test(pytester: pytest.Pytester) -> None:
    code, said = outcome(pytester, "@pytest.mark.unittest", "lab")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "::test_one: it runs commands (the fixture `shell`), so mark it integration" in said
    assert outcome(pytester, "@pytest.mark.integration", "lab")[0] == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "code"), [((), pytest.ExitCode.NO_TESTS_COLLECTED), (("--nightly",), pytest.ExitCode.OK)]
)
def test_what_is_for_the_night_runs_when_asked_for(
    pytester: pytest.Pytester, arguments: tuple[str, ...], code: int
) -> None:
    assert outcome(pytester, "@pytest.mark.integration\n@pytest.mark.nightly", "", *arguments)[0] == code
