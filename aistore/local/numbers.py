"""Whole numbers in requests."""

from __future__ import annotations

_MAX_DIGITS = 20
_BEYOND = 10**_MAX_DIGITS


def whole_number(text: str) -> int | None:
    """Return the number that decimal digits stand for; None for any other text.

    Digits are those of ASCII. Numbers of more than twenty digits, which exceed every bound there is, are
    10**20: Python refuses to read thousands of digits.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _MAX_DIGITS else _BEYOND
