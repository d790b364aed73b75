"""The fixtures that other tests stand on."""

import time
from pathlib import Path

import pytest

from labkit.testing.fixtures import Shell


@pytest.mark.integration
def test_a_command_has_ended_when_it_has_though_it_left_a_process_behind(tmp_path: Path, shell: Shell) -> None:
    started = time.monotonic()
    done = shell("sleep 20 & echo said; echo told >&2", tmp_path)
    assert (done.stdout, done.stderr) == ("said\n", "told\n")
    assert time.monotonic() - started < 15
