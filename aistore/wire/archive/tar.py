"""A reader of tar streams: USTAR, with PAX and GNU extensions, links and sparse files."""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Callable, Iterator
from zlib import adler32

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated
from aistore.wire.archive.compression import Source
from aistore.wire.archive.members import Link, final_target, link_path, member_path
from aistore.wire.archive.tar_headers import (
    BLOCK,
    MAX_EXTENDED,
    MAX_SIZE,
    Pax,
    SparseMap,
    check_map,
    decimal,
    gnu_map,
    is_signed_sum,
    parse_checksum,
    parse_name,
    parse_number,
    parse_pax,
    parse_time,
    pax_map,
    pax_time,
)

_ZEROS = bytes(BLOCK)
_REST = BLOCK - 1
_MIN_BUFFER = 2 * BLOCK
_PIECE = 256 * 1024
# Name; numbers, the size among them; checksum; and the rest, of which the kind comes first.
_split_header = struct.Struct("100s48s8s356s").unpack_from

_REGULAR = b"0\x007"  # also the old form of "regular file", and "contiguous file"
_GNU_SPARSE = ord("S")
_HARD_LINK = ord("1")
_SYMBOLIC_LINK = ord("2")
_WITHOUT_DATA = b"123456"  # links, devices, folders and pipes, whatever size they have
_PAX_GLOBAL = ord("g")
_GNU_LONG_NAME = ord("L")
_GNU_LONG_LINK = ord("K")
_EXTENDING = b"xXgLK"
_IS_SPARSE = 1 << 62  # in place of the size of a sparse file's bytes in the archive


# The global records that say something about members.
_GLOBAL = (b"path", b"linkpath", b"size", b"mtime")


