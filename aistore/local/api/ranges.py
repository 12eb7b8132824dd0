"""The `Range` header as the cluster reads it: one byte range (protocol/03)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import RangeNotSatisfiable

if TYPE_CHECKING:
    from aistore.local.names import Bck

_UNIT = "bytes="


class ByteRange(NamedTuple):
    """Where a range starts and how many bytes it has, at least one."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The value of `Content-Range`."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def parse_range(header: str, size: int, bck: Bck, name: str) -> ByteRange:
    """The range of an object of `size` bytes.

    Raises:
        RangeNotSatisfiable: Malformed, several ranges, or outside the object.
    """
    if not header.startswith(_UNIT):
        raise RangeNotSatisfiable(f'read range "{header}" is invalid (prefix)')
    spec = header[len(_UNIT) :].strip()
    if "," in spec:
        raise RangeNotSatisfiable(
            f"cannot multi-range read {bck}/{name} - operation not supported", tcode="ErrUnsupp"
        )
    first, dash, last = spec.partition("-")
    first, last = first.strip(), last.strip()
    if not dash or not (first or last):
        raise RangeNotSatisfiable(f'read range "{header}" is invalid (-)')
    if not first:
        return _suffix(spec, last, size)
    if not _is_number(first):
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (start)')
    start = int(first)
    if last and (not _is_number(last) or int(last) < start):
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (end)')
    if start >= size:
        raise _unsatisfiable(spec, size)
    end = min(int(last), size - 1) if last else size - 1
    return ByteRange(start, end - start + 1)


def _suffix(spec: str, last: str, size: int) -> ByteRange:
    if not _is_number(last):
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (end)')
    length = min(int(last), size)
    if not length:
        raise _unsatisfiable(spec, size)
    return ByteRange(size - length, length)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _unsatisfiable(spec: str, size: int) -> RangeNotSatisfiable:
    message = f"size={size}: not satisfiable range [{spec}]"
    return RangeNotSatisfiable(message, tcode="ErrRangeNotSatisfiable", size=size)
