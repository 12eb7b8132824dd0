"""A reader of tar streams: USTAR, with PAX and GNU long names."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from zlib import adler32

from aistore.sdk.batch.archive.source import Source
from aistore.sdk.batch.errors import ErrArchiveTruncated, ErrBatchFormat

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_MAX_EXTENDED = 1 << 20  # of a PAX header or a long name: the cluster's names have 4 KiB at most
_MAX_MEMBER = 1 << 40
_REST = _BLOCK - 1
_MIN_BUFFER = 2 * _BLOCK
_ADLER_BASE = 65521
# Name; numbers, the size among them; checksum; and the rest, of which the kind comes first.
_split_header = struct.Struct("100s48s8s356s").unpack_from

_REGULAR = b"0\x007"  # also the old form of "regular file", and "contiguous file"
_PAX = ord("x")
_PAX_GLOBAL = ord("g")
_GNU_LONG_NAME = ord("L")
_GNU_LONG_LINK = ord("K")


class TarReader:
    """Reads a tar archive from a stream, one member at a time.

    A member is handed out when its last byte is there: neither its padding nor the next header is waited for.
    Links, devices and directories are skipped.

    Invariants: `_buffer[_low:_high]` is what was received and not used yet. `_rest` is the end of a header of
    a regular file whose name has no prefix.

    Args:
        source: The stream.
        buffer_size: How much to receive at a time, in bytes. Default: 64 KiB.
    """

    def __init__(self, source: Source, buffer_size: int = 64 * 1024) -> None:
        self._source = source
        self._buffer = bytearray(max(buffer_size, _MIN_BUFFER))
        self._view = memoryview(self._buffer)
        self._low = self._high = 0
        self._size = 0  # of the member, as long as it was not read
        self._padding = 0  # between the member and the next header
        self._lent: memoryview | None = None  # what `read_view` returned
        self._rest = self._numbers = b""
        self._rest_sum = 1  # as adler32 has it
        self._number = 0  # the size in `_numbers`

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next regular file.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrArchiveTruncated: The stream ends within a member or a header.
            ErrBatchFormat: The stream is not a tar archive.
        """
        if self._lent is not None:
            self._recall()
        low = self._low + self._size + self._padding
        if low + _BLOCK <= self._high:
            name, numbers, checksum, rest = _split_header(self._buffer, low)
            # Most headers end like the one before, which was looked at, and many have its numbers as well.
            if rest == self._rest:
                if numbers != self._numbers:
                    self._numbers, self._number = numbers, _parse_number(numbers[24:36])
                size = self._number
                sum_around = adler32(numbers, adler32(name, self._rest_sum)) & 0xFFFF
                if sum_around == _parse_checksum(checksum) and size <= _MAX_MEMBER:
                    self._low = low + _BLOCK
                    self._size = size
                    self._padding = -size & _REST
                    return name.partition(b"\0")[0], size
        return self._next_extended()

    def _next_extended(self) -> tuple[bytes, int] | None:
        """Go on to the next regular file, by way of the headers that extend its own."""
        header = self._next_header()
        long_name: bytes | None = None
        pax: dict[bytes, bytes] = {}
        while header is not None:
            kind = header[156]
            size = _parse_number(header[124:136])
            if kind in _REGULAR:
                size = int(pax[b"size"]) if b"size" in pax else size
                if size > _MAX_MEMBER:
                    raise ErrBatchFormat(f"tar member of {size} bytes")
                self._expect(size)
                if not header[345]:
                    self._rest = header[156:]
                    self._rest_sum = adler32(self._rest) & 0xFFFF
                return pax.get(b"path") or long_name or _parse_name(header), size
            self._expect(size)
            if kind in (_PAX, _GNU_LONG_NAME):
                if size > _MAX_EXTENDED:
                    raise ErrBatchFormat(f"tar extended header of {size} bytes")
                data = self.read_member()
                if kind == _PAX:
                    pax = _parse_pax(data)
                else:
                    long_name = data.rstrip(b"\0")
            elif kind not in (_PAX_GLOBAL, _GNU_LONG_LINK):
                long_name, pax = None, {}  # they were of this member, which is not a regular file
            header = self._next_header()
        return None

    def read_member(self) -> bytes:
        """Return the bytes of the member that `next_member` went to; once.

        Raises:
            ErrArchiveTruncated: The stream ends before the member does.
        """
        size, self._size = self._size, 0
        low = self._low
        if self._high - low < size:
            if size > len(self._buffer):
                return self._read_large(size)
            self._fill(size)
            low = self._low
        self._low = low + size
        return bytes(self._view[low : low + size])

    def read_view(self) -> memoryview:
        """Return the bytes of the member without a copy; `next_member` and `close` take the view back.

        A view that is still used then (by an array made of it, for one) keeps its bytes.

        Raises:
            ErrArchiveTruncated: The stream ends before the member does.
        """
        size = self._size
        if self._high - self._low < size:
            if size > len(self._buffer):
                return memoryview(self.read_member())
            self._fill(size)
        self._size = 0
        low = self._low
        self._low = low + size
        self._lent = view = self._view[low : self._low]
        return view

    def has_more_at_hand(self) -> bool:
        """Return whether another header is in what was received already."""
        ahead = self._size + self._padding
        start = self._low + ahead
        return self._high >= start + _BLOCK and self._buffer[start : start + _BLOCK] != _ZEROS

    def close(self) -> None:
        """Give the buffer back."""
        if self._lent is not None:
            self._recall()
        self._view.release()

    def _recall(self) -> None:
        """Take the view back; when it, or one made of it, is still used, leave its user the buffer."""
        lent, self._lent = self._lent, None
        assert lent is not None
        self._view.release()
        try:
            lent.release()
            # A buffer that anything looks at cannot change its size.
            self._buffer.append(0)
            self._buffer.pop()
        except BufferError:
            self._buffer = bytearray(self._buffer)
        self._view = memoryview(self._buffer)

    def _expect(self, size: int) -> None:
        self._size = size
        self._padding = -size % _BLOCK

    def _next_header(self) -> bytes | None:
        skip = self._size + self._padding
        self._size = self._padding = 0
        low = self._low + skip
        if low + _BLOCK > self._high:
            self._skip(skip)
            if self._high - self._low < _BLOCK and not self._fill(_BLOCK, or_end=True):
                return None  # a tar without its two zero blocks
            low = self._low
        self._low = low + _BLOCK
        header = bytes(self._view[low : low + _BLOCK])
        # adler32's low half is 1 + the sum of the bytes, modulo 65521: the tar checksum without a loop.
        if adler32(header[156:], adler32(header[:148])) & 0xFFFF != _parse_checksum(header[148:156]):
            if header == _ZEROS:
                return None
            raise ErrBatchFormat("not a tar archive, or a damaged one: wrong header checksum")
        return header

    def _fill(self, size: int, *, or_end: bool = False) -> bool:
        """Have `size` bytes in the buffer, which can hold them; `or_end`: none at the end of the stream."""
        if len(self._buffer) - self._low < size:
            self._buffer[: self._high - self._low] = self._buffer[self._low : self._high]
            self._low, self._high = 0, self._high - self._low
        while self._high - self._low < size:
            count = self._source.readinto(self._view[self._high :])
            if not count:
                if or_end and self._high == self._low:
                    return False
                raise ErrArchiveTruncated(f"tar archive ends {size - self._high + self._low} bytes early")
            self._high += count
        return True

    def _read_large(self, size: int) -> bytes:
        # The bytes object that BytesIO holds alone is filled in place and handed out without a copy.
        try:
            target = io.BytesIO(bytes(size))
        except MemoryError:
            raise ErrBatchFormat(f"tar member of {size} bytes does not fit into memory") from None
        with target.getbuffer() as view:
            done = self._high - self._low
            view[:done] = self._view[self._low : self._high]
            self._low = self._high = 0
            while done < size:
                count = self._source.readinto(view[done:])
                if not count:
                    raise ErrArchiveTruncated(f"tar archive ends {size - done} bytes early")
                done += count
        return target.getvalue()

    def _skip(self, count: int) -> None:
        while count > self._high - self._low:
            count -= self._high - self._low
            self._low = self._high = 0
            self._fill(1)
        self._low += count


# The same sizes and checksums come again and again.
@lru_cache(maxsize=4096)
def _parse_number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: base 256
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise ErrBatchFormat(f"not a tar archive, or a damaged one: number {field!r} in a header") from None


@lru_cache(maxsize=4096)
def _parse_checksum(field: bytes) -> int:
    """Return adler32's low half of what is around a header's checksum; itself counts as spaces there."""
    return (1 + _parse_number(field) - 8 * ord(" ")) % _ADLER_BASE


def _parse_name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    if header[345] and header[257:263] == b"ustar\0":
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def _parse_pax(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position)
        digits = data[position:space]
        if space < 0 or not digits.isdigit():
            break
        end = position + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if (
            not equals
            or end > len(data)
            or data[end - 1 : end] != b"\n"
            or (key == b"size" and not value.isdigit())
        ):
            break
        records[key] = value
        position = end
    else:
        return records
    if not data[position:].strip(b"\0"):
        return records
    raise ErrBatchFormat("damaged tar archive: PAX header")
