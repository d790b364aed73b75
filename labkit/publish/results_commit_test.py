"""The results commit holds what the run wrote for Git and nothing else, and leaves the working folder alone."""

from pathlib import Path

import pytest

from labkit.git_cli import git, read_blob
from labkit.pipeline.records import Records
from labkit.pipeline.tables import tables_in
from labkit.process.errors import InputError
from labkit.publish.conftest import Place
from labkit.publish.results_commit import commit_results, merge_results, refuse_uncommitted

pytestmark = pytest.mark.integration

NEW: Records = {"a": {"md5": "a1"}, "b": {"md5": "b0"}}


def commit() -> str:
    """Commit what the run left."""
    results = commit_results(git("rev-parse", "HEAD"), "Results")
    assert results is not None
    return results


def test_only_dvc_lock_and_the_ignored_outputs_are_committed(place: Place) -> None:
    place.tagged()
    place.ran(NEW)
    Path("notes.txt").write_text("left by a process")
    Path("out").mkdir()
    Path("out/.gitignore").write_text("/model.txt\n")
    status = git("status", "--porcelain")
    results = commit()
    assert git("diff", "--name-only", "HEAD", results).split() == ["dvc.lock", "out/.gitignore"]
    assert git("status", "--porcelain") == status  # neither the folder nor its index was touched


def test_a_first_dvc_lock_is_committed(place: Place) -> None:
    place.on_laptop("git rm --quiet dvc.lock; git commit --quiet -m none")
    place.tagged()
    place.ran(NEW)
    assert git("diff", "--name-status", "HEAD", commit()) == "A\tdvc.lock"


def test_results_of_uncommitted_code_are_refused(place: Place) -> None:
    code = place.tagged()
    place.ran(NEW)
    refuse_uncommitted(code)
    Path("code.txt").write_text("changed")
    with pytest.raises(InputError, match=r"code\.txt: not as in"):
        refuse_uncommitted(code)


def test_ignored_outputs_of_both_sides_stay_ignored(place: Place) -> None:
    place.tagged()
    place.ran(NEW)
    Path(".gitignore").write_text("/mine\n")
    results = commit()
    place.on_laptop("echo /theirs > .gitignore; git add .; git commit --quiet -m theirs; git push --quiet origin main")
    git("fetch", "--quiet")
    merged = merge_results(git("rev-parse", "origin/main"), results)
    assert git("show", f"{merged}:.gitignore").split() == ["/theirs", "/mine"]


TABLES = {"lab/results/a.json": b"a1", "lab/results/b.json": b"\r\n"}


def tables_of(commit: str) -> dict[str, bytes]:
    return {path: read_blob(blob) for path, blob in tables_in(commit).items()}


def test_the_tables_of_a_run_take_the_place_of_those_before(place: Place) -> None:
    place.on_laptop("mkdir -p lab/results; echo 0 > lab/results/old.json; git add .; git commit --quiet -m tables")
    place.tagged()
    place.ran(NEW)
    results = commit_results(git("rev-parse", "HEAD"), "Results", TABLES)
    assert results is not None
    assert tables_of(results) == TABLES
    assert git("status", "--porcelain").split() == ["M", "dvc.lock"]


@pytest.mark.parametrize(("code", "of_a"), [("0", b"a1"), ("1", b"theirs\n")], ids=["same code", "newer code"])
def test_tables_of_both_sides_are_those_of_the_records_that_are_taken(place: Place, code: str, of_a: bytes) -> None:
    place.tagged()
    place.ran(NEW)
    results = commit_results(git("rev-parse", "HEAD"), "Results", TABLES)
    assert results is not None
    place.on_laptop("mkdir -p lab/results; echo theirs | tee lab/results/a.json > lab/results/c.json")
    place.on_laptop(f"echo {code} > code.txt; git add .; git commit --quiet -m theirs; git push --quiet origin main")
    git("fetch", "--quiet")
    merged = merge_results(git("rev-parse", "origin/main"), results)
    assert tables_of(merged) == {**TABLES, "lab/results/a.json": of_a, "lab/results/c.json": b"theirs\n"}
