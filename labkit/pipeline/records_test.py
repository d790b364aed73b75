"""Records of dvc.lock are merged by stage, and written as DVC writes them."""

import pytest

from labkit.paths import ROOT
from labkit.pipeline.records import Records, changed_twice, merge_records, read_records, write_records
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

OLD, OURS, THEIRS = {"md5": "old"}, {"md5": "ours"}, {"md5": "theirs"}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ({"a": OLD}, {"a": OLD}, {"a": OLD}, {"a": OLD}),
        ({"a": OLD}, {"a": OURS}, {"a": OLD}, {"a": OURS}),
        ({"a": OLD}, {"a": OLD}, {"a": THEIRS}, {"a": THEIRS}),
        ({"a": OLD}, {"a": OURS}, {"a": THEIRS}, {"a": OURS}),
        ({}, {"a": OURS}, {"b": THEIRS}, {"a": OURS, "b": THEIRS}),
        ({"a": OLD, "b": OLD}, {"a": OURS, "b": OLD}, {"a": OLD, "b": THEIRS}, {"a": OURS, "b": THEIRS}),
        ({"a": OLD}, {}, {"a": OLD}, {}),
        ({"a": OLD}, {"a": OLD}, {}, {}),
        ({"a": OLD}, {}, {"a": THEIRS}, {"a": THEIRS}),  # nothing that ran is lost
        ({"a": OLD}, {"a": OURS}, {}, {"a": OURS}),
    ],
)
def test_a_record_is_the_one_of_the_side_that_changed_it(
    base: Records, ours: Records, theirs: Records, merged: Records
) -> None:
    assert merge_records(base, ours, theirs) == merged


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "twice"),
    [
        ({"a": OLD}, {"a": OURS}, {"a": THEIRS}, ["a"]),
        ({}, {"a": OURS}, {"a": THEIRS}, ["a"]),
        ({"a": OLD}, {"a": OURS}, {"a": OURS}, []),
        ({"a": OLD}, {"a": OURS}, {"a": OLD}, []),
        ({"a": OLD}, {"a": OLD}, {"a": THEIRS}, []),
        ({"a": OLD}, {"a": OURS}, {}, []),  # what ran is kept, whichever side it is on
    ],
)
def test_only_where_both_sides_ran_a_stage_does_it_matter_whose_they_are(
    base: Records, ours: Records, theirs: Records, twice: list[str]
) -> None:
    assert changed_twice(base, ours, theirs) == twice
    if not twice:
        assert merge_records(base, ours, theirs) == merge_records(base, theirs, ours)


def test_written_as_dvc_writes_them() -> None:
    text = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    assert write_records(read_records(text)) == text


def test_hashes_that_look_like_numbers_stay_words() -> None:
    records = {"a": {"md5": "12e" + "34" * 3}}
    assert read_records(write_records(records)) == records


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\na: 1\n", "- 1\n", "stages: 3\n", "a: [\n"])
def test_what_is_no_dvc_lock_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock can't be read"):
        read_records(text)


def test_an_empty_file_has_no_records() -> None:
    assert read_records("") == {}
