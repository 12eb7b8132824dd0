"""A reader of zips, which have their directory at the end and are read at any offset."""

from __future__ import annotations

import bz2
import calendar
import lzma
import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from aistore.errors import ErrArchiveFormat
from aistore.wire.archive.compression import Content

MAX_DIRECTORY = 128 << 20
"""Bytes of a directory: of a million members and more."""

STORED = 0
DEFLATED = 8
_BZIP2 = 12
_LZMA = 14
_METHODS = frozenset({STORED, DEFLATED, _BZIP2, _LZMA})
_ENCRYPTED = 1 | 1 << 6 | 1 << 13

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_MAX_16 = 0xFFFF
_MAX_32 = 0xFFFFFFFF
_ZIP64 = 1  # kind of extra field
_UNIX = 3
_PIECE = 256 * 1024
_MAX_DICTIONARY = 128 << 20
_MAX_LINK = 4096
_MAX_SIZE = 1 << 40
# Exceptions of the standard library's decompressors, depending on the damage.
_DAMAGED = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class ZipMember(NamedTuple):
    """A member, as the directory describes it.

    Attributes:
        name: Its name.
        size: Its size in bytes.
        stored: Bytes that the archive has of it.
        crc: Its CRC-32.
        method: How it is compressed.
        flags: General flags.
        offset: Offset of its own header.
        dos_time: When it was modified, as MS-DOS has times: date in the high half.
        mode: Its type and permissions on Unix; 0 if they are not known.
    """

    name: bytes
    size: int
    stored: int
    crc: int
    method: int
    flags: int
    offset: int
    dos_time: int
    mode: int

    @property
    def fault(self) -> str:
        """Why the member cannot be read; empty if it can."""
        if self.flags & _ENCRYPTED:
            return "is encrypted"
        return "" if self.method in _METHODS else f"is compressed by method {self.method}, which is unknown"

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, and its bytes the path that it points to."""
        return stat.S_ISLNK(self.mode) and self.size <= _MAX_LINK

    @property
    def mtime(self) -> int:
        """When it was modified, in seconds of Unix time, its clock taken for UTC."""
        date, time = self.dos_time >> 16, self.dos_time & _MAX_16
        fields = (1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, 2 * (time & 31))
        return max(0, calendar.timegm(fields)) if fields[1] and fields[1] <= 12 and fields[2] else 0


class ZipArchive:
    """A zip.

    Args:
        content: Its bytes.

    Attributes:
        directory: The directory's entries, as they are in the archive.
        directory_offset: Where the directory begins.
        base: What offsets in the directory are counted from: bytes before the archive, such as a program's.
        count: Number of entries.
        comment: The archive's comment.

    Raises:
        ErrArchiveFormat: It is no zip, or a damaged one.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        end = self._find_end()
        fields = _END.unpack(self._read(end, _END.size))
        self.comment = self._read(end + _END.size, fields[7])
        disks, counts, size, offset = fields[1:3], fields[3:5], fields[5], fields[6]
        found = self._find_end64(end)
        exact = found is not None
        if found is not None:
            end, disks, counts, size, offset = found
        if any(disks) or counts[0] != counts[1]:
            raise ErrArchiveFormat("zip archive in several parts")
        self.base = end - size - offset
        if self.base < 0:
            raise ErrArchiveFormat("damaged zip archive: its directory is not where its end says")
        if size > MAX_DIRECTORY:
            raise ErrArchiveFormat(f"a zip directory of {size} bytes: at most {MAX_DIRECTORY} are read")
        self.directory_offset = end - size
        self.directory = self._read(self.directory_offset, size)
        self.count = self._check_directory()
        if self.count != counts[1] if exact else (self.count ^ counts[1]) & _MAX_16:
            raise ErrArchiveFormat(
                f"damaged zip archive: {self.count} members in its directory, not {counts[1]}"
            )

    def _read(self, offset: int, size: int) -> bytes:
        return _read(self._content, offset, size)

    def _find_end(self) -> int:
        tail_size = min(self._content.size, _END.size + _MAX_16)
        tail_offset = self._content.size - tail_size
        tail = self._read(tail_offset, tail_size)
        at = tail.rfind(b"PK\5\6")
        while at >= 0:
            comment = tail[at + 20 : at + 22]
            if len(comment) == 2 and at + 22 + int.from_bytes(comment, "little") <= tail_size:
                return tail_offset + at
            at = tail.rfind(b"PK\5\6", 0, at)
        raise ErrArchiveFormat("not a zip archive, or a damaged one: it has no directory")

    def _find_end64(self, end: int) -> tuple[int, tuple[int, int], tuple[int, int], int, int] | None:
        """Read the end of a zip of more than 4 GiB or 65,535 members; `None` if there is none."""
        start = end - _END64_LOCATOR.size
        if start < 0:
            return None
        signature, _, offset, _ = _END64_LOCATOR.unpack(self._read(start, _END64_LOCATOR.size))
        if signature != b"PK\6\7":
            return None
        # Bytes before the archive shift it; then it is where it is without extensions.
        for at in (offset, start - _END64.size):
            if 0 <= at <= start - _END64.size:
                fields = _END64.unpack(self._read(at, _END64.size))
                if fields[0] == b"PK\6\6":
                    return at, fields[4:6], fields[6:8], fields[8], fields[9]
        raise ErrArchiveFormat("damaged zip archive: its end points to nothing")

    def _check_directory(self) -> int:
        """Check that members are within the archive and share no bytes; return how many there are."""
        bounds = array("Q")
        for member in self.members():
            start = member.offset
            end = start + _LOCAL.size + len(member.name) + member.stored
            if start < 0 or end > self.directory_offset:
                raise ErrArchiveFormat(
                    f"damaged zip archive: {_shown(member.name)} is beyond the directory's beginning"
                )
            bounds.extend((start, end))
        starts, ends = bounds[::2], bounds[1::2]
        for one, other in pairwise(sorted(range(len(ends)), key=starts.__getitem__)):
            if ends[one] > starts[other]:
                raise ErrArchiveFormat("zip archive whose members overlap")
        return len(ends)

    def members(self) -> Iterator[ZipMember]:
        """Yield the members in the directory's order; folders have names that end with a slash.

        Raises:
            ErrArchiveFormat: The directory is damaged.
        """
        position, directory = 0, self.directory
        while position < len(directory):
            if len(directory) - position < _ENTRY.size:
                raise ErrArchiveFormat("damaged zip archive: its directory ends early")
            entry = _ENTRY.unpack_from(directory, position)
            signature, made_by, _, flags, method, time, date, crc, stored, size = entry[:10]
            name_size, extra_size, comment_size, _, _, attributes, offset = entry[10:]
            if signature != b"PK\1\2":
                raise ErrArchiveFormat("damaged zip archive: no member where its directory should have one")
            position += _ENTRY.size
            name = directory[position : position + name_size]
            extra = directory[position + name_size : position + name_size + extra_size]
            position += name_size + extra_size + comment_size
            if position > len(directory):
                raise ErrArchiveFormat("damaged zip archive: its directory ends early")
            if _MAX_32 in (size, stored, offset):
                size, stored, offset = _large_numbers(extra, size, stored, offset)
            if size > _MAX_SIZE or stored > _MAX_SIZE:
                raise ErrArchiveFormat(f"zip member of {max(size, stored)} bytes")
            mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
            yield ZipMember(
                name, size, stored, crc, method, flags, self.base + offset, date << 16 | time, mode
            )


