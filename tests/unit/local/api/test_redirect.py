"""What the proxy adds to a redirected URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.api.redirect import base36


@given(st.integers(0, 2**64))
def test_base36_round_trip(number: int) -> None:
    assert int(base36(number), 36) == number


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (35, "z"), (36, "10")])
def test_base36(number: int, text: str) -> None:
    assert base36(number) == text
