"""Which packages are here already."""

from __future__ import annotations

import pytest

from aistore.local.etl.packages import is_satisfied, split_packages


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a,b", ["a", "b"]),
        ("a>=1,<2,b", ["a>=1,<2", "b"]),
        ("a[x,y]>=1,b", ["a[x,y]>=1", "b"]),
    ],
)
def test_commas_within_a_requirement_do_not_separate(text, found):
    assert split_packages(text) == found


@pytest.mark.parametrize(
    "requirement", ["msgspec", "msgspec>=0.1", "MsgSpec", "msgspec; python_version < '3'"]
)
def test_what_is_here_is_found(requirement):
    assert is_satisfied(requirement)


@pytest.mark.parametrize(
    "requirement",
    [
        "msgspec>=9999",
        "no-such-package-of-anyones",
        "msgspec @ https://example.com/m.whl",
        "not a requirement",
        "--pre",
    ],
)
def test_what_is_not_here_is_not(requirement):
    assert not is_satisfied(requirement)
