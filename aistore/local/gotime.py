"""Times in the layouts of the Go language, which clients of the cluster send as `time_format`."""

from __future__ import annotations

import re
import time
from functools import lru_cache

RFC822 = "02 Jan 06 15:04 MST"

# Longer tokens first: "2006" before "2", "Z07:00" before "07".
_TOKENS = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "UTC",
    "Z07:00": "Z",
    "-07:00": "+00:00",
    "-0700": "+0000",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
    "_2": "%e",
}
_TOKEN = re.compile("|".join(map(re.escape, _TOKENS)) + r"|[.,](?:0+|9+)(?!\d)|%")


@lru_cache(maxsize=64)
def _compile(layout: str) -> tuple[str, bool]:
    fraction = False

    def replace(found: re.Match[str]) -> str:
        nonlocal fraction
        token = found.group()
        if token == "%":  # noqa: S105 - a token of the layout
            return "%%"
        if token[0] in ".,":
            fraction = True
            return f"{token[0]}\x01{token[1]}{len(token) - 1:02d}"
        return _TOKENS[token]

    return _TOKEN.sub(replace, layout), fraction


@lru_cache(maxsize=4096)
def _format_second(seconds: int, layout: str) -> str:
    return time.strftime(_compile(layout)[0], time.gmtime(seconds))


def format_go(nanoseconds: int, layout: str) -> str:
    """A time in UTC.

    Args:
        nanoseconds (int): Unix time.
        layout (str): The reference time `Mon Jan 2 15:04:05 MST 2006`, written as the result should look.
    """
    layout = layout or RFC822
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    text = _format_second(seconds, layout)
    if not _compile(layout)[1]:
        return text

    def fraction(found: re.Match[str]) -> str:
        digits = f"{rest:09d}"[: int(found.group(3))]
        if found.group(2) == "0":
            return found.group(1) + digits
        trimmed = digits.rstrip("0")
        return found.group(1) + trimmed if trimmed else ""

    return re.sub(r"([.,])\x01([09])(\d\d)", fraction, text)
