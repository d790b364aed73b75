"""The files of a record, read by its lines where that is enough; and where an import took its data from."""

import json

import pytest

from labkit.lineage.added import origin_of
from labkit.lineage.nodes import Added, File, Made, Outs, files_in, parsed

pytestmark = pytest.mark.unittest

A, B = "a" * 32, f"{'b' * 32}.dir"
PLAIN = f"""    cmd: train
    deps:
    - path: data/x.npy
      hash: md5
      md5: {A}
      size: 3
    - path: lib
      hash: md5
      md5: {B}
      nfiles: 2
    params:
      params.yaml:
        deps:
        - path: nothing
          md5: {A}
    outs:
    - path: out
      md5: {A}
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PLAIN, [File("data/x.npy", A), File("lib", B)]),
        (PLAIN.replace("data/x.npy", "'data/x: y.npy'"), [File("data/x: y.npy", A), File("lib", B)]),
        (PLAIN.replace("data/x.npy", "data/a table"), [File("data/a table", A), File("lib", B)]),
        (
            PLAIN.replace(f"data/x.npy\n      hash: md5\n      md5: {A}", "s3://b/x.csv\n      etag: '\"e\"'"),
            [File("s3://b/x.csv", '"e"'), File("lib", B)],
        ),
        (PLAIN.replace("deps:\n    - path: data", "deps:\n    - {path: data}\n    - path: data"), None),
        (PLAIN.replace("    deps:\n", "    other:\n"), []),
        ("    deps: 7\n", []),
        ("", []),
    ],
)
def test_they_are_those_that_a_parser_finds(text: str, told: list[File] | None) -> None:
    assert files_in(text, "deps") == (files_in(PLAIN, "deps") if told is None else told)
    if told:
        assert [file.path for file in told] == [one["path"] for one in parsed(text)["deps"]]


@pytest.mark.parametrize(
    "value", ['cmd: "echo{}"', "cmd: 'it''s{}'", "cmd: x\n    params:\n      params.yaml:\n        it's: '{}'"]
)
def test_what_a_command_says_is_no_output(value: str) -> None:
    """YAML takes the lines of a quoted value with any indent, so that `verify` sees other outputs than the text has."""
    told = f"\n    outs:\n    - path: model\n      md5: {A}\n    "
    text = f"    {value.format(told)}\n    outs:\n    - path: score.json\n      md5: {A}\n"
    assert [one["path"] for one in parsed(text)["outs"]] == ["score.json"]
    assert files_in(text, "outs") == [File("score.json", A)]


def test_what_overlaps_a_path_lies_in_it_or_holds_it() -> None:
    texts = {
        name: f"    outs:\n    - path: {name}\n      md5: {A}\n" for name in ("out", "more/a", "more/b", "outer/a")
    }
    lock = {name: Made("stage", text) for name, text in texts.items()}
    outs = Outs(lock.values())
    assert outs.overlapping("out/x/y") == [(File("out", A), lock["out"])]
    assert [file.path for file, _ in outs.overlapping("more")] == ["more/a", "more/b"]
    assert outs.overlapping("oute") == []


def test_another_repository_is_named_without_its_password() -> None:
    repository = {"url": "https://me:S3CRET@host/lab", "rev_lock": "abc"}  # pragma: allowlist secret
    text = json.dumps({"deps": [{"path": "model", "repo": repository}], "outs": [{"path": "model", "md5": A}]})
    assert origin_of(Added("model.dvc", text)) == "model of https://host/lab at abc"
    assert origin_of(Added("raw.dvc", json.dumps({"outs": [{"path": "raw", "md5": A}]}))) == ""
