"""Whole numbers in requests."""

from __future__ import annotations

import pytest

from aistore.local.numbers import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 20, 10**20 - 1), ("9" * 5000, 10**20), ("0" * 5000 + "1", 1)],
)
def test_digits_are_a_number_however_many(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "1\n", "²", "٣", "0x1", "1.0"])
def test_nothing_else_is(text: str) -> None:
    assert whole_number(text) is None
