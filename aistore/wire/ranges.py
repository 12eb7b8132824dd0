"""Arithmetic of byte ranges (RFC 9110, section 14): pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aistore.errors import (
    AISChunkedEncodingError,
    ErrRangeMismatch,
    ErrRangeNotSatisfiable,
    InvalidArgument,
)

Bounds = tuple[int | None, int | None]
"""First and last byte, inclusive: `(a, b)`; `(a, None)` from a on, `(None, n)` the last n, two `None` all."""

EVERYTHING: Bounds = (None, None)
"""Bounds of a request without a range."""

_OK, _PARTIAL_CONTENT = 200, 206
# At most 19 digits, like a Content-Length: more is no offset in any file.
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)

# What a cluster sends, with status 206, for the last bytes of an empty object.
_OF_NOTHING = "bytes 0--1/0"


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


def rest_of(bounds: Bounds, offset: int) -> Bounds:
    """Return the bounds of what is left of a range after its first `offset` bytes.

    Args:
        bounds: The whole range.
        offset: How many of its bytes are not wanted any more.

    Raises:
        InvalidArgument: Nothing is left.
    """
    start, end = bounds
    if start is None:
        if end is None:
            return (offset, None) if offset else EVERYTHING
        if offset >= end:
            raise InvalidArgument(f"offset {offset} is past the end of the last {end} bytes")
        return None, end - offset
    if end is not None and start + offset > end:
        raise InvalidArgument(f"offset {offset} is past the end of bytes {start}-{end}")
    return start + offset, end


def format_byte_range(bounds: Bounds) -> str:
    """Return the `Range` header for bounds.

    Args:
        bounds: The range; at least one of its two ends is given.
    """
    start, end = ("" if part is None else part for part in bounds)
    return f"bytes={start}-{end}"


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
        The three numbers, the total `None` when it is not known; `None` when the header is not one of bytes,
        or contradicts itself.
    """
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    return None if last < first or (total is not None and last >= total) else (first, last, total)


class BodyRange(NamedTuple):
    """The part of a body that is the requested range.

    Attributes:
        name: The object, for errors.
        skip: How many bytes of the body come before it.
        most: How many bytes it has at most; `None` means no limit.
        length: How many bytes it has; `None` when only the end of the body shows it.
        last: It is the last so many bytes of a body whose length is not known.
        alone: Whether the body must not have bytes after it.
    """

    name: str
    skip: int = 0
    most: int | None = None
    length: int | None = None
    last: int | None = None
    alone: bool = True

    def cut(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the range from the pieces of a body.

        Args:
            pieces: The body; not read further than the range needs.

        Raises:
            AISChunkedEncodingError: The body is shorter than its head says.
            ErrRangeMismatch: It is longer.
            ErrRangeNotSatisfiable: It ends before the range starts.
        """
        if self.last is not None:
            yield self.tail(pieces, self.last)
            return
        skip, done = self.skip, 0
        for piece in pieces:
            part = piece[skip:] if skip else piece
            skip = max(0, skip - len(piece))
            if self.most is not None and done + len(part) > self.most:
                if self.alone:
                    raise self.too_long()
                part = part[: self.most - done]
            done += len(part)
            if part:
                yield part
            if done == self.most and not self.alone:
                break
        self.check_end(done)

    def tail(self, pieces: Iterable[bytes], size: int) -> bytes:
        """Return the last bytes of a body.

        Args:
            pieces: The body.
            size: How many.
        """
        kept = bytearray()
        for piece in pieces:
            kept += piece
            del kept[:-size]
        self.check_end(len(kept))
        return bytes(kept)

    def check_end(self, done: int) -> None:
        """Check how many bytes of the range there were at the end of the body.

        Args:
            done: How many.

        Raises:
            AISChunkedEncodingError: Fewer than the head says.
            ErrRangeNotSatisfiable: None: the body ends before the range starts.
        """
        if self.length is not None and done < self.length:
            raise AISChunkedEncodingError(f"{self.name}: got {done} bytes, requested {self.length}")
        if not done and not self.alone:
            raise unsatisfiable(self.name, "the object ends before the range starts")

    def too_long(self) -> ErrRangeMismatch:
        """Return the error for a body that has more bytes than its head says."""
        return ErrRangeMismatch(f"{self.name}: got more than {self.length} bytes, requested {self.length}")


def locate_range(
    name: str, bounds: Bounds, status: int, content_range: str | None, size: int | None
) -> BodyRange:
    """Return where the requested range is in the body of a response, as the head of the response says.

    A 206 must be the range, cut at the end of the object; a 200 is the whole object, which has the range in
    it. No other response to a request for a range has its bytes.

    Args:
        name: The object, for errors.
        bounds: What was requested; `EVERYTHING` for a request without a range.
        status: Status of the response.
        content_range: Its `Content-Range`; `None` when there is none.
        size: Bytes in its body; `None` when that is not known.

    Raises:
        ErrRangeMismatch: The response is another range, or none.
        ErrRangeNotSatisfiable: The object ends before the range starts.
    """
    if bounds == EVERYTHING:
        if status == _PARTIAL_CONTENT:
            raise ErrRangeMismatch(f"{name}: got a part ({content_range}), requested everything")
        return BodyRange(name)
    if status == _PARTIAL_CONTENT:
        length = _partial_length(name, bounds, content_range, size)
        return BodyRange(name, most=length, length=length)
    if status != _OK:
        raise ErrRangeMismatch(f"{name}: got status {status}, requested {format_byte_range(bounds)}")
    start, end = bounds
    if size is None:
        if start is None:
            return BodyRange(name, last=end, alone=False)
        return BodyRange(name, start, None if end is None else end + 1 - start, alone=False)
    first, last = _cut(bounds, size)
    if first > last:
        raise unsatisfiable(name, f"requested {format_byte_range(bounds)}, the object has {size} bytes")
    return BodyRange(name, first, last + 1 - first, last + 1 - first, alone=False)


def _partial_length(name: str, bounds: Bounds, content_range: str | None, size: int | None) -> int:
    """Return how many bytes a 206 has that is the requested range."""
    if content_range == _OF_NOTHING and bounds[0] is None and not size:
        return 0
    found = parse_content_range(content_range or "")
    wanted = f"requested {format_byte_range(bounds)}"
    if found is None:
        raise ErrRangeMismatch(f"{name}: got a part with Content-Range {content_range!r}, {wanted}")
    first, last, total = found
    # Of an object of unknown size, only a range that is there in full can be compared.
    expected = bounds if total is None else _cut(bounds, total)
    if (first, last) != expected:
        raise ErrRangeMismatch(f"{name}: got {content_range}, {wanted}")
    length = last + 1 - first
    if size is not None and size != length:
        raise ErrRangeMismatch(f"{name}: got {size} bytes for {content_range}, {wanted}")
    return length


def _cut(bounds: Bounds, total: int) -> tuple[int, int]:
    """Return first and last byte of a range of an object of `total` bytes."""
    start, end = bounds
    if start is None:
        return max(0, total - (end or 0)), total - 1
    return start, total - 1 if end is None else min(end, total - 1)


def unsatisfiable(name: str, why: str) -> ErrRangeNotSatisfiable:
    """Return the error for a range that starts after the end of the object.

    Args:
        name: The object.
        why: What was requested, and what there is.
    """
    return ErrRangeNotSatisfiable(416, f"{name}: {why}", "", None)
