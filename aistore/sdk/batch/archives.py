"""Readers of the archives that Get-Batch responses are."""

from __future__ import annotations

from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any

from aistore.sdk.const import EXT_TAR, MIB
from aistore.wire.archive.compression import Source, as_source
from aistore.wire.archive.formats import DEFAULT_BUFFER_SIZE, EXTENSIONS, Format, tar_source
from aistore.wire.archive.tar import TarReader
from aistore.wire.archive.zip import ZipReader

_IN_MEMORY = 8 * MIB  # larger zips go to a temporary file
_COPY = 256 * 1024


class SpooledZip:
    """Reads a zip from a copy of its stream, made when the first member is requested.

    Args:
        source: The stream.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file: IO[bytes] = BytesIO()
        self._reader: ZipReader | None = None
        self.size = 0

    def read_at(self, offset: int, size: int, /) -> bytes:
        """Return bytes of the copy.

        Args:
            offset: Where they begin.
            size: How many.
        """
        self._file.seek(offset)
        return self._file.read(size)

    def next_member(self) -> tuple[bytes, int] | None:
        """See `ArchiveReader`."""
        if self._reader is None:
            self._copy()
            self._reader = ZipReader(self)
        return self._reader.next_member()

    def read_member(self) -> bytes:
        """See `ArchiveReader`."""
        assert self._reader is not None
        return self._reader.read_member()

    def has_more_at_hand(self) -> bool:
        """Return whether another member follows."""
        return self._reader is not None and self._reader.has_more_at_hand()

    def close(self) -> None:
        """Remove the copy."""
        self._file.close()

    def _copy(self) -> None:
        piece = memoryview(bytearray(_COPY))
        while count := self._source.readinto(piece):
            self._file.write(piece[:count])
            self.size += count
            if self.size > _IN_MEMORY and isinstance(self._file, BytesIO):
                memory, self._file = self._file, TemporaryFile()  # noqa: SIM115 - closed by close
                self._file.write(memory.getbuffer())


def open_archive(
    stream: Any, name: str | None, buffer_size: int = DEFAULT_BUFFER_SIZE
) -> TarReader | SpooledZip:
    """Return a reader of an archive.

    Args:
        stream: Its bytes: anything with `readinto` or `read`.
        name: Its format, as a request names it. `None`: tar.
        buffer_size: How much of a tar to receive at a time, in bytes. Default: 64 KiB.

    Raises:
        InvalidArgument: A package that the format needs is not installed.
    """
    kind = EXTENSIONS[(name or EXT_TAR).lower()]
    source = as_source(stream)
    return SpooledZip(source) if kind is Format.ZIP else TarReader(tar_source(source, kind), buffer_size)