def member_pieces(content: Content, member: ZipMember) -> Iterator[bytes]:
    """Yield the bytes of a member, and compare their number and CRC in the end.

    Args:
        content: The zip.
        member: The member.

    Raises:
        ErrArchiveFormat: The member is damaged, encrypted, or compressed in an unknown way.
    """
    if member.fault:
        raise ErrArchiveFormat(f"zip member {_shown(member.name)} {member.fault}")
    crc = size = 0
    for piece in _decompressed(content, member):
        size += len(piece)
        if size > member.size:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != member.size or crc != member.crc:
        what = "size" if size != member.size else "CRC"
        raise ErrArchiveFormat(f"damaged zip archive: {_shown(member.name)} has another {what}")


def _decompressed(content: Content, member: ZipMember) -> Iterator[bytes]:
    header = _LOCAL.unpack(_read(content, member.offset, _LOCAL.size))
    name_size, extra_size = header[9:]
    if header[0] != b"PK\3\4" or _read(content, member.offset + _LOCAL.size, name_size) != member.name:
        raise ErrArchiveFormat(f"damaged zip archive: {_shown(member.name)} is not where it should be")
    stored = _stored(content, member.offset + _LOCAL.size + name_size + extra_size, member.stored)
    if member.method == STORED:
        yield from stored
        return
    try:
        yield from _pulled(_decompressor(member.method), stored, member.size)
    except _DAMAGED as err:
        raise ErrArchiveFormat(f"damaged zip archive: {_shown(member.name)}: {err}") from err


