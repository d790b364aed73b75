"""This lab's dvc.yaml names what its processes depend on, its params.yaml what they declare."""

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from labkit.paths import ROOT
from labkit.pipeline.dependencies import faults
from labkit.process.params import CommonParams, process_params, read_params, read_yaml, validate, whole_schema
from labkit.testing.fixtures import needs_example

pytestmark = pytest.mark.unittest


def test_dvc_yaml_and_the_pipfiles_name_what_the_code_depends_on() -> None:
    found = faults(ROOT)
    assert not found, "\n".join(["", *found])


def test_each_process_gets_the_sections_it_declares() -> None:
    for declared in process_params().values():
        assert read_params(declared, ROOT / "params.yaml").model_dump().keys() == declared.model_fields.keys()


def test_no_process_declares_a_section_that_another_declares_differently() -> None:
    assert whole_schema().model_fields.keys() >= CommonParams.model_fields.keys()


def without_reason(text: str) -> list[str]:
    """The keys of a YAML text's leaves that have no comment beside them."""
    lines = text.splitlines()

    def walk(node: yaml.Node | None, parent: str = "") -> list[str]:
        if not isinstance(node, yaml.MappingNode):
            return []
        return [bare for name, value in node.value for bare in of_key(name, value, f"{parent}{name.value}")]

    def of_key(name: yaml.Node, value: yaml.Node, key: str) -> list[str]:
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            return walk(value, f"{key}.")
        beside = value.end_mark if value.start_mark.line == name.start_mark.line else name.end_mark
        return [] if lines[beside.line][beside.column :].partition("#")[2].strip() else [key]

    return walk(yaml.compose(text))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a: 1  # why\n", []),
        ("a: 1\n", ["a"]),
        ("a: 1  #\n", ["a"]),
        ("a: '# no reason'\n", ["a"]),
        ("s:\n  a: [1, 2]  # why\n  b: {c: 1}\n", ["s.b"]),
        ("a:\n  - 1\n", ["a"]),
        ("a:  # why\n  - 1\n", []),
        ("s:  # this is the section's\n  a: 1\n", ["s.a"]),
    ],
)
def test_a_leaf_without_its_reason_is_found(text: str, bare: list[str]) -> None:
    assert without_reason(text) == bare


def test_every_parameter_of_the_example_has_its_reason_beside_it() -> None:
    example = ROOT / "labkit" / "testing" / "example" / "params.yaml"
    assert without_reason(example.read_text(encoding="utf-8")) == []


def test_what_dvc_exp_run_makes_of_it_is_read_the_same_and_keeps_the_reasons(tmp_path: Path) -> None:
    written = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    apply_overrides(written, ["project.name=another"])
    before, after = (validate(whole_schema(), read_yaml(path), path) for path in (ROOT / "params.yaml", written))
    assert after.model_dump() == before.model_dump() | {"project": {"name": "another"}}
    own = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert without_reason(written.read_text(encoding="utf-8")) == without_reason(own)


@needs_example
def test_a_family_is_left_out_by_the_null_of_dvc_exp_run(tmp_path: Path) -> None:
    written = Path(shutil.copy(ROOT / "labkit" / "testing" / "example" / "params.yaml", tmp_path))
    apply_overrides(written, ["classifiers.naive_bayes=null"])
    assert read_yaml(written)["classifiers"]["naive_bayes"] is None
    validate(whole_schema(), read_yaml(written), written)
