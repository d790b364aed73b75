"""How far a file made again is from the recorded one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.proof.differences import ABSOLUTE, RELATIVE, Difference, file_difference, folder_differences

pytestmark = pytest.mark.unittest

NAN, INF = float("nan"), float("inf")


def near(number: float | None) -> Any:
    return None if number is None else pytest.approx(number, rel=0.01)


def compare(folder: Path, recorded: Any, made: Any, name: str = "file.json", relative: float = RELATIVE) -> Any:
    """The difference of two contents: text, bytes, an array, or what is written as JSON."""
    for place, content in (("recorded", recorded), ("made", made)):
        (folder / place).mkdir(exist_ok=True)
        path = folder / place / name
        if isinstance(content, np.ndarray):
            np.save(path, content)
        elif isinstance(content, bytes | str):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            path.write_text(json.dumps(content))
    return file_difference(name, folder / "recorded" / name, folder / "made" / name, relative)


@pytest.mark.parametrize(
    ("recorded", "made", "how", "largest", "tolerances"),
    [
        ({"a": 1.0}, {"a": 1.0}, None, None, None),
        ({"a": 1.0}, {"a": 1.5}, "1 of 1 numbers differ, most in a", 0.5, 0.5 / (ABSOLUTE + RELATIVE)),
        ({"a": 1.0}, {"a": 1}, "the same numbers, written in other bytes", 0.0, 0.0),
        ({"a": {"b": [1.0, 2.0]}}, {"a": {"b": [1.0, 2.0 + 1e-5]}}, "1 of 2 numbers differ, most in a.b.1", 1e-5, 0.5),
        ({"a": 0.0}, {"a": 1e-8}, "1 of 1 numbers differ, most in a", 1e-8, 1.0),
        ({"a": 1.0, "b": 100.0}, {"a": 1.1, "b": 100.5}, "2 of 2 numbers differ, most in a", 0.5, 1e4),
        ({"a": 1.0}, {"b": 1.0}, "only one of the two has a, b", None, None),
        ({"a": [1]}, {"a": [1, 2]}, "only one of the two has a.1", None, None),
        ({"a": "x"}, {"a": "y"}, "other text in a", None, None),
        ({"a": True}, {"a": False}, "other text in a", None, None),
        ({"a": 1}, {"a": True}, "other text in a", None, None),
        ({"a": None}, {"a": 0}, "other text in a", None, None),
        ({"a": NAN, "b": 1.0}, {"a": NAN, "b": 1}, "the same numbers, written in other bytes", 0.0, 0.0),
        ({"a": NAN}, {"a": 1.0}, "a number is infinite or missing in one of the two", None, None),
        ({"a": INF}, {"a": -INF}, "a number is infinite or missing in one of the two", None, None),
        ([1.0], [2.0], "1 of 1 numbers differ, most in 0", 1.0, 1e5),
        ("3", "4", "1 of 1 numbers differ", 1.0, 1 / (3 * RELATIVE)),
        ("{", "{}", "from byte 1 on; 1 bytes recorded, 2 made", None, None),
        ("[" * 100_000, "{}", "from byte 0 on", None, None),
        ({"a": 10**400}, {"a": 1}, "from byte", None, None),
    ],
)
def test_json(
    tmp_path: Path, recorded: Any, made: Any, how: str | None, largest: float | None, tolerances: float | None
) -> None:
    found = compare(tmp_path, recorded, made)
    if how is None:
        assert found is None
        return
    assert how in found.how
    assert found.largest == near(largest)
    assert found.tolerances == near(tolerances)
    assert found.within == (tolerances is not None and tolerances <= 1.001)


@pytest.mark.parametrize(
    ("recorded", "made", "how", "tolerances"),
    [
        ("n,loss\n1,0.5\n2,0.25\n", "n,loss\n1,0.5\n2,0.250001\n", "1 of 4 numbers differ, most in loss", 0.4),
        ("n,loss\n1,0.5\n", "n,loss\n1,0.5\n2,0.25\n", "n has the shape (1,) recorded, (2,) made", None),
        ("n,loss\n1,0.5\n", "n,accuracy\n1,0.5\n", "only one of the two has accuracy, loss", None),
        ("model,loss\na,1\n", "model,loss\nb,1\n", "other text in model", None),
        ("model,loss\na,1\n", "model,loss\na,\n", "a number is infinite or missing", None),
        ("n\n1\n", "n\n1.0\n", "the same numbers, written in other bytes", 0.0),
        ("n\n1\n", "", "from byte 0 on", None),
        (b"n\n\xff\n", b"n\n\xfe\n", "from byte 2 on", None),
        ("n\n", "n \n", "only one of the two has n, n ", None),
    ],
)
def test_csv(tmp_path: Path, recorded: Any, made: Any, how: str, tolerances: float | None) -> None:
    found = compare(tmp_path, recorded, made, "file.csv")
    assert how in found.how
    assert found.tolerances == near(tolerances)


@pytest.mark.parametrize(
    ("recorded", "made", "how", "tolerances"),
    [
        (np.ones((2, 3)), np.ones((2, 3)) * 1.00001, "6 of 6 numbers differ", 1.0),
        (np.ones((2, 3)), np.ones((3, 2)), "the array has the shape (2, 3) recorded, (3, 2) made", None),
        (np.ones(2), np.ones(2, dtype="float32"), "the same numbers, written in other bytes", 0.0),
        (np.array([1 + 1j]), np.array([1 - 1j]), "1 of 1 numbers differ", 2 / (2**0.5 * RELATIVE)),
        (np.array(["a"]), np.array(["b"]), "other text", None),
        (np.zeros((0, 3)), np.zeros((0, 3), dtype="int8"), "the same numbers", 0.0),
        (np.array([2**63], dtype="uint64"), np.array([2**63 + 1], dtype="uint64"), "1 of 1 numbers differ", 0.0),
        (np.ones(2), b"\x93NUMPY broken", "from byte 6 on", None),
    ],
)
def test_npy(tmp_path: Path, recorded: Any, made: Any, how: str, tolerances: float | None) -> None:
    found = compare(tmp_path, recorded, made, "file.npy")
    assert how in found.how
    assert found.tolerances == near(tolerances)


def test_a_pickle_in_an_array_is_not_loaded(tmp_path: Path) -> None:
    class Loaded:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "loaded",))

    np.save(tmp_path / "pickled.npy", np.array([Loaded()], dtype=object), allow_pickle=True)
    pickled = (tmp_path / "pickled.npy").read_bytes()
    assert "from byte" in compare(tmp_path, pickled, pickled[:-1] + b"!", "file.npy").how
    assert not (tmp_path / "loaded").exists()


def test_what_holds_no_numbers_differs_in_bytes(tmp_path: Path) -> None:
    assert compare(tmp_path, b"a" * 3_000_000, b"a" * 2_999_999 + b"b", "model.pt") == Difference(
        file="model.pt", how="from byte 2999999 on; 3000000 bytes recorded, 3000000 made"
    )


def test_a_tolerance_decides_what_is_within(tmp_path: Path) -> None:
    assert not compare(tmp_path, {"a": 1.0}, {"a": 1.05}).within
    assert compare(tmp_path, {"a": 1.0}, {"a": 1.05}, relative=0.1).within


def test_a_folder_differs_in_what_is_changed_missing_and_new(tmp_path: Path) -> None:
    for place, names in (("recorded", "abc"), ("made", "bcd")):
        (tmp_path / place / "in").mkdir(parents=True)
        for name in names:
            (tmp_path / place / "in" / f"{name}.json").write_text(json.dumps({"n": place == "made" and name == "c"}))
    found = [*folder_differences("out", tmp_path / "recorded", tmp_path / "made")]
    assert [(one.file, one.how) for one in found] == [
        ("out/in/a.json", "it was not made"),
        ("out/in/c.json", "other text in n"),
        ("out/in/d.json", "it was made, and is not recorded"),
    ]


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "a").touch()
    (tmp_path / "made").touch()
    assert [one.how for one in folder_differences("out", tmp_path / "recorded", tmp_path / "made")] == [
        "it was not made"
    ]


@settings(deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=5), st.lists(st.floats(), min_size=1, max_size=5))
def test_any_two_lists_of_numbers_compare(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[float], made: list[float]
) -> None:
    found = compare(tmp_path_factory.mktemp("any"), recorded, made)
    same = repr(recorded) == repr(made)
    assert (found is None) == same
    if found is not None and len(recorded) == len(made) and found.tolerances is not None:
        close = np.allclose(made, recorded, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
        assert found.within == close or found.tolerances == pytest.approx(1)
