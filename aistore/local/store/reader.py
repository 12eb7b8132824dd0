"""Reading an object: its immutable content file, and an open descriptor of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aistore.local import work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from aistore.local.catalog import ObjectMeta

DEFAULT_CHUNK = 1 << 20


class ObjectFile:
    """An object and where its bytes are; the file goes when the object is overwritten or deleted.

    Attributes:
        meta: What the catalog knew when it was looked for.
        path: The content file.
    """

    def __init__(self, meta: ObjectMeta, path: str) -> None:
        self.meta = meta
        self.path = path


class ObjectReader(ObjectFile):
    """An object open for reading. It stays whole when the object is overwritten or deleted meanwhile."""

    def __init__(self, meta: ObjectMeta, path: str, fd: int) -> None:
        super().__init__(meta, path)
        self._fd = fd

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self.meta.size

    def fileno(self) -> int:
        """The descriptor, owned by this reader."""
        return self._fd

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes at an offset; fewer than `size` only at the end. Work that is to end does so here."""
        work.check()
        data = os.pread(self._fd, size, offset)
        while data and len(data) < size and offset + len(data) < self.meta.size:
            more = os.pread(self._fd, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def read_all(self) -> bytes:
        """The whole object, which the caller knows to be small."""
        return self.read_at(0, self.meta.size)

    def chunks(
        self, offset: int = 0, length: int | None = None, size: int = DEFAULT_CHUNK
    ) -> Iterator[bytes]:
        """Pieces of at most `size` bytes; closes nothing."""
        end = self.meta.size if length is None else min(self.meta.size, offset + length)
        while offset < end:
            data = self.read_at(offset, min(size, end - offset))
            if not data:
                raise OSError(f"{self.path}: {end - offset} bytes are missing")
            offset += len(data)
            yield data

    def close(self) -> None:
        """Release the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
