"""Compressed tar streams, decompressed as they arrive and never further than asked for."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

from aistore.sdk.batch.archive.source import Source
from aistore.sdk.batch.errors import ErrArchiveTruncated, ErrBatchFormat
from aistore.sdk.errors import InvalidArgument

_RECEIVE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class _Decompressor(Protocol):
    """One compressed stream; ends by itself."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def unused_data(self) -> bytes | None:
        """What came after the end."""

    def pull(self, data: bytes, limit: int) -> bytes:
        """Take input, and return up to `limit` bytes of output."""

    def has_input(self) -> bool:
        """Return whether there may be output without more input."""


class _Gzip:
    def __init__(self) -> None:
        self._object = zlib.decompressobj(_GZIP)

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
            "output format .tar.lz4 needs the package lz4: pip install 'aistore[local]', or pip install lz4"
        ) from None
    return lz4.frame


def require_lz4() -> None:
    """Check that lz4 archives can be read.

    Raises:
        InvalidArgument: The package `lz4` is not installed.
    """
    _lz4_frame()


class DecompressingSource:
    """Reads what a compressed stream decompresses to.

    Several compressed streams in a row are one, as for `gzip`.

    Args:
        source: The compressed stream.
        kind: `"gzip"` or `"lz4"`.
    """

    def __init__(self, source: Source, kind: str) -> None:
        self._source = source
        self._kind = kind
        self._new = _Gzip if kind == "gzip" else _Lz4
        self._decompressor: _Decompressor | None = None
        self._input = bytearray(_RECEIVE)
        self._pending = b""

    def readinto(self, buffer: Any, /) -> int:
        """Fill the start of a buffer with what is there, at least one byte.

        Args:
            buffer: Writable.

        Returns:
            How many bytes; 0 at the end.

        Raises:
            ErrArchiveTruncated: The stream ends before the compressed data does.
            ErrBatchFormat: It is not compressed, or damaged.
        """
        view = memoryview(buffer)
        if not view:
            return 0
        while True:
            current = self._decompressor
            if current is not None and current.eof:
                self._pending = current.unused_data or b""
                current = self._decompressor = None
            data = self._pending
            self._pending = b""
            if not data and not (current is not None and current.has_input()):
                data = self._receive()
                if not data:
                    if current is not None:
                        raise ErrArchiveTruncated(f"{self._kind} stream ends early")
                    return 0
            if current is None:
                current = self._decompressor = self._new()
            out = self._pull(current, data, len(view))
            if out:
                view[: len(out)] = out
                return len(out)

    def _receive(self) -> bytes:
        count = self._source.readinto(self._input)
        return bytes(memoryview(self._input)[:count]) if count else b""

    def _pull(self, current: _Decompressor, data: bytes, limit: int) -> bytes:
        try:
            return current.pull(data, limit)
        except (zlib.error, RuntimeError, EOFError) as err:
            raise ErrBatchFormat(f"not a {self._kind} stream, or a damaged one: {err}") from err
