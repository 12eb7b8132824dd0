"""Go time layouts."""

from __future__ import annotations

import pytest

from aistore.local.gotime import format_go

_TIME = 1795244486_451880500  # 2026-11-21 07:01:26.4518805 UTC


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("", "21 Nov 26 07:01 UTC"),
        ("02 Jan 06 15:04 MST", "21 Nov 26 07:01 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2026-11-21T07:01:26Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2026-11-21T07:01:26.4518805Z"),
        ("2006-01-02T15:04:05.000Z07:00", "2026-11-21T07:01:26.451Z"),
        ("Mon, 02 Jan 2006 15:04:05 MST", "Sat, 21 Nov 2026 07:01:26 UTC"),
        ("Mon Jan _2 15:04:05 2006", "Sat Nov 21 07:01:26 2026"),
        ("3%PM", "3%AM"),
        ("xyz", "xyz"),
    ],
)
def test_layouts(layout: str, expected: str) -> None:
    assert format_go(_TIME, layout) == expected
