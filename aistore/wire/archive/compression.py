"""Compressed streams, decompressed as they arrive and never further than asked for."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated, InvalidArgument

GZIP = "gzip"
LZ4 = "lz4"
DEFLATE = "deflate"
"""A zlib stream, as HTTP has it, or one without the zlib header, as some servers send it."""

_RECEIVE = 64 * 1024
# A stream is fed slowly at first: what follows its end is copied, and there may be thousands of short ones.
_FIRST_INPUT = 512
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_LEVEL = 1
_MAX_EMPTY = 1000  # streams in a row that decompress to nothing
_MAX_TAIL = 1 << 20  # bytes after the end of a tar that are decompressed to reach the checksum


class Source(Protocol):
    """A stream of bytes that is read once; it may also have `skip(count)`, which returns what was skipped."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill the start of a buffer with at least one byte; return how many, 0 at the end."""


class Content(Protocol):
    """Bytes that can be read at any offset."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def read_at(self, offset: int, size: int, /) -> bytes:
        """Return bytes at an offset, fewer than `size` only at the end."""


class _ReadSource:
    """A source made of an object that can only `read`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)


def as_source(stream: Any) -> Source:
    """Return `stream` as a source.

    Args:
        stream: Anything with `readinto`, or at least `read`.
    """
    return stream if hasattr(stream, "readinto") else _ReadSource(stream)


class ContentSource:
    """A source that reads content from its beginning, and skips without reading.

    Args:
        content: The content.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._offset = 0

    def readinto(self, buffer: Any, /) -> int:
        """Fill the start of a buffer; return how many bytes, 0 at the end.

        Args:
            buffer: Writable.
        """
        view = memoryview(buffer)
        data = self._content.read_at(self._offset, len(view))
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def skip(self, count: int) -> int:
        """Go forward; return how many bytes, fewer than `count` only at the end.

        Args:
            count: How many.
        """
        count = min(count, max(0, self._content.size - self._offset))
        self._offset += count
        return count


class _Decompressor(Protocol):
    """One compressed stream; ends by itself."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def unused_data(self) -> bytes | None:
        """Input after the end."""

    def pull(self, data: bytes, limit: int) -> bytes:
        """Take input, and return up to `limit` bytes of output."""

    def has_input(self) -> bool:
        """Return whether there may be output without more input."""


class _Inflater:
    def __init__(self, window: int) -> None:
        self._object = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def pull(self, data: bytes, limit: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, limit)

    def has_input(self) -> bool:
        return bool(self._object.unconsumed_tail)


class _Lz4:
    def __init__(self) -> None:
        self._object = _lz4_frame().LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes | None:
        data: bytes | None = self._object.unused_data
        return data

    def pull(self, data: bytes, limit: int) -> bytes:
        out: bytes = self._object.decompress(data, limit)
        return out

    def has_input(self) -> bool:
        return not self._object.needs_input


def _lz4_frame() -> Any:
    try:
        import lz4.frame
    except ImportError:
        raise InvalidArgument(
            "the format .tar.lz4 needs the package lz4: pip install 'aistore[local]', or pip install lz4"
        ) from None
    return lz4.frame


def require_lz4() -> None:
    """Check that lz4 archives can be read and written.

    Raises:
        InvalidArgument: The package `lz4` is not installed.
    """
    _lz4_frame()


def _new_decompressor(kind: str, first: int) -> _Decompressor:
    if kind == LZ4:
        return _Lz4()
    if kind == GZIP:
        return _Inflater(_GZIP_WINDOW)
    return _Inflater(zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS)


