"""A reader of zip archives, which can only be read once their last byte is there."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from aistore.sdk.batch.archive.source import Source
from aistore.sdk.batch.errors import ErrBatchFormat
from aistore.sdk.const import MIB

_IN_MEMORY = 8 * MIB  # larger archives go to a temporary file
_COPY = 256 * 1024
_UTF8_NAME = 0x800
# What `zipfile` raises for damage, depending on where it is.
_DAMAGED = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


class ZipReader:
    """Reads a zip archive, one member at a time, from a temporary copy of the stream.

    Args:
        source: The stream.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._spool: IO[bytes] | None = None
        self._zip: ZipFile | None = None
        self._members: Iterator[ZipInfo] = iter(())
        self._left = 0
        self._current: ZipInfo | None = None

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next file.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrBatchFormat: The stream is not a zip archive.
        """
        if self._zip is None:
            self._open()
        self._current = next(self._members, None)
        if self._current is None:
            return None
        self._left -= 1
        encoding = "utf-8" if self._current.flag_bits & _UTF8_NAME else "cp437"
        return self._current.filename.encode(encoding), self._current.file_size

    def read_member(self) -> bytes:
        """Return the bytes of the member that `next_member` went to.

        Raises:
            ErrBatchFormat: They are damaged.
        """
        assert self._zip is not None
        assert self._current is not None
        try:
            data = self._zip.read(self._current)
        except _DAMAGED as err:
            raise ErrBatchFormat(f"damaged zip archive: {self._current.filename}: {err}") from err
        if len(data) != self._current.file_size:
            raise ErrBatchFormat(
                f"damaged zip archive: {self._current.filename} has {len(data)} bytes, "
                f"its directory says {self._current.file_size}"
            )
        return data

    def has_more_at_hand(self) -> bool:
        """Return whether another member follows."""
        return self._left > 0

    def close(self) -> None:
        """Remove the temporary copy."""
        if self._zip is not None:
            self._zip.close()
        if self._spool is not None:
            self._spool.close()

    def _copy(self) -> None:
        self._spool = BytesIO()
        piece = memoryview(bytearray(_COPY))
        while count := self._source.readinto(piece):
            self._spool.write(piece[:count])
            if isinstance(self._spool, BytesIO) and self._spool.tell() > _IN_MEMORY:
                memory, self._spool = self._spool, TemporaryFile()  # noqa: SIM115 - closed by close
                memory.seek(0)
                shutil.copyfileobj(memory, self._spool)

    def _open(self) -> None:
        self._copy()
        assert self._spool is not None
        try:
            self._zip = ZipFile(self._spool)
        except _DAMAGED as err:
            raise ErrBatchFormat(f"not a zip archive, or a damaged one: {err}") from err
        if not all(info.filename for info in self._zip.infolist()):
            raise ErrBatchFormat("damaged zip archive: a member without a name")
        members = [info for info in self._zip.infolist() if not info.is_dir()]
        self._members, self._left = iter(members), len(members)
