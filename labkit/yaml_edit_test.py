"""One place of a YAML file changes, and every other line stays as it is."""

import re

import pytest
import yaml

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.yaml_edit import with_entry, with_item, with_value, without

pytestmark = pytest.mark.unittest

STAGE = "  new:\n    cmd: echo new\n"
TEXT = """\
# of the first
first:
  a: 1

second:  # why
  b:
    - 1

  # of c
  c: |
    # no comment

  # the end of c

# of the last
last:
  d: 1
"""


@pytest.mark.parametrize(
    ("path", "block"),
    [
        (["first"], "first:\n  a: 1\n"),
        (["second"], TEXT[TEXT.index("\nsecond") : TEXT.index("\n# of the last")]),
        (["second", "b"], "  b:\n    - 1\n"),
        (["last"], "last:\n  d: 1\n"),
    ],
)
def test_an_entry_is_taken_out_and_every_other_line_stays(path: list[str], block: str) -> None:
    assert block in TEXT
    assert without(TEXT, *path) == TEXT.replace(block, "")


def test_the_items_of_a_list_are_taken_out_and_what_is_said_of_all_of_them_stays() -> None:
    assert without("# of all\n\n- {a: 1}\n\n# of b\n- b: 2\n  c: 3\n", 0) == "# of all\n\n# of b\n- b: 2\n  c: 3\n"
    assert without("# of all\n\n- a: 1\n", 0) == "# of all\n"


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        ("a", "    - a\n    - b  # why\n\n    # of d\n    - d\n"),
        ("c", "    - b  # why\n\n    # of d\n    - c\n    - d\n"),
        ("e", "    - b  # why\n\n    # of d\n    - d\n    - e\n"),
    ],
)
def test_an_item_takes_its_place_in_the_order_of_a_list(item: str, lines: str) -> None:
    text = "a:\n  b:\n{}\n# of c\nc: 1\n"
    assert with_item(text.format("    - b  # why\n\n    # of d\n    - d\n"), item, "a", "b") == text.format(lines)


@pytest.mark.parametrize("text", ["a: [b]\n", "a: []\n", "a: b\n"])
def test_an_item_in_no_list_of_lines_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a: write its items on lines of their own"):
        with_item(text, "c", "a")


@pytest.mark.parametrize("text", ["a:\n  b:\n    c: 1\nd: 1\n", "a: {b: 1}\nd: 1\n"])
def test_a_mapping_without_entries_is_one_still(text: str) -> None:
    """DVC refuses `stages:` with nothing below it."""
    assert without(text, "a", "b") == "a: {}\nd: 1\n"


def test_an_entry_that_shares_its_line_is_not_taken_out() -> None:
    with pytest.raises(InputError, match=r"^b\.c: write it on lines of its own"):
        without("a: 1\nb: {c: 1, d: 2}\n", "b", "c")


@pytest.mark.parametrize(
    "dvc_yaml",
    [
        "",
        "stages:\n",
        "stages: {}\n",
        "plots:\n- a.csv\n",
        "stages:\n  a:\n    cmd: echo a # why\n",
        "# a comment\nstages:\n  a:\n    cmd: echo a\n\n# of the plots\nplots:\n  - a.csv\n",
        "plots:\n- a.csv\nstages:\n  a:\n    cmd: |\n      echo a\n\n      echo b\n    deps:\n    - a\n  # the end\n",
        (ROOT / "dvc.yaml").read_text(encoding="utf-8"),
    ],
)
def test_an_entry_is_added_last_and_every_other_line_stays(dvc_yaml: str) -> None:
    added = with_entry(dvc_yaml, STAGE, "stages")
    before = yaml.safe_load(dvc_yaml) or {}
    assert yaml.safe_load(added) == {**before, "stages": {**(before.get("stages") or {}), "new": {"cmd": "echo new"}}}
    kept = [line for line in added.splitlines() if line and line != "stages:" and f"{line}\n" not in STAGE]
    assert kept == [line for line in dvc_yaml.splitlines() if line and not line.startswith("stages:")]
    assert added.index(STAGE) < added.find("# of the plots") % len(added)


def test_an_entry_has_no_place_in_braces() -> None:
    with pytest.raises(InputError, match=r"^stages: write its entries on lines of their own"):
        with_entry("stages: {a: {cmd: echo a}}\n", STAGE, "stages")


@pytest.mark.parametrize("old", ["old", "'old'", '"old"'])
@pytest.mark.parametrize(
    "value", ["new", "3", "yes", "null", "a: b # c", "Weiß", 'the "best"', "\\n", "- a", 3, 1e-05, True, None]
)
def test_a_value_is_read_back_and_every_other_byte_is_kept(old: str, value: str | float | None) -> None:
    text = f"# of a\na:\n  b:   {old}   # why\n\nc: {{b: old}}\n"
    changed = with_value(text, value, "a", "b")
    assert yaml.safe_load(changed) == {"a": {"b": value}, "c": {"b": "old"}}
    assert re.fullmatch(rf"{re.escape(text).replace(re.escape(old), '.*', 1)}", changed)


@pytest.mark.parametrize("text", ["a: 1\n", "a:\n", "b: 1\n", "a: {c: 1}\n"])
def test_a_value_that_is_missing_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"^a\.b is missing; add it"):
        with_value(text, "new", "a", "b")


def test_a_value_that_stands_elsewhere_too_is_not_replaced() -> None:
    with pytest.raises(InputError, match=r"^a\.b can't be replaced as it stands"):
        with_value("a: {b: &name old}\nc: *name\n", "new", "a", "b")
