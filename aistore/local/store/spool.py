"""Space of the data folder that no object has: temporary bytes, which count for quota and reserve as well."""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING

from aistore.local.disk_errors import disk_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.store import Store

_PIECE = 256 << 10


class Reservation:
    """Bytes on the disk that are counted for as long as they are there.

    Args:
        store (Store): The store whose quota and disk they take up.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.size = 0

    def grow(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            OutOfSpace: The quota or the disk has no room for them.
        """
        self._store.take_space(size)
        self.size += size

    def room(self) -> int:
        """Bytes that could be counted now."""
        return self._store.room()

    def close(self) -> None:
        """Count them no more."""
        taken, self.size = self.size, 0
        self._store.quota.give_back(taken)


class Spool:
    """Bytes for the length of a request or a job: in memory, and beyond a limit in a file without a name.

    One thread writes; any thread may read.

    Args:
        store (Store): The store whose quota and disk the file takes up.
        limit (int): Bytes to hold in memory.
    """

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._reserved = Reservation(store)
        self.size = 0

    @property
    def is_on_disk(self) -> bool:
        """Whether they are in the file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            OutOfSpace: The quota is used up or the disk is full.
        """
        if self._file is None and self.size + len(data) > self._limit:
            self._move_to_disk()
        if self._file is None:
            self._memory += data
        else:
            self._append(self._file, data)
        self.size += len(data)

    def _move_to_disk(self) -> None:
        try:
            file = tempfile.TemporaryFile(buffering=0, dir=self._store.files.root)  # noqa: SIM115 - kept
        except OSError as err:
            raise disk_error(err) from err
        self._file = file
        self._append(file, self._memory)
        self._memory = bytearray()

    def _append(self, file: IO[bytes], data: bytes | bytearray) -> None:
        self._reserved.grow(len(data))
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file.fileno(), view) :]
        except OSError as err:
            raise disk_error(err) from err
        finally:
            view.release()

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """Bytes from an offset on, piece by piece."""
        while size:
            count = min(size, _PIECE)
            if self._file is None:
                data = bytes(self._memory[offset : offset + count])
            else:
                data = os.pread(self._file.fileno(), count, offset)
            yield data
            offset += len(data)
            size -= len(data)

    def close(self) -> None:
        """Give up memory and file."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
        self._reserved.close()

    def __del__(self) -> None:
        # A response whose client is gone before its first byte is never asked for its pieces.
        self.close()
