"""The Range header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.api.ranges import ByteRange, parse_range
from aistore.local.errors import RangeNotSatisfiable
from aistore.local.names import Bck


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-4", ByteRange(2, 3)),
        ("bytes=8-100", ByteRange(8, 2)),
        ("bytes=4-", ByteRange(4, 6)),
        ("bytes=-3", ByteRange(7, 3)),
        ("bytes=-100", ByteRange(0, 10)),
    ],
)
def test_good(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 10, Bck("b"), "o") == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=100-200", "bytes=-0"])
def test_outside_tells_the_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 10, Bck("b"), "o")
    assert caught.value.headers == {"Content-Range": "bytes */10"}


@pytest.mark.parametrize(
    "header", ["bytes=5-2", "bytes=abc", "bits=0-1", "bytes=", "bytes=-", "bytes=٣-", "bytes=0-1,2-3"]
)
def test_malformed_does_not(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 10, Bck("b"), "o")
    assert caught.value.headers == {}


@given(st.text(max_size=20), st.integers(0, 100))
def test_any_text_is_a_range_or_the_one_error(spec: str, size: int) -> None:
    try:
        found = parse_range("bytes=" + spec, size, Bck("b"), "o")
    except RangeNotSatisfiable:
        return
    assert 0 <= found.start < found.start + found.length <= size
