from time import sleep

import pytest

from labkit.process.progress import telling_it_lives

pytestmark = pytest.mark.unittest


def test_what_takes_long_is_told_while_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with telling_it_lives("fitting", every=0.05):
        sleep(0.3)
    said = capsys.readouterr().out.splitlines()
    assert len(said) >= 2
    assert set(said) == {"fitting for 0 s"}


def test_what_is_quick_is_not_told_and_an_error_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), telling_it_lives("fitting", every=0.05):
        print(1 / 0)
    sleep(0.2)
    assert capsys.readouterr().out == ""
