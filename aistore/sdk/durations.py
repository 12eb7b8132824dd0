"""Durations as the cluster writes them: `1m30s`, `100ms`."""

from __future__ import annotations

import math
import re

from aistore.sdk.errors import InvalidArgument

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([a-z\u00b5\u03bc]+)")
_PLAIN = re.compile(r"\d+")


def convert_to_seconds(time_val: str | int) -> int:
    """Turn a duration into seconds.

    Args:
        time_val: Seconds as int or digits, or numbers with units: `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, as in
            `1m30s` or `1.5h`.

    Returns:
        Seconds; parts of a second are rounded up, so that a time limit is never cut to nothing.

    Raises:
        InvalidArgument: Not a duration, or a negative one.
    """
    if isinstance(time_val, int) and not isinstance(time_val, bool):
        if time_val < 0:
            raise InvalidArgument(f"negative duration: {time_val}")
        return time_val
    if not isinstance(time_val, str) or not time_val.strip():
        raise InvalidArgument(
            f"invalid duration {time_val!r}: expected seconds or a text such as '90s', '1m30s', '100ms'"
        )
    text = time_val.strip()
    if _PLAIN.fullmatch(text):
        return int(text)
    total = 0.0
    pos = 0
    for match in _PART.finditer(text):
        if match.start() != pos or match[2] not in _UNITS:
            break
        total += float(match[1]) * _UNITS[match[2]]
        pos = match.end()
    if pos != len(text):
        raise InvalidArgument(
            f"invalid duration {time_val!r}: "
            "expected numbers with units d, h, m, s, ms, us or ns, such as '1m30s'"
        )
    return math.ceil(round(total, 9))


convert_to_seconds.__module__ = "aistore.sdk.utils"  # where pickles for the 2.0.0 package find it
