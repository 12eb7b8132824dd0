"""The body of one part as a file."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any

from aistore.sdk.batch.multipart.multipart_stream_buffer import MultipartStreamBuffer
from aistore.sdk.pieces import gather


class BodyStreamReader(BufferedIOBase):
    """Reads the body of a part, as it arrives, up to its boundary. It cannot seek.

    Args:
        buffer_reader: Holds what was received.
    """

    def __init__(self, buffer_reader: MultipartStreamBuffer) -> None:
        super().__init__()
        self._pieces: Iterator[bytes] = buffer_reader.read_until_boundary()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return whether the file is open."""
        return not self.closed

    def seekable(self) -> bool:
        """Return `False`."""
        return False

    def writable(self) -> bool:
        """Return `False`."""
        return False

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the part.

        Args:
            size: How many. Default: -1 (like `None`), all that are left.
        """
        return gather(self._take, size)

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` bytes that are there.

        Args:
            size: How many at most. Default: -1, any number.
        """
        return bytes(self._take(size)) if size else b""

    def readinto(self, buffer: Any) -> int:
        """Fill the start of a buffer with what is there, at least one byte; return how many, 0 at the end.

        Args:
            buffer: Writable.
        """
        view = memoryview(buffer)
        part = self._take(len(view)) if view else self._rest[:0]
        view[: len(part)] = part
        return len(part)

    def skip_rest(self) -> None:
        """Read past what is left of the part."""
        while not self.closed and self._take(-1):
            pass

    def close(self) -> None:
        """Close the file; the part's bytes stay where they are."""
        super().close()

    def _take(self, size: int) -> memoryview:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        part = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(part) :]
        return part
