"""The protobuf: its text and its Python module say the same, to the field's own compiler and to old libraries."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st

from runtimes.krt.messages import FILE, MODULE, Field, describe, field_names, proto_text, python_module

ODD = ["mean radius", "mean_radius", "Mean-Radius", "meanradius", "2nd", "", "größe", "class", "温度", "a\nb", "rows"]


def compiled(text: str, folder: Path) -> FileDescriptorProto:
    """What protoc makes of a .proto. Fails the test with its words where it refuses."""
    (folder / FILE).write_text(text, encoding="utf-8")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", "--descriptor_set_out=set", FILE]
    done = subprocess.run(protoc, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return FileDescriptorSet.FromString((folder / "set").read_bytes()).file[0]


@pytest.mark.unittest
def test_protoc_reads_the_text_as_what_it_was_made_from(tmp_path: Path) -> None:
    inputs = [Field(name, number % 2 == 0) for number, name in enumerate(ODD)]
    outputs = [Field("label", False), Field("probability_a b", True)]
    file = describe(inputs, outputs)
    assert compiled(proto_text(file, inputs, outputs), tmp_path) == file


@pytest.mark.unittest
def test_no_field_has_a_number_that_protobuf_keeps(tmp_path: Path) -> None:
    inputs = [Field(f"gene {number}", True) for number in range(20_500)]
    file = describe(inputs, [Field("prediction", True)])
    numbers = [field.number for field in file.message_type[1].field]
    assert numbers == sorted({*numbers} - {*range(19_000, 20_000)})
    assert compiled(proto_text(file, inputs, [Field("prediction", True)]), tmp_path) == file


@pytest.mark.unittest
@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=8))
def test_every_column_gets_a_name_of_its_own(columns: list[str]) -> None:
    names = field_names(columns)
    assert len({name.replace("_", "") for name in names}) == len(columns)
    assert all(name.isascii() and name.isidentifier() and name == name.lower() for name in names)


USE = f"""
import sys
sys.path.insert(0, "{{folder}}")
from {MODULE.removesuffix(".py")} import Request, Row
sent = Request(rows=[Row(size=1.5)]).SerializeToString()
row = Request.FromString(sent).rows[0]
print(row.size, row.HasField("size"), row.HasField("colour"))
"""


@pytest.mark.integration
@pytest.mark.parametrize("version", ["3.20.3", "4.25.8", "5.29.5", "6.33.0"])
def test_every_protobuf_since_the_engine_s_loads_the_module(version: str, tmp_path: Path) -> None:
    file = describe([Field("size", True), Field("colour", False)], [Field("prediction", True)])
    (tmp_path / MODULE).write_text(python_module(file), encoding="utf-8")
    uv = [sys.executable, "-m", "uv", "run", "--no-project", "--python", sys.executable]
    command = [*uv, "--with", f"protobuf=={version}", "python", "-c", USE.format(folder=tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["1.5", "True", "False"], done.stderr
