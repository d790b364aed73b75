"""The page of a run on GitHub, which other steps of the job write to as well."""

from pathlib import Path

import pytest

from labkit.github import append_summary

pytestmark = pytest.mark.unittest


def test_a_summary_goes_after_what_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert append_summary("é")
    assert page.read_text(encoding="utf-8") == "before\né"


def test_a_laptop_has_no_such_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert not append_summary("text")
