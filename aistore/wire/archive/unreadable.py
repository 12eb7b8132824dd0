"""The header of a listing that names archives whose members could not be listed, or not all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

HEADER_UNREADABLE = "Aistore-Unreadable"
"""`NAME, NAME, ...`, percent-encoded; `; count=N` follows where there are more."""

MAX_NAMES = 20

_MAX_DIGITS = 9
_FORM = re.compile(rf"([^;]*)(?:; *count=([0-9]{{1,{_MAX_DIGITS}}}))?")


def unreadable_header(names: Sequence[str]) -> str:
    """Return the header's value.

    Args:
        names: Names of the archives.
    """
    shown = ", ".join(quote(name, safe="/", errors="surrogateescape") for name in names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else f"{shown}; count={len(names)}"


def parse_unreadable(value: str) -> tuple[list[str], int]:
    """Return the names in the header's value, and how many archives there are in all.

    Args:
        value: The value; what is none names no archive.
    """
    found = _FORM.fullmatch(value)
    if found is None:
        return [], 0
    names = [unquote(name.strip(), errors="surrogateescape") for name in found[1].split(",") if name.strip()]
    return names[:MAX_NAMES], max(int(found[2] or 0), len(names[:MAX_NAMES]))
