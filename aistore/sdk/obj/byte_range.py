"""Arithmetic of byte ranges (RFC 9110, section 14): pure functions."""

from __future__ import annotations

import re

from aistore.sdk.errors import InvalidArgument

Bounds = tuple[int | None, int | None]
"""First and last byte, inclusive: `(a, b)`; `(a, None)` from a on, `(None, n)` the last n, two `None` all."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)


def parse_byte_range(text: str) -> Bounds:
    """Return the bounds that a `Range` header names.

    Args:
        text: `bytes=a-b`, `bytes=a-` or `bytes=-n`.

    Raises:
        InvalidArgument: The text is not one of these, is several ranges, or is empty (also a `ValueError`).
    """
    match = _RANGE.fullmatch(text)
    if match is None or match.groups() == ("", ""):
        raise InvalidArgument(f"byte_range must be 'bytes=a-b', 'bytes=a-' or 'bytes=-n', not {text!r}")
    start, end = (int(part) if part else None for part in match.groups())
    if start is None and end == 0:
        raise InvalidArgument(f"byte_range {text!r} asks for no bytes")
    if start is not None and end is not None and end < start:
        raise InvalidArgument(f"byte_range {text!r} ends before it starts")
    return start, end


def format_byte_range(bounds: Bounds, offset: int = 0) -> str:
    """Return the `Range` header for what is left of `bounds` after its first `offset` bytes.

    Args:
        bounds: The whole range.
        offset: How many of its bytes are not wanted any more.

    Raises:
        InvalidArgument: Nothing is left.
    """
    start, end = bounds
    if start is None:
        if end is None:
            return f"bytes={offset}-"
        if offset >= end:
            raise InvalidArgument(f"offset {offset} is past the end of the last {end} bytes")
        return f"bytes=-{end - offset}"
    if end is None:
        return f"bytes={start + offset}-"
    if start + offset > end:
        raise InvalidArgument(f"offset {offset} is past the end of bytes {start}-{end}")
    return f"bytes={start + offset}-{end}"


def split_ranges(size: int, chunk_size: int) -> list[tuple[int, int]]:
    """Return the `[start, end)` ranges that cover `size` bytes in chunks of `chunk_size`, in order.

    Args:
        size: Bytes to cover.
        chunk_size: Bytes in each range but the last; positive.
    """
    return [(start, min(start + chunk_size, size)) for start in range(0, size, chunk_size)]


def parse_content_range(text: str) -> tuple[int, int, int | None] | None:
    """Return first byte, last byte and total size of a `Content-Range` header.

    Args:
        text: The header's value.

    Returns:
        The three numbers, the total `None` when it is not known; `None` when the header is not one of bytes.
    """
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        return None
    first, last, total = match.groups()
    return int(first), int(last), None if total == "*" else int(total)
