"""The protobuf of a model: a message with a field for each input column, one with a field for each output column.

The file descriptor is the one description. The text of the .proto and the Python module are made from it, so no
compiler is needed. https://protobuf.dev/programming-guides/proto3/
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

FILE = "public_input.proto"
MODULE = "public_input_pb2.py"
RPC = "Predict"
RESERVED = range(19_000, 20_000)  # field numbers that protobuf keeps for itself
TYPES = {FieldDescriptorProto.TYPE_DOUBLE: "double", FieldDescriptorProto.TYPE_STRING: "string"}

TEXT = """\
// Made by `python -m lab krt` from the model. A field that is left out is a missing value.
syntax = "proto3";

message Request {{
  repeated Row rows = 1;
}}

message Row {{
{row}
}}

message Response {{
  repeated Prediction predictions = 1;  // one for each row, in their order
}}

message Prediction {{
{prediction}
}}

service Entrypoint {{
  rpc {rpc} (Request) returns (Response);
}}
"""

# As protoc 3.20 writes it, which is what the engine's own runner has; newer versions of protobuf load it as well.
PYTHON = '''\
"""The messages of {file}. Made by `python -m lab krt`; not to be edited."""

from google.protobuf import descriptor_pool
from google.protobuf.internal import builder

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({content!r})
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, {name!r}, globals())
'''


class Field(NamedTuple):
    """A column, and whether it holds numbers; other columns hold text."""

    column: str
    number: bool


def describe(inputs: Sequence[Field], outputs: Sequence[Field]) -> FileDescriptorProto:
    """The descriptor of public_input.proto. The fields of a row are numbered in the order of the columns."""
    file = FileDescriptorProto(name=FILE, syntax="proto3")
    _list(file.message_type.add(name="Request"), "rows", "Row")
    _columns(file.message_type.add(name="Row"), inputs)
    _list(file.message_type.add(name="Response"), "predictions", "Prediction")
    _columns(file.message_type.add(name="Prediction"), outputs)
    service = file.service.add(name="Entrypoint")
    service.method.add(name=RPC, input_type=".Request", output_type=".Response")
    return file


def proto_text(file: FileDescriptorProto, inputs: Sequence[Field], outputs: Sequence[Field]) -> str:
    """The text of public_input.proto; each field has its column's name as a comment."""
    messages = {message.name: message for message in file.message_type}
    return TEXT.format(row=_lines(messages["Row"], inputs), prediction=_lines(messages["Prediction"], outputs), rpc=RPC)


def python_module(file: FileDescriptorProto) -> str:
    """The source of public_input_pb2.py."""
    content = file.SerializeToString(deterministic=True)
    return PYTHON.format(file=FILE, content=content, name=MODULE.removesuffix(".py"))


def field_names(columns: Iterable[str]) -> list[str]:
    """A name for each column that every protobuf compiler takes: `mean radius` is mean_radius.

    Two names differ by more than case and underscores, which protoc asks for.
    """
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        plain = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")
        name, count = plain, 1
        while name.replace("_", "") in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name.replace("_", ""))
        names.append(name)
    return names


def _list(message: DescriptorProto, name: str, of: str) -> None:
    message.field.add(
        name=name,
        number=1,
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{of}",
        json_name=name,
    )


def _columns(message: DescriptorProto, fields: Sequence[Field]) -> None:
    for index, (field, name) in enumerate(zip(fields, field_names(field.column for field in fields), strict=True)):
        number = index + 1
        message.field.add(
            name=name,
            number=number if number < RESERVED.start else number + len(RESERVED),
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_DOUBLE if field.number else FieldDescriptorProto.TYPE_STRING,
            json_name=_json_name(name),
            proto3_optional=True,
            oneof_index=index,
        )
        message.oneof_decl.add(name=f"_{name}")


def _json_name(name: str) -> str:
    """What protoc gives a field without a `json_name`: camel case."""
    return re.sub(r"_+(.?)", lambda found: found[1].upper(), name)


def _lines(message: DescriptorProto, fields: Sequence[Field]) -> str:
    return "\n".join(
        f"  optional {TYPES[described.type]} {described.name} = {described.number};  // {_comment(field.column)}"
        for described, field in zip(message.field, fields, strict=True)
    )


def _comment(column: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in column)
