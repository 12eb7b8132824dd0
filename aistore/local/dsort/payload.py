"""Bytes of records in the plain tars that they are read from in place."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 256 << 10
_MAX_OPEN = 32


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
