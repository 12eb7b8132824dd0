"""Regular expressions of requests: right, and never for long."""

from __future__ import annotations

import re

import pytest

from aistore.local import patterns
from aistore.local.errors import InvalidRequest
from aistore.local.patterns import Patterns, is_plain

EVIL = "(a+)+$"


@pytest.mark.parametrize("text", ["", "abc", r"^rec\d+[.]cls$", ".*x", "(?:a|b)c", "a{3}", r"\.jpg$", "[+*]"])
def test_plain(text: str) -> None:
    assert is_plain(text) == (text != "[+*]")


@pytest.mark.parametrize(
    "text", [EVIL, "(a|a)*b", "(a|a)(a|a)", "a?a?", r"(a)\1", "(?=a)", "(ab)*", ".*a.*", "(?i)a", "(?P<x>a)"]
)
def test_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize("extra", ["x", "x+y*z"])
def test_which_match(extra: str) -> None:
    with Patterns(["a", "^b", extra, "a$"]) as found:
        assert found.find("ba") == [0, 1, 3]
        assert found.find("ab") == [0]
        for name in ("ünï\n", "\udcff", ""):
            assert found.find(name + "a")[:1] == [0]


def test_what_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.2)
    with Patterns([EVIL]) as found:
        assert found.find("aaa") == [0]
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=r"looking at 'aaa.* takes longer than"):
                found.find("a" * 60 + "b")
        assert found.find("b") == []


def test_malformed() -> None:
    with pytest.raises(re.error):
        Patterns(["("])
