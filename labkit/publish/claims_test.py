"""A copy counts as a result only where dvc.lock has its hash at its own path."""

import pytest

from labkit.pipeline.records import write_records
from labkit.publish.claims import _has

pytestmark = pytest.mark.unittest

ONE, OTHER = "1" * 32, "2" * 32
OUTS = [
    {"path": "out/metrics.json", "hash": "md5", "md5": ONE, "size": 3},
    {"path": "out/a: b.json", "hash": "md5", "md5": OTHER, "size": 3},
]
LOCK = write_records({"train": {"cmd": "train", "outs": OUTS}}).encode()


@pytest.mark.parametrize(
    ("path", "md5", "is_there"),
    [
        ("out/metrics.json", ONE, True),
        ("out/a: b.json", OTHER, True),
        ("out/metrics.json", OTHER, False),
        ("out/a: b.json", ONE, False),
        ("out/metrics_json", ONE, False),
        ("out/metrics.json", "3" * 32, False),
    ],
)
def test_a_hash_counts_at_its_own_path(path: str, md5: str, is_there: bool) -> None:
    assert _has(LOCK, path, md5) is is_there


def test_a_lock_that_can_not_be_read_records_nothing() -> None:
    assert not _has(b"<<<<<<< HEAD\n" + ONE.encode(), "out/metrics.json", ONE)
