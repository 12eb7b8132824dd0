"""Writing an archive as a stream: each member's bytes go on as they come."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING

from aistore.local.archives import codecs
from aistore.local.archives.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_MODE = 0o644
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class _Sink(io.RawIOBase):
    """What `zipfile` writes to: not seekable, so that sizes follow the data."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raw = bytes(data)  # type: ignore[call-overload]  # any bytes-like object
        self._sink(raw)
        return len(raw)


class ArchiveWriter:
    """Writes members one after the other.

    Tar headers are USTAR where name and size fit, PAX otherwise; two empty blocks end it, without padding.

    Args:
        kind (Format): The format.
        sink: Takes the archive's bytes.
    """

    def __init__(self, kind: Format, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._codec = codecs.compressor(kind)
        self._zip = None
        if kind is Format.ZIP:
            self._zip = zipfile.ZipFile(_Sink(sink), "w", zipfile.ZIP_DEFLATED)

    def add(self, name: str, size: int, pieces: Iterable[bytes], *, mtime: int = 0) -> None:
        """Add a member.

        Args:
            name (str): Its name in the archive.
            size (int): Its exact length.
            pieces: Its bytes.
            mtime (int): Unix seconds.

        Raises:
            ValueError: The pieces are not `size` bytes; the archive is then unusable.
        """
        if self._zip is not None:
            self._add_zip(self._zip, name, size, pieces, mtime)
            return
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, mtime, _MODE
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        done = 0
        for piece in pieces:
            done += len(piece)
            self._write(piece)
        _check(name, done, size)
        if done % _BLOCK:
            self._write(bytes(_BLOCK - done % _BLOCK))

    def _add_zip(
        self, archive: zipfile.ZipFile, name: str, size: int, pieces: Iterable[bytes], mtime: int
    ) -> None:
        when = time.gmtime(mtime)[:6] if mtime > 0 else _ZIP_EPOCH
        info = zipfile.ZipInfo(
            name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), max(when, _ZIP_EPOCH)
        )
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = _MODE << 16
        done = 0
        with archive.open(info, "w", force_zip64=size >= zipfile.ZIP64_LIMIT) as member:
            for piece in pieces:
                done += len(piece)
                member.write(piece)
        _check(name, done, size)

    def _write(self, data: bytes) -> None:
        out = data if self._codec is None else self._codec.compress(data)
        if out:
            self._sink(out)

    def close(self) -> None:
        """Write the archive's end."""
        if self._zip is not None:
            self._zip.close()
            return
        self._write(_END)
        if self._codec is not None:
            self._sink(self._codec.flush())


def _check(name: str, done: int, size: int) -> None:
    if done != size:
        raise ValueError(f"{name}: {done} bytes instead of {size}")
