"""The compressions of the tar family, behind small interfaces; lz4 is imported on first use."""

from __future__ import annotations

import importlib
import io
import zlib
from typing import Any, Protocol

from aistore.local.archives.formats import Format
from aistore.local.errors import LocalError

_GZIP = 31
_GZIP_LEVEL = 1
_LZ4_BLOCKS = 256 << 10


class Compressor(Protocol):
    """Turns bytes into compressed bytes, piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready after more input."""

    def flush(self) -> bytes:
        """The rest."""


class _Lz4Compressor:
    def __init__(self) -> None:
        frame = lz4_frame()
        self._inner = frame.LZ4FrameCompressor(block_size=frame.BLOCKSIZE_MAX256KB)
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head: bytes = b"" if self._begun else self._inner.begin()
        self._begun = True
        return head + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        head: bytes = b"" if self._begun else self._inner.begin()
        self._begun = True
        return head + bytes(self._inner.flush())


def lz4_frame() -> Any:
    """The module `lz4.frame`.

    Raises:
        LocalError: It is not installed.
    """
    try:
        return importlib.import_module("lz4.frame")
    except ImportError as err:
        raise LocalError(
            ".tar.lz4 archives need the package lz4: pip install 'aistore[local]'", status=501
        ) from err


def compressor(kind: Format) -> Compressor | None:
    """A fresh compressor, None for plain tar."""
    if kind is Format.TGZ:
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return _Lz4Compressor() if kind is Format.LZ4 else None


def decompressing(kind: Format, raw: io.BufferedIOBase) -> Any:
    """A file to read the tar stream of `raw` from, forward only."""
    if kind is Format.TGZ:
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if kind is Format.LZ4:
        return lz4_frame().LZ4FrameFile(raw)
    return raw
