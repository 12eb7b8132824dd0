"""An object as a read-only file that can seek: every read asks for the range that it needs."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import DEFAULT_PARALLEL_CHUNK_SIZE
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.content_iterator.range_reader import RangeReader
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.parallel import WorkerPool
from aistore.wire.ranges import split_ranges

if TYPE_CHECKING:
    from aistore.sdk.obj.object_client import ObjectClient


class SeekableObjectReader(io.RawIOBase):
    """Reads ranges of one version of an object; large ones as several ranges at a time.

    Every read is a request or more: have an `io.BufferedReader` in front of it. Making one asks for size and
    version of the object (HEAD).

    Args:
        client: Sends the requests; it reads the whole object.
        num_workers: How many ranges to read at a time, at least 1.

    Raises:
        InvalidArgument: `num_workers` is out of range (also a `ValueError`).
        ErrObjNotFound: The object does not exist (also a `FileNotFoundError`).
    """

    def __init__(self, client: ObjectClient, num_workers: int) -> None:
        super().__init__()
        self._pool: WorkerPool | None = None
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
            raise InvalidArgument(f"num_workers must be an int of at least 1, not {num_workers!r}")
        attributes = client.head()
        self._path = client.path
        self._size = attributes.size
        self._reader = RangeReader(client, self._size, ObjectIdentity.from_headers(attributes))
        self._num_workers = num_workers
        self._position = 0

    @property
    def name(self) -> str:
        """Path of the object."""
        return self._path

    def readable(self) -> bool:
        """Return `True`."""
        return True

    def seekable(self) -> bool:
        """Return `True`."""
        return True

    def tell(self) -> int:
        """Return where the next read starts."""
        self._require_open()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Choose where the next read starts, and return it; asks the cluster nothing.

        Args:
            offset: How many bytes from there.
            whence: `os.SEEK_SET` (default), `os.SEEK_CUR` or `os.SEEK_END`.

        Raises:
            InvalidArgument: That is before the first byte, or `whence` is another (also a `ValueError`).
        """
        self._require_open()
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        if whence not in bases:
            raise InvalidArgument(f"whence must be 0, 1 or 2, not {whence!r}")
        position = bases[whence] + offset
        if position < 0:
            raise InvalidArgument(f"cannot seek to {position}, before the first byte")
        self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with the next bytes and return how many came: fewer than it holds only at the end.

        Args:
            buffer: Writable and contiguous.

        Raises:
            ErrObjectChanged: The object was overwritten since it was opened.
        """
        self._require_open()
        with memoryview(buffer) as given, given.cast("B") as view:
            wanted = max(0, min(len(view), self._size - self._position))
            if wanted:
                self._read(view[:wanted], self._position)
        self._position += wanted
        return wanted

    def close(self) -> None:
        """Close the file; further reads fail."""
        pool, self._pool = self._pool, None
        if pool is not None:
            self._reader.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
        super().close()

    def _read(self, view: memoryview, start: int) -> None:
        ranges = split_ranges(len(view), DEFAULT_PARALLEL_CHUNK_SIZE)
        if len(ranges) == 1 or self._num_workers == 1:
            self._reader.read(view, start)
            return
        if self._pool is None:
            self._pool = WorkerPool(self._num_workers, "ais-range")
        try:
            # Listed first: all are under way before the first is waited for.
            for done in [self._pool.submit(self._reader.read, view[a:b], start + a) for a, b in ranges]:
                done.result()
        except BaseException:
            self.close()  # no thread may write to the buffer when it is the caller's again
            raise

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
