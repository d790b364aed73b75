"""The figures of this lab's reports, of its README and of its other Markdown are what their sources say."""

import pytest

from labkit.figures.check import COMMAND, all_faults
from labkit.paths import ROOT

pytestmark = pytest.mark.integration


def test_every_bound_figure_is_what_its_source_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wrong = [str(fault) for fault in all_faults()[0] if fault.is_sure]
    assert not wrong, "\n".join(["", *wrong, f"`{COMMAND}` writes what the sources say"])
