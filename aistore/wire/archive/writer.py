"""A writer of archives as streams: each member's bytes go on as they come."""

from __future__ import annotations

import struct
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator

from aistore.errors import ErrArchiveTruncated
from aistore.wire.archive.compression import Content, ContentSource
from aistore.wire.archive.formats import Format, open_tar, tar_compressor, tar_source
from aistore.wire.archive.members import path_bytes
from aistore.wire.archive.zip import DEFLATED, ZipArchive

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_MODE = 0o644
_PIECE = 256 * 1024
_MAX_16 = 0xFFFF
_MAX_32 = 0xFFFFFFFF
# Sizes and offsets from here on take 64 bits: deflate may enlarge what it compresses.
_LARGE = 0xF0000000
_SIZES_FOLLOW = 1 << 3
_UTF8 = 1 << 11
_VERSION = 20
_VERSION_LARGE = 45
_MADE_ON_UNIX = 3 << 8
_FIRST_TIME = 315532800  # 1980-01-01
_LAST_TIME = 4354819198  # 2107-12-31 23:59:58

Sink = Callable[[bytes], object]


class ArchiveWriter:
    """Writes members one after the other.

    Args:
        kind: The format.
        sink: Takes the archive's bytes.

    Raises:
        InvalidArgument: A package that the format needs is not installed.
    """

    def __init__(self, kind: Format, sink: Sink) -> None:
        self._writer = _ZipWriter(sink) if kind is Format.ZIP else _TarWriter(kind, sink)

    def keep(self, content: Content) -> None:
        """Begin with the members of an archive of the same format, byte for byte; before any other is added.

        Args:
            content: The archive.

        Raises:
            ErrArchiveFormat: The archive is damaged.
            ErrArchiveTruncated: It ends early.
        """
        self._writer.keep(content)

    def add(self, name: str, size: int, pieces: Iterable[bytes], *, mtime: int = 0) -> None:
        """Add a member.

        Args:
            name: Its name in the archive; surrogates stand for bytes that are not UTF-8.
            size: Its exact length.
            pieces: Its bytes.
            mtime: When it was modified, in seconds of Unix time. Default: 0.

        Raises:
            ValueError: The pieces are not `size` bytes; the archive is then unusable.
        """
        for _ in self.adding(name, size, pieces, mtime=mtime):
            pass

    def adding(self, name: str, size: int, pieces: Iterable[bytes], *, mtime: int = 0) -> Iterator[None]:
        """Add a member as `add` does, in steps: after each, what was written can be taken away.

        Args:
            name: Its name in the archive; surrogates stand for bytes that are not UTF-8.
            size: Its exact length.
            pieces: Its bytes.
            mtime: When it was modified, in seconds of Unix time. Default: 0.

        Raises:
            ValueError: The pieces are not `size` bytes; the archive is then unusable.
        """
        return self._writer.adding(name, size, pieces, mtime)

    def close(self) -> None:
        """Write the archive's end."""
        self._writer.close()


def _counted(name: str, size: int, pieces: Iterable[bytes]) -> Iterable[bytes]:
    done = 0
    for piece in pieces:
        done += len(piece)
        yield piece
    if done != size:
        raise ValueError(f"{name}: {done} bytes instead of {size}")


class _TarWriter:
    """Writes a tar: USTAR where name and size fit, else PAX; two empty blocks end it, without padding."""

    def __init__(self, kind: Format, sink: Sink) -> None:
        self._kind = kind
        self._sink = sink
        self._compressor = tar_compressor(kind)
        # What global records say of all members to come is said of each new one itself.
        self._is_explicit = False

    def keep(self, content: Content) -> None:
        reader = open_tar(content, self._kind)
        while reader.next_member() is not None:
            pass
        reader.close()
        self._is_explicit = bool(reader.globals)
        source = tar_source(ContentSource(content), self._kind)
        left = reader.end or 0
        buffer = memoryview(bytearray(_PIECE))
        while left:
            count = source.readinto(buffer[:left])
            if not count:
                raise ErrArchiveTruncated(f"tar archive ends {left} bytes early")
            self._write(bytes(buffer[:count]))
            left -= count

    def adding(self, name: str, size: int, pieces: Iterable[bytes], mtime: int) -> Iterator[None]:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, mtime, _MODE
        if self._is_explicit:
            info.pax_headers = {"path": name, "size": str(size), "mtime": str(mtime)}
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        for piece in _counted(name, size, pieces):
            self._write(piece)
            yield
        if size % _BLOCK:
            self._write(bytes(_BLOCK - size % _BLOCK))

    def _write(self, data: bytes) -> None:
        out = data if self._compressor is None else self._compressor.compress(data)
        if out:
            self._sink(out)

    def close(self) -> None:
        self._write(_END)
        if self._compressor is not None:
            self._sink(self._compressor.flush())