class TarReader:
    """Reads a tar archive from a stream, one member at a time.

    A member is handed out when its last byte arrived: neither its padding nor the next header is waited for.
    Folders and devices are skipped, and links too unless they are requested. Sparse files are read whole,
    with their holes.

    Invariants: `_buffer[_low:_high]` is what was received and not used yet. `_rest` is the end of the header
    of the member before, if that is a regular file whose name has no prefix and which no other header
    extends; else it is empty, which no header's end is. `link`, `sparse` and `_pax` change only with it.

    Args:
        source: The stream.
        buffer_size: How much to receive at a time, in bytes. Default: 64 KiB.
        links: Hand out links too, as members without bytes. Default: `False`.

    Attributes:
        link: What the member points to; `None` for a file.
        sparse: The parts of the file that the archive has; `None` for a file without holes.
        globals: The PAX records that hold for all members to come.
        end: Offset of the end of the last member; `None` before all were read.
    """

    def __init__(self, source: Source, buffer_size: int = 64 * 1024, *, links: bool = False) -> None:
        self._source = source
        self._buffer = bytearray(max(buffer_size, _MIN_BUFFER))
        self._view = memoryview(self._buffer)
        self._low = self._high = 0
        self._received = 0
        self._size = 0  # of the member's bytes in the archive, as long as they were not read
        self._padding = 0  # between the member and the next header
        self._lent: memoryview | None = None  # what `read_view` returned
        self._rest = self._numbers = b""
        self._rest_sum = 1  # as adler32 has it
        self._number = 0  # the size in `_numbers`
        self._links = links
        self._global_size = 0
        self._pax = Pax()  # the member's
        self._file_size = self._stored = 0  # bytes of a sparse file, and those of it in the archive
        self.link: Link | None = None
        self.sparse: SparseMap[int] | None = None
        self.globals = Pax()
        self.end: int | None = None

    @property
    def offset(self) -> int:
        """Offset in the stream of the next byte; after `next_member` that of the member's first one."""
        return self._received - self._high + self._low

    @property
    def mtime(self) -> int:
        """When the member was modified, in seconds of Unix time."""
        seconds = pax_time(self._pax.get(b"mtime"))
        return parse_time(self._numbers[36:48]) if seconds is None else seconds

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next file, or link if they are requested.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrArchiveTruncated: The stream ends within a member or a header.
            ErrArchiveFormat: The stream is not a tar archive, or a damaged one.
        """
        if self._lent is not None:
            self._recall()
        low = self._low + self._size + self._padding
        if low + BLOCK <= self._high:
            name, numbers, checksum, rest = _split_header(self._buffer, low)
            # Most headers end like the one before, which was looked at, and many have its numbers as well.
            if rest == self._rest:
                if numbers != self._numbers:
                    self._numbers, self._number = numbers, parse_number(numbers[24:36])
                size = self._number
                sum_around = adler32(numbers, adler32(name, self._rest_sum)) & 0xFFFF
                if sum_around == parse_checksum(checksum) and size <= MAX_SIZE:
                    self._low = low + BLOCK
                    self._size = size
                    self._padding = -size & _REST
                    return name.partition(b"\0")[0], size
        return self._next_extended()

    def _next_extended(self) -> tuple[bytes, int] | None:
        """Go on to the next member, by way of the headers that extend its own."""
        if self._size == _IS_SPARSE:
            self._size = self._stored
        self._rest = b""
        self.link = self.sparse = None
        pax, name, link, is_extended = self.globals, None, None, False
        while self.end is None and (header := self._next_header()) is not None:
            kind = header[156]
            if kind not in _EXTENDING:
                member = self._member(header, pax, name, link, is_extended)
                if member is not None:
                    return member
                pax, name, link, is_extended = self.globals, None, None, False
                continue
            size = parse_number(header[124:136])
            if size > MAX_EXTENDED:
                raise ErrArchiveFormat(
                    f"tar extended headers of {size} bytes: at most {MAX_EXTENDED} are read"
                )
            self._size, self._padding = size, -size & _REST
            data = self.read_member()
            is_extended = kind != _PAX_GLOBAL
            if kind == _GNU_LONG_NAME:
                name = data.rstrip(b"\0")
            elif kind == _GNU_LONG_LINK:
                link = data.rstrip(b"\0")
            elif is_extended:
                pax = parse_pax(data, self.globals)
            else:
                self._add_globals(data)
                pax, name, link = self.globals, None, None
        if is_extended:
            raise ErrArchiveTruncated("tar archive ends before the member that an extended header describes")
        return None

    def _add_globals(self, data: bytes) -> None:
        self._global_size += len(data)
        if self._global_size > MAX_EXTENDED:
            raise ErrArchiveFormat(
                f"tar extended headers of {self._global_size} bytes: at most {MAX_EXTENDED} are read"
            )
        records = parse_pax(data, self.globals)
        self.globals = Pax((key, records[key]) for key in _GLOBAL if key in records)

    def _member(
        self, header: bytes, pax: Pax, long_name: bytes | None, long_link: bytes | None, is_extended: bool
    ) -> tuple[bytes, int] | None:
        """Take the header of a member; return `None` for one that is not handed out."""
        kind = header[156]
        size = self._number = parse_number(header[124:136])
        self._numbers = header[100:148]
        self._pax = pax
        name = pax.get(b"path") or long_name or parse_name(header)
        if kind in _WITHOUT_DATA:
            self._expect(0)
            if not self._links or kind not in (_HARD_LINK, _SYMBOLIC_LINK):
                return None
            target = pax.get(b"linkpath") or long_link or header[157:257].partition(b"\0")[0]
            self.link = Link(target, kind == _HARD_LINK)
            return name, 0
        pax_size = pax.get(b"size")
        if pax_size:
            size = decimal(pax_size, "size")
        self._expect(size)
        if kind == _GNU_SPARSE or pax.is_sparse:
            self._begin_sparse(header, kind, pax)
            return pax.get(b"GNU.sparse.name") or name, self._file_size
        if kind not in _REGULAR or (kind == 0 and name.endswith(b"/")):
            return None
        if kind and not (is_extended or pax or header[345]):
            self._rest = header[156:]
            self._rest_sum = adler32(self._rest) & 0xFFFF
        return name, size

    def _begin_sparse(self, header: bytes, kind: int, pax: Pax) -> None:
        sparse: SparseMap[int] = array("Q")
        if kind == _GNU_SPARSE:
            stored, padding = self._size, self._padding
            size = parse_number(header[483:495])
            gnu_map(header[386:482], sparse)
            goes_on = header[482]
            self._expect(0)
            while goes_on:
                block = self._read_block()
                gnu_map(block[:504], sparse)
                goes_on = block[504]
            self._size, self._padding = stored, padding
        elif b"GNU.sparse.major" in pax:
            version = pax[b"GNU.sparse.major"], pax.get(b"GNU.sparse.minor")
            if version != (b"1", b"0"):
                raise ErrArchiveFormat("tar archive with a sparse file in an unknown format")
            size = decimal(pax.get(b"GNU.sparse.realsize", b""), "size")
            sparse = self._read_map()
        else:
            size = decimal(pax.get(b"GNU.sparse.size", b""), "size")
            packed = pax.get(b"GNU.sparse.map")
            numbers = (pax.sparse or []) if packed is None else packed.split(b",") if packed else []
            sparse = pax_map(numbers, pax.get(b"GNU.sparse.numblocks"))
        if size > MAX_SIZE:
            raise ErrArchiveFormat(f"tar member of {size} bytes")
        check_map(sparse, size, self._size)
        self.sparse, self._file_size = sparse, size
        self._stored, self._size = self._size, _IS_SPARSE

    def _read_map(self) -> SparseMap[int]:
        """Read the map before the data of a sparse file: decimal numbers in lines, first their count."""
        data = self._read_of_member()
        count_text, _, rest = data.partition(b"\n")
        lines = 2 * decimal(count_text, "number of parts")
        if lines > self._size + len(rest):
            raise ErrArchiveFormat("damaged tar archive: the map of a sparse file is longer than its data")
        blocks = [rest]
        found = rest.count(b"\n")
        while found < lines:
            blocks.append(self._read_of_member())
            found += blocks[-1].count(b"\n")
        return pax_map(b"".join(blocks).split(b"\n", lines)[:lines], None)

    def _read_of_member(self) -> bytes:
        if self._size < BLOCK:
            raise ErrArchiveFormat("damaged tar archive: the map of a sparse file does not end")
        self._size -= BLOCK
        return self._read_block()

    def _read_block(self) -> bytes:
        self._fill(BLOCK)
        self._low += BLOCK
        return bytes(self._view[self._low - BLOCK : self._low])

    def read_member(self) -> bytes:
        """Return the bytes of the member that `next_member` went to; once.

        Raises:
            ErrArchiveTruncated: The stream ends before the member does.
            ErrArchiveFormat: The member does not fit into memory.
        """
        size, self._size = self._size, 0
        low = self._low
        if self._high - low < size:
            if size > len(self._buffer):
                return self._read_large(size) if self.sparse is None else self._read_sparse(self.sparse)
            self._fill(size)
            low = self._low
        self._low = low + size
        return bytes(self._view[low : low + size])

    def read_view(self) -> memoryview:
        """Return the bytes of the member without a copy; `next_member` and `close` take the view back.

        A view that is still used then (by an array made of it, for one) keeps its bytes.

        Raises:
            ErrArchiveTruncated: The stream ends before the member does.
            ErrArchiveFormat: The member does not fit into memory.
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

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the member that `next_member` went to, as they arrive; once.

        Raises:
            ErrArchiveTruncated: The stream ends before the member does.
        """
        if self.sparse is None:
            return self._stored_pieces(0, self._size)
        self._size = self._stored
        return with_holes(self.sparse, self._file_size, self._stored_pieces)

    def _stored_pieces(self, _: int, size: int) -> Iterator[bytes]:
        while size:
            if self._low == self._high:
                self._fill(1)
            count = min(size, self._high - self._low)
            low = self._low
            self._low += count
            self._size -= count
            size -= count
            yield bytes(self._view[low : low + count])

    def has_more_at_hand(self) -> bool:
        """Return whether another header is in what was received already."""
        ahead = self._size + self._padding
        start = self._low + ahead
        return self._high >= start + BLOCK and self._buffer[start : start + BLOCK] != _ZEROS

    def close(self) -> None:
        """Release the buffer."""
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
        if size > MAX_SIZE:
            raise ErrArchiveFormat(f"tar member of {size} bytes")
        self._size = size
        self._padding = -size % BLOCK

    def _next_header(self) -> bytes | None:
        skip = self._size + self._padding
        self._size = self._padding = 0
        low = self._low + skip
        if low + BLOCK > self._high:
            self._skip(skip)
            if self._high - self._low < BLOCK and not self._fill(BLOCK, or_end=True):
                self._finish(self.offset)  # a tar without its two zero blocks
                return None
            low = self._low
        self._low = low + BLOCK
        header = bytes(self._view[low : low + BLOCK])
        # adler32's low half is 1 + the sum of the bytes, modulo 65521: the tar checksum without a loop.
        if adler32(header[156:], adler32(header[:148])) & 0xFFFF != parse_checksum(header[148:156]):
            if header == _ZEROS:
                self._finish(self.offset - BLOCK)
                return None
            if not is_signed_sum(header, parse_number(header[148:156])):
                raise ErrArchiveFormat("not a tar archive, or a damaged one: wrong header checksum")
        return header

    def _finish(self, end: int) -> None:
        """Check what follows the last member."""
        if not self._received:
            raise ErrArchiveTruncated("tar archive is empty: it lacks even the zeros at its end")
        self.end = end
        count = self._high - self._low
        self._buffer[:count] = self._buffer[self._low : self._high]
        self._low, self._high = 0, count
        while self._high < BLOCK and (count := self._source.readinto(self._view[self._high :]) or 0):
            self._high += count
            self._received += count
        if bytes(self._view[: min(self._high, BLOCK)]).strip(b"\0"):
            raise ErrArchiveFormat("damaged tar archive: data after a block of zeros")
        finish = getattr(self._source, "finish", None)
        if finish is not None:
            finish()

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
            self._received += count
        return True

    def _read_large(self, size: int) -> bytes:
        target = _zeros(size)
        with target.getbuffer() as view:
            self._read_into(view)
        return target.getvalue()

    def _read_sparse(self, sparse: SparseMap[int]) -> bytes:
        target = _zeros(self._file_size)
        with target.getbuffer() as view:
            for offset, length in parts(sparse):
                self._read_into(view[offset : offset + length])
        return target.getvalue()

    def _read_into(self, view: memoryview) -> None:
        size = len(view)
        done = min(self._high - self._low, size)
        view[:done] = self._view[self._low : self._low + done]
        self._low += done
        while done < size:
            count = self._source.readinto(view[done:])
            if not count:
                raise ErrArchiveTruncated(f"tar archive ends {size - done} bytes early")
            done += count
            self._received += count

    def _skip(self, count: int) -> None:
        held = self._high - self._low
        if count <= held:
            self._low += count
            return
        count -= held
        self._low = self._high = 0
        skip = getattr(self._source, "skip", None)
        if skip is not None:
            skipped = skip(count)
            self._received += skipped
            if skipped < count:
                raise ErrArchiveTruncated(f"tar archive ends {count - skipped} bytes early")
            return
        while count:
            self._fill(1)
            self._low = min(count, self._high)
            count -= self._low
            if count:
                self._low = self._high = 0


def read_files(reader: TarReader) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of all files of a tar, links as the files that they point to.

    The contents are held until the end, for links to them. Links are yielded in their turn, those to what
    comes later at the end, and those that point to no file of the archive not at all.

    Args:
        reader: The tar, read with links.

    Raises:
        ErrArchiveTruncated: See `TarReader.next_member`.
        ErrArchiveFormat: See `TarReader.next_member`.
    """
    files: list[tuple[bytes, bytes]] = []
    links: dict[bytes, tuple[bytes, Link]] = {}
    by_path = _ByPath(files)
    while (member := reader.next_member()) is not None:
        name = member[0]
        if reader.link is None:
            file = name, reader.read_member()
            files.append(file)
            yield file
            continue
        content = by_path.find(link_path(name, reader.link))
        if content is None:
            links[member_path(name)] = name, reader.link
        else:
            files.append((name, content))
            yield name, content
    for path, (name, _) in links.items():
        content = by_path.find(final_target(path, links))
        if content is not None:
            yield name, content


