"""Text for people: harmless on a terminal, sizes and times as they are read."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# Control characters (C0, DEL, C1), what turns the direction of writing, line separators, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def neutralise(text: str, keep: str = "") -> str:
    r"""Replace whatever could steer a terminal by a visible escape (`\x1b`).

    Args:
        text: What a server or a file system said.
        keep: Characters to leave alone, for instance `"\n\t"`. Default: none.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as `os.fsdecode` has it
        code -= 0xDC00
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return named.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def one_line(text: str) -> str:
    """Return a message as one harmless line: white space and line ends become single spaces."""
    return neutralise(" ".join(text.split()))


def human_size(size: int) -> str:
    """Return a number of bytes for people, in powers of 1024: `0B`, `1.5KiB`, `12MiB`."""
    amount, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if amount < 1023.95 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{size}B" if unit == "B" else f"{amount:.1f}{unit}".replace(".0", "")


def iso_time(nanoseconds: str) -> str:
    """Return a time in nanoseconds since 1970 as `2026-11-21T12:03:09Z`; another text as it is."""
    if not nanoseconds.isdecimal() or len(nanoseconds) < 16:
        return nanoseconds
    when = datetime.fromtimestamp(int(nanoseconds) // 10**9, timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(count: int, noun: str) -> str:
    """Return `1 object`, `2 objects`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