class _ZipWriter:
    """Writes a zip whose members' sizes follow their bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._position = 0
        self._base = 0
        self._directory: list[bytes] = []
        self._count = 0
        self._comment = b""

    def keep(self, content: Content) -> None:
        kept = ZipArchive(content)
        while self._position < kept.directory_offset:
            self._write(content.read_at(self._position, min(_PIECE, kept.directory_offset - self._position)))
        self._base, self._count, self._comment = kept.base, kept.count, kept.comment
        self._directory.append(kept.directory)

    def adding(self, name: str, size: int, pieces: Iterable[bytes], mtime: int) -> Iterator[None]:
        raw = path_bytes(name)
        offset = self._position
        flags = _SIZES_FOLLOW | (_UTF8 if not raw.isascii() and _is_utf8(raw) else 0)
        is_large = size > _LARGE
        common = struct.pack(
            "<HHHL", _VERSION_LARGE if is_large else _VERSION, flags, DEFLATED, _dos_time(mtime)
        )
        # Zeros for what follows the bytes; the extra field says that the sizes there take 64 bits each.
        extra = struct.pack("<2H2Q", 1, 16, 0, 0) if is_large else b""
        sizes = _MAX_32 if is_large else 0
        self._write(
            b"PK\3\4" + common + struct.pack("<3L2H", 0, sizes, sizes, len(raw), len(extra)) + raw + extra
        )
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        start, crc = self._position, 0
        for piece in _counted(name, size, pieces):
            crc = zlib.crc32(piece, crc)
            self._write(compressor.compress(piece))
            yield
        self._write(compressor.flush())
        stored = self._position - start
        self._write(b"PK\7\10" + struct.pack("<L2Q" if is_large else "<3L", crc, stored, size))
        self._add_entry(raw, common, (crc, stored, size), offset - self._base, is_large)

    def _add_entry(
        self, raw: bytes, common: bytes, sums: tuple[int, int, int], offset: int, is_large: bool
    ) -> None:
        crc, stored, size = sums
        is_far = offset > _LARGE
        large = [size, stored] if is_large else []
        if is_far:
            large.append(offset)
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        version = _VERSION_LARGE if large else _VERSION
        self._directory.append(
            b"PK\1\2"
            + struct.pack("<H", _MADE_ON_UNIX | version)
            + struct.pack("<H", version)
            + common[2:]
            + struct.pack(
                "<3L5H2L",
                crc,
                _MAX_32 if is_large else stored,
                _MAX_32 if is_large else size,
                len(raw),
                len(extra),
                0,
                0,
                0,
                (0o100000 | _MODE) << 16,
                _MAX_32 if is_far else offset,
            )
            + raw
            + extra
        )
        self._count += 1

    def _write(self, data: bytes) -> None:
        if data:
            self._position += len(data)
            self._sink(data)

    def close(self) -> None:
        start = self._position
        for entry in self._directory:
            self._write(entry)
        size, offset = self._position - start, start - self._base
        if self._count >= _MAX_16 or size > _LARGE or offset > _LARGE:
            end = self._position - self._base
            self._write(
                struct.pack(
                    "<4sQ2H2L4Q",
                    b"PK\6\6",
                    44,
                    _MADE_ON_UNIX | _VERSION_LARGE,
                    _VERSION_LARGE,
                    0,
                    0,
                    self._count,
                    self._count,
                    size,
                    offset,
                )
                + struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
            )
        count = min(self._count, _MAX_16)
        self._write(
            struct.pack(
                "<4s4H2LH",
                b"PK\5\6",
                0,
                0,
                count,
                count,
                min(size, _MAX_32),
                min(offset, _MAX_32),
                len(self._comment),
            )
            + self._comment
        )


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _dos_time(mtime: int) -> int:
    """Return a time as MS-DOS has it, date in the high half; the nearest one that it knows."""
    year, month, day, hour, minute, second = time.gmtime(min(max(_FIRST_TIME, mtime), _LAST_TIME))[:6]
    return (year - 1980) << 25 | month << 21 | day << 16 | hour << 11 | minute << 5 | second >> 1
