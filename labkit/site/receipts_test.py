"""What the page of an experiment says of its receipt."""

import pytest

from labkit.proof.check import Finding
from labkit.proof.receipt import write_statement
from labkit.proof.receipt_test import COMMIT, SAME, statement
from labkit.site.receipts import read_receipt


@pytest.mark.unittest
def test_what_could_not_be_compared_contradicts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("another tree"), Finding("not in the cache", contradicts=False)]
    monkeypatch.setattr("labkit.proof.check.check_receipt", lambda told, commit: found)
    receipt = read_receipt(COMMIT, write_statement(statement(SAME)).encode())
    assert receipt is not None
    assert receipt.verdict == "reproduced"
    assert receipt.contradicted == ["another tree"]
    assert read_receipt(COMMIT, b"{}") is None
