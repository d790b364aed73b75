"""A plot is drawn whatever its rows hold."""

import json

import pytest
import vl_convert

from labkit.report.drawings import drawable

pytestmark = pytest.mark.unittest


def test_a_name_with_any_sign_is_drawn() -> None:
    names = [
        *map(chr, [*range(32), 0x7F, 0x85, 0x200B, 0x2028, 0xFFFE, 0xFFFF, 0x1FFFE, 0x1F600]),
        "\\u001b",
        "<&>",
        "\\",
    ]
    rows = [{"name": name, "value": 1} for name in names]
    plot = {"data": {"values": rows}, "mark": "bar", "encoding": {"y": {"field": "name", "type": "nominal"}}}
    assert vl_convert.vegalite_to_svg(drawable(json.dumps(plot))).startswith("<svg")
