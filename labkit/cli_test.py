"""What each verb hands to the code behind it: nothing is written, forced or shown that nobody asked for."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from labkit.cli import app

pytestmark = pytest.mark.unittest

VERBS = [
    ("run", "labkit.run.run_pipeline", (None,)),
    ("sweep a=1,2", "labkit.sweep.run.sweep", (["a=1,2"], 20, 1, None, False)),
    ("sweep a=1,2 --apply", "labkit.sweep.run.sweep", (["a=1,2"], 20, 1, None, True)),
    ("report --check a.md", "labkit.figures.check.check_figures", ([Path("a.md")],)),
    ("report --update", "labkit.figures.check.update_figures", ([],)),
    ("doctor", "labkit.doctor.run.examine", ()),
    ("upgrade", "labkit.upgrade.run.upgrade", (None, None, None)),
    ("upgrade v2 --check", "labkit.upgrade.run.check", ("v2", None, None)),
    ("verify", "labkit.proof.verify.verify_revision", ("", None, Path(".lab/receipts"))),
    ("publish", "labkit.publish.view.publish", ("HEAD", False)),
    ("publish --all", "labkit.publish.view.publish", ("HEAD", True)),
    ("publish run-1 --rev main", "labkit.publish.view.publish", ("main", False)),
    ("repro --jobs 2", "labkit.pipeline.parallel.reproduce_here", (2,)),
]
SILENT = [
    ("publish run-1", "labkit.publish.results.publish_results", ("run-1",)),
    ("compare a", "labkit.compare.run.compare", ("a", "HEAD", False, None)),
    ("lineage a", "labkit.lineage.show.show_lineage", ("a", True, True, False, None)),
    ("lineage a --back", "labkit.lineage.show.show_lineage", ("a", True, False, False, None)),
    ("lineage a --forward", "labkit.lineage.show.show_lineage", ("a", False, True, False, None)),
    ("first-goals", "labkit.report.first_goals.write_first_goals", (False,)),
    ("register", "labkit.registry.verbs.register", ("HEAD", "")),
    ("promote v2 --reason best", "labkit.registry.verbs.promote", ("v2", "best", False)),
    ("promote v2 --reason best --force", "labkit.registry.verbs.promote", ("v2", "best", True)),
    ("rollback --reason worse", "labkit.registry.verbs.rollback", ("worse", "")),
    ("pull-request", "labkit.report.comment.show_changes", ("", None)),
]


@pytest.mark.parametrize(("line", "function", "given", "code"), [*((*v, 3) for v in VERBS), *((*v, 0) for v in SILENT)])
def test_a_verb_does_what_is_asked_and_ends_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, line: str, function: str, given: tuple[object, ...], code: int
) -> None:
    called: list[tuple[object, ...]] = []

    def stand_in(*arguments: Any) -> int:
        called.append(arguments)
        return 3

    monkeypatch.delenv("GITHUB_REF_NAME", raising=False)
    monkeypatch.setattr("labkit.registry.sync.show_in_mlflow", lambda version: None)
    monkeypatch.setattr(function, stand_in)
    assert CliRunner().invoke(app, line.split()).exit_code == code
    assert called == [given]
