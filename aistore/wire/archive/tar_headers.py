"""Fields of tar headers: numbers, names, PAX records and the maps of sparse files."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from aistore.errors import ErrArchiveFormat

BLOCK = 512
MAX_EXTENDED = 1 << 20
"""Bytes of an extended header or a long name, and of all global headers of an archive together."""
MAX_SIZE = 1 << 40
MAX_SEGMENTS = 1 << 20
"""Parts of a sparse file."""

_DIGITS = b"01234567"
_MAX_DECIMAL = 20
_ADLER_BASE = 65521
_HIGH_BYTES = bytes(range(128))

_NO_RECORDS: dict[bytes, bytes] = {}

SparseMap = array
"""Offset and length of each part of a file that the archive has, one after the other."""


# The same sizes and checksums come again and again.
@lru_cache(maxsize=4096)
def parse_number(field: bytes) -> int:
    """Return a number of a header: octal digits, or base 256 in GNU's form.

    Args:
        field: The field; spaces and zero bytes around the digits are padding.

    Raises:
        ErrArchiveFormat: It is no number, or a negative one.
    """
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise ErrArchiveFormat(f"damaged tar archive: number {field!r} in a header is negative or huge")
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.translate(None, _DIGITS):
        raise ErrArchiveFormat(f"not a tar archive, or a damaged one: number {field!r} in a header")
    return int(digits or b"0", 8)


@lru_cache(maxsize=4096)
def parse_checksum(field: bytes) -> int:
    """Return adler32's low half of what is around a header's checksum, which counts as spaces itself.

    Args:
        field: The checksum.

    Raises:
        ErrArchiveFormat: It is no number.
    """
    return (1 + parse_number(field) - 8 * ord(" ")) % _ADLER_BASE


def is_signed_sum(header: bytes, checksum: int) -> bool:
    """Return whether a checksum is that of old programs, which sum bytes with a sign.

    Args:
        header: The header.
        checksum: What it has.
    """
    around = header[:148] + bytes(8).replace(b"\0", b" ") + header[156:]
    return sum(around) - 256 * len(around.translate(None, _HIGH_BYTES)) == checksum


def parse_time(field: bytes) -> int:
    """Return a time in seconds; 0 for what is none that can be used.

    Args:
        field: The field.
    """
    try:
        return parse_number(field)
    except ErrArchiveFormat:
        return 0


def parse_name(header: bytes) -> bytes:
    """Return the name that a header has itself.

    Args:
        header: The header. GNU's, with another magic, has times where POSIX has the beginning of the name.
    """
    name = header[:100].partition(b"\0")[0]
    if header[345] and header[257:263] == b"ustar\0":
        # Star has times after a shorter prefix.
        end = 476 if header[508:512] == b"tar\0" else 500
        return header[345:end].partition(b"\0")[0] + b"/" + name
    return name


def decimal(text: bytes, what: str) -> int:
    """Return a decimal number of a PAX record or a sparse map.

    Args:
        text: The digits.
        what: What it is, for an error.

    Raises:
        ErrArchiveFormat: It is no number, or a huge one.
    """
    if not text.isdigit() or len(text) > _MAX_DECIMAL:
        raise ErrArchiveFormat(f"damaged tar archive: {what} {text[:40]!r} is no number")
    return int(text)


class Pax(dict[bytes, bytes]):
    """The records of a PAX header.

    Attributes:
        is_sparse: Whether they describe a sparse file.
        sparse: The values of those that come once for each part of the file.
    """

    is_sparse = False
    sparse: list[bytes] | None = None


def parse_pax(data: bytes, known: Mapping[bytes, bytes] = _NO_RECORDS) -> Pax:
    """Return the records of a PAX header.

    Args:
        data: The header's content; zeros may follow the records.
        known: Records that hold where the header has none of its own. Default: none.

    Raises:
        ErrArchiveFormat: It is damaged.
    """
    records = Pax(known)
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + _MAX_DECIMAL + 1)
        digits = data[position:space] if space >= 0 else b""
        if not digits.isdigit():
            break
        end = position + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or end > len(data) or data[end - 1 : end] != b"\n":
            break
        records[key] = value
        if key[:11] == b"GNU.sparse.":
            records.is_sparse = True
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                if records.sparse is None:
                    records.sparse = []
                records.sparse.append(value)
        position = end
    else:
        return records
    if not data[position:].strip(b"\0"):
        return records
    raise ErrArchiveFormat("damaged tar archive: PAX header")


def pax_time(value: bytes | None) -> int | None:
    """Return the seconds of a PAX time; `None` for what is none that can be used.

    Args:
        value: The record.
    """
    seconds = (value or b"").partition(b".")[0]
    return int(seconds) if seconds.isdigit() and len(seconds) <= _MAX_DECIMAL else None


def gnu_map(data: bytes, sparse: SparseMap[int]) -> None:
    """Add the parts in a header of GNU's own format.

    Args:
        data: Pairs of numbers, 12 bytes each; a pair that is empty ends them.
        sparse: The map.

    Raises:
        ErrArchiveFormat: There are too many, or what is no number.
    """
    for at in range(0, len(data) - 23, 24):
        if not data[at] or not data[at + 12]:
            return
        _add(sparse, parse_number(data[at : at + 12]), parse_number(data[at + 12 : at + 24]))


def pax_map(numbers: Sequence[bytes], count: bytes | None) -> SparseMap[int]:
    """Return the map in the records of a PAX header.

    Args:
        numbers: Offset and length of each part.
        count: How many parts there are, if a record says so.

    Raises:
        ErrArchiveFormat: There are more or fewer, or what is no number.
    """
    if len(numbers) % 2 or (count is not None and decimal(count, "number of parts") != len(numbers) // 2):
        raise ErrArchiveFormat("damaged tar archive: the map of a sparse file has a part too many or too few")
    sparse: SparseMap[int] = array("Q")
    for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
        _add(sparse, decimal(offset, "offset"), decimal(length, "length"))
    return sparse


def _add(sparse: SparseMap[int], offset: int, length: int) -> None:
    if len(sparse) >= 2 * MAX_SEGMENTS:
        raise ErrArchiveFormat(f"a sparse file of more than {MAX_SEGMENTS} parts")
    if offset > MAX_SIZE or length > MAX_SIZE:
        raise ErrArchiveFormat(f"damaged tar archive: part of a sparse file at {offset}, {length} bytes long")
    sparse.extend((offset, length))


def check_map(sparse: SparseMap[int], size: int, stored: int) -> None:
    """Check that the parts of a sparse file come in order, within the file, and are all there is.

    Args:
        sparse: The map.
        size: Bytes of the file.
        stored: Bytes that the archive has of it.

    Raises:
        ErrArchiveFormat: They are not.
    """
    offsets, lengths = sparse[::2], sparse[1::2]
    ends = [offset + length for offset, length in zip(offsets, lengths, strict=True)]
    in_order = all(end <= offset for end, (_, offset) in zip(ends, pairwise(offsets), strict=False))
    if not in_order or (ends and ends[-1] > size) or sum(lengths) != stored:
        raise ErrArchiveFormat("damaged tar archive: the map of a sparse file does not fit its size")