class _ByPath:
    """Contents of files by path, which are found out when a link needs them: most tars have none."""

    def __init__(self, files: list[tuple[bytes, bytes]]) -> None:
        self._files = files
        self._known: dict[bytes, bytes] = {}
        self._done = 0

    def find(self, path: bytes) -> bytes | None:
        for name, content in self._files[self._done :]:
            self._known[member_path(name)] = content
        self._done = len(self._files)
        return self._known.get(path) if path else None


def parts(sparse: SparseMap[int]) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each part of a sparse file.

    Args:
        sparse: The map.
    """
    return zip(sparse[::2], sparse[1::2], strict=True)


def with_holes(
    sparse: SparseMap[int], size: int, read: Callable[[int, int], Iterator[bytes]]
) -> Iterator[bytes]:
    """Yield the bytes of a sparse file.

    Args:
        sparse: The parts that the archive has.
        size: Bytes of the file.
        read: Returns bytes that the archive has: from an offset, counted from the first part's, and how many.
    """
    zeros = bytes(min(size, _PIECE))
    position = stored = 0
    for offset, length in (*parts(sparse), (size, 0)):
        while position < offset:
            count = min(offset - position, _PIECE)
            yield zeros if count == len(zeros) else zeros[:count]
            position += count
        yield from read(stored, length)
        stored += length
        position += length


def _zeros(size: int) -> io.BytesIO:
    # The bytes object that BytesIO holds alone is filled in place and handed out without a copy.
    try:
        return io.BytesIO(bytes(size))
    except MemoryError:
        raise ErrArchiveFormat(f"tar member of {size} bytes does not fit into memory") from None