def _read(content: Content, offset: int, size: int) -> bytes:
    data = content.read_at(offset, size) if size else b""
    if len(data) < size:
        raise ErrArchiveFormat("damaged zip archive: it is cut off")
    return data


def _stored(content: Content, offset: int, size: int) -> Iterator[bytes]:
    while size:
        data = _read(content, offset, min(size, _PIECE))
        offset += len(data)
        size -= len(data)
        yield data


class ZipReader:
    """Reads the files of a zip one after the other, as `TarReader` does those of a tar.

    Args:
        content: The zip.

    Raises:
        ErrArchiveFormat: It is no zip, or a damaged one.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        members = ZipArchive(content).members()
        self._members = (member for member in members if not member.name.endswith(b"/"))
        self._next = next(self._members, None)
        self._current: ZipMember | None = None

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next file.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrArchiveFormat: It has no name.
        """
        self._current, self._next = self._next, next(self._members, None)
        if self._current is None:
            return None
        if not self._current.name:
            raise ErrArchiveFormat("damaged zip archive: a member without a name")
        return self._current.name, self._current.size

    def read_member(self) -> bytes:
        """Return the bytes of the file that `next_member` went to.

        Raises:
            ErrArchiveFormat: They are damaged, encrypted, or compressed in an unknown way.
        """
        assert self._current is not None
        return b"".join(member_pieces(self._content, self._current))

    def has_more_at_hand(self) -> bool:
        """Return whether another file follows."""
        return self._next is not None


def _shown(name: bytes) -> str:
    return name[:200].decode("utf-8", "backslashreplace")


def _large_numbers(extra: bytes, size: int, stored: int, offset: int) -> tuple[int, int, int]:
    """Return size, stored size and offset, those that 32 bits do not hold from the extra field."""
    position = 0
    while position + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        if kind == _ZIP64:
            field = extra[position : position + length]
            numbers = iter(struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8]))
            found = tuple(
                next(numbers, -1) if value == _MAX_32 else value for value in (size, stored, offset)
            )
            if -1 in found:
                break
            return found[0], found[1], found[2]
        position += length
    raise ErrArchiveFormat("damaged zip archive: a large member's size is missing")


def _decompressor(method: int) -> Any:
    if method == DEFLATED:
        return _Deflate()
    if method == _BZIP2:
        return bz2.BZ2Decompressor()
    return _Lzma()


class _Deflate:
    """Decompresses a deflated stream, as the classes for the other methods do theirs."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    def decompress(self, data: bytes, limit: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, limit)


class _Lzma:
    """Decompresses an LZMA stream with the header that zips give it."""

    def __init__(self) -> None:
        self._header = b""
        self._object: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._object is not None and self._object.eof

    @property
    def needs_input(self) -> bool:
        return self._object is None or self._object.needs_input

    def decompress(self, data: bytes, limit: int) -> bytes:
        if self._object is None:
            self._header += data
            if len(self._header) < 9:
                return b""
            self._object = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_lzma_filter(self._header)])
            data, self._header = self._header[9:], b""
        return self._object.decompress(data, limit)


def _lzma_filter(header: bytes) -> dict[str, int]:
    """Return the filter that the nine bytes before an LZMA stream describe."""
    properties_size, code, dictionary = struct.unpack("<2xHBL", header[:9])
    if properties_size != 5 or code >= 9 * 5 * 5 or dictionary > _MAX_DICTIONARY:
        raise ErrArchiveFormat("zip member whose LZMA properties are damaged or need too much memory")
    rest, literal_context = divmod(code, 9)
    position_bits, literal_position = divmod(rest, 5)
    return {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, 4096),
        "lc": literal_context,
        "lp": literal_position,
        "pb": position_bits,
    }


def _pulled(decompressor: Any, stored: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield what a decompressor makes of its input, a piece at a time and at most a byte more than `size`."""
    left = size + 1
    while left and not decompressor.eof:
        data = next(stored, None) if decompressor.needs_input else b""
        piece = decompressor.decompress(data or b"", min(left, _PIECE))
        left -= len(piece)
        if piece:
            yield piece
        elif data is None:
            return
