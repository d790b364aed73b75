"""What the sandbox tells other processes where every user of the machine can read it."""

from pathlib import Path

import pytest

from runtimes.sandbox import state
from runtimes.sandbox.origin import command, connection

pytestmark = pytest.mark.unittest


def test_the_secret_key_is_on_no_command_line_but_in_the_environment(tmp_path: Path) -> None:
    sandbox = state.new(tmp_path / "sandbox", 9010, 5010)
    assert sandbox.secret_key not in connection(sandbox)
    assert command(tmp_path, "printenv", "THE_KEY", THE_KEY=sandbox.secret_key) == sandbox.secret_key