class DecompressingSource:
    """A source of what a compressed stream decompresses to.

    Several compressed streams in a row are one, as for `gzip`; zeros after the last one are padding.

    Invariant: `_data[_at:]` was received and not given to a decompressor yet.

    Args:
        source: The compressed stream.
        kind: `GZIP`, `LZ4`, or `DEFLATE`, which is one stream.

    Raises:
        InvalidArgument: The package `lz4` is needed and not installed.
    """

    def __init__(self, source: Source, kind: str) -> None:
        if kind == LZ4:
            require_lz4()
        self._source = source
        self._kind = kind
        self._decompressor: _Decompressor | None = None
        self._input = bytearray(_RECEIVE)
        self._data = b""
        self._at = 0
        self._step = _FIRST_INPUT
        self._begun = False
        self._empty = 0

    def readinto(self, buffer: Any, /) -> int:
        """Fill the start of a buffer with at least one byte.

        Args:
            buffer: Writable.

        Returns:
            How many bytes; 0 at the end.

        Raises:
            ErrArchiveTruncated: The stream ends before the compressed data does.
            ErrArchiveFormat: It is not compressed, or damaged.
        """
        view = memoryview(buffer)
        if not view:
            return 0
        while True:
            current = self._decompressor or self._begin()
            if current is None:
                return 0
            out = self._pull(current, b"" if current.has_input() else self._next_input(), len(view))
            if current.eof:
                self._at -= len(current.unused_data or b"")
                self._decompressor = None
            if out:
                self._empty = 0
                view[: len(out)] = out
                return len(out)

    def finish(self) -> None:
        """Decompress the rest, up to 1 MiB, so that the checksum at the end of the stream is compared.

        Raises:
            ErrArchiveTruncated: The stream ends before the compressed data does.
            ErrArchiveFormat: It is damaged.
        """
        left = _MAX_TAIL
        buffer = bytearray(_RECEIVE)
        while left > 0 and (count := self.readinto(buffer)):
            left -= count

    def _begin(self) -> _Decompressor | None:
        """Start to decompress the next stream; return `None` if there is none."""
        if self._at == len(self._data) and not self._receive():
            if not self._begun:
                raise ErrArchiveTruncated(f"{self._kind} stream is empty")
            return None
        first = self._data[self._at]
        if self._begun and self._kind == DEFLATE:
            return None
        if self._begun and first == 0:
            self._skip_zeros()
            return None
        self._empty += 1
        if self._empty > _MAX_EMPTY:
            raise ErrArchiveFormat(f"more than {_MAX_EMPTY} {self._kind} streams in a row without any data")
        self._begun = True
        self._step = _FIRST_INPUT
        self._decompressor = _new_decompressor(self._kind, first)
        return self._decompressor

    def _skip_zeros(self) -> None:
        while not self._data[self._at :].strip(b"\0"):
            if not self._receive():
                return
        raise ErrArchiveFormat(f"damaged {self._kind} stream: data after its end")

    def _next_input(self) -> bytes:
        if self._at == len(self._data) and not self._receive():
            raise ErrArchiveTruncated(f"{self._kind} stream ends early")
        data = self._data[self._at : self._at + self._step]
        self._at += len(data)
        self._step = min(2 * self._step, _RECEIVE)
        return data

    def _receive(self) -> bool:
        count = self._source.readinto(self._input)
        self._data = bytes(memoryview(self._input)[:count]) if count else b""
        self._at = 0
        return bool(count)

    def _pull(self, current: _Decompressor, data: bytes, limit: int) -> bytes:
        try:
            return current.pull(data, limit)
        except (zlib.error, RuntimeError, EOFError, ValueError) as err:
            raise ErrArchiveFormat(f"not a {self._kind} stream, or a damaged one: {err}") from err


class Compressor(Protocol):
    """Compresses bytes piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Take input, and return output, possibly none."""

    def flush(self) -> bytes:
        """Return the rest."""


class _Lz4Compressor:
    def __init__(self) -> None:
        frame = _lz4_frame()
        self._inner = frame.LZ4FrameCompressor(block_size=frame.BLOCKSIZE_MAX256KB)
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head: bytes = b"" if self._begun else self._inner.begin()
        self._begun = True
        return head + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._inner.flush())


def new_compressor(kind: str) -> Compressor:
    """Return a compressor of one stream.

    Args:
        kind: `GZIP` or `LZ4`.

    Raises:
        InvalidArgument: The package `lz4` is needed and not installed.
    """
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW) if kind == GZIP else _Lz4Compressor()
