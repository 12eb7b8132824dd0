"""The `Range` header as the cluster reads it: one byte range (protocol/03)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import RangeNotSatisfiable
from aistore.local.numbers import whole_number

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
    start, stop = whole_number(first), whole_number(last)
    if start is None:
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (start)')
    if last and (stop is None or stop < start):
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (end)')
    if start >= size:
        raise _unsatisfiable(spec, size)
    end = size - 1 if stop is None else min(stop, size - 1)
    return ByteRange(start, end - start + 1)


def _suffix(spec: str, last: str, size: int) -> ByteRange:
    wanted = whole_number(last)
    if wanted is None:
        raise RangeNotSatisfiable(f'read range "{spec}" is invalid (end)')
    length = min(wanted, size)
    if not length:
        raise _unsatisfiable(spec, size)
    return ByteRange(size - length, length)


def _unsatisfiable(spec: str, size: int) -> RangeNotSatisfiable:
    message = f"size={size}: not satisfiable range [{spec}]"
    return RangeNotSatisfiable(message, tcode="ErrRangeNotSatisfiable", size=size)
