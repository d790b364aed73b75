"""One holds it; another sees that. Who waits for it: environments_test.py and view_test.py, with processes."""

from pathlib import Path

import pytest

from labkit.file_lock import locked

pytestmark = pytest.mark.unittest


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as first, locked(tmp_path / "lock", wait=False) as second:
        assert (first, second) == (True, False)
    with locked(tmp_path / "lock", wait=False) as third, locked(tmp_path / "lock", wait=False) as fourth:
        assert (third, fourth) == (True, False)
