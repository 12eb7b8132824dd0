"""Where the bytes of records are: in plain tars, which are read in place, or copied out of other archives."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from aistore.local.disk_errors import disk_error
from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK = 256 << 10
_MAX_OPEN = 32


class Payload:
    """Bytes copied out of compressed archives: in memory, and when they are too many in a file.

    Args:
        path (Path): The file, which is made when it is needed.
        limit (int): Bytes to hold in memory.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._memory = bytearray()
        self._fd = -1
        self._size = 0

    @property
    def is_on_disk(self) -> bool:
        """Whether they are in the file."""
        return self._fd >= 0

    def add(self, pieces: Iterable[bytes]) -> int:
        """Append bytes; returns their offset.

        Raises:
            OutOfSpace: The disk is full.
        """
        begin = self._size
        for piece in pieces:
            if self._fd < 0 and self._size + len(piece) > self._limit:
                self._move_to_disk()
            if self._fd < 0:
                self._memory += piece
            else:
                self._write(piece)
            self._size += len(piece)
        return begin

    def _move_to_disk(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as err:
            raise disk_error(err) from err
        self._write(self._memory)
        self._memory = bytearray()

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as err:
            raise disk_error(err) from err
        finally:
            view.release()

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """Bytes from an offset on, piece by piece; from any thread."""
        while size:
            count = min(size, _CHUNK)
            if self._fd < 0:
                data = bytes(self._memory[offset : offset + count])
            else:
                data = os.pread(self._fd, count, offset)
            yield data
            offset += len(data)
            size -= len(data)

    def close(self) -> None:
        """Close the file, which is the caller's to remove."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Sources:
    """Content files of the input shards, by their numbers; a few are open at a time.

    Args:
        files: Name of each shard and path of its content file, at the time when it was looked through.
    """

    def __init__(self, files: list[tuple[str, str]]) -> None:
        self._files = files
        self._open: OrderedDict[int, int] = OrderedDict()

    def read(self, source: int, offset: int, size: int) -> Iterator[bytes]:
        """Bytes of a shard, piece by piece.

        Raises:
            InvalidRequest: The shard was replaced or removed meanwhile.
        """
        fd = self._descriptor(source)
        while size:
            data = os.pread(fd, min(size, _CHUNK), offset)
            if not data:
                raise InvalidRequest(f"{self._files[source][0]} is cut off")
            yield data
            offset += len(data)
            size -= len(data)

    def _descriptor(self, source: int) -> int:
        fd = self._open.get(source)
        if fd is not None:
            self._open.move_to_end(source)
            return fd
        if len(self._open) >= _MAX_OPEN:
            os.close(self._open.popitem(last=False)[1])
        name, path = self._files[source]
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as err:
            raise InvalidRequest(f"{name} was replaced or removed while it was being sorted") from err
        self._open[source] = fd
        return fd

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            os.close(self._open.popitem()[1])
