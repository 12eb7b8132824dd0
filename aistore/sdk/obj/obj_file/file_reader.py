"""An object as a read-only file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aistore.sdk.obj.obj_file.stream import ResumableStream
from aistore.sdk.pieces import gather

if TYPE_CHECKING:
    from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider
    from aistore.sdk.obj.verification import Verifier

_EMPTY = memoryview(b"")


class ObjectFileReader(io.BufferedIOBase):
    """Reads an object like a binary file, from the first byte to the last, and outlives broken connections.

    Nothing is asked of the cluster before the first read. Entering it as a context manager starts at the
    first byte again, also after it was closed. It cannot seek.

    Args:
        content_provider: Where the bytes come from.
        max_resume: How many times the stream may break before reading fails.
        new_verifier: Makes what compares the bytes with the cluster's checksum. Default: `None`, no
            comparison.
    """

    def __init__(
        self,
        content_provider: BaseContentIterProvider,
        max_resume: int,
        new_verifier: Callable[[], Verifier] | None = None,
    ) -> None:
        super().__init__()
        self._stream = ResumableStream(content_provider, max_resume)
        self._new_verifier = new_verifier
        self._reads_ranges = content_provider.reads_ranges
        self._reset(is_closed=False)

    def _reset(self, *, is_closed: bool) -> None:
        self._is_closed = is_closed
        self._is_reading = False
        self._at_end = False
        self._position = 0
        self._rest = _EMPTY  # of the last chunk
        self._verifier = self._new_verifier() if self._new_verifier is not None else None

    @property
    def name(self) -> str:
        """Path of the object."""
        return self._stream.path

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._is_closed

    def readable(self) -> bool:
        """Return whether the file is open."""
        return not self._is_closed

    def tell(self) -> int:
        """Return how many bytes were read."""
        self._require_open()
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the object.

        Args:
            size: How many. Default: -1 (like `None`), all that are left.

        Raises:
            ObjectFileReaderMaxResumeError: The stream broke too often.
            ErrObjectChanged: It broke, and the object was overwritten meanwhile.
            ErrChecksumMismatch: The bytes are not those of the cluster's checksum (at the end).
            ValueError: The file is closed.
        """
        self._require_open()
        return gather(self._take, size)

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` bytes of what came last from the connection, or of the next piece.

        Args:
            size: How many at most. Default: -1, the whole piece.
        """
        self._require_open()
        return bytes(self._take(size)) if size else b""

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with the next bytes and return how many came: fewer than it holds only at the end.

        Args:
            buffer: Writable and contiguous.
        """
        self._require_open()
        filled = 0
        with memoryview(buffer) as given, given.cast("B") as view:
            while filled < len(view):
                part = self._take(len(view) - filled)
                if not part:
                    break
                view[filled : filled + len(part)] = part
                filled += len(part)
        return filled

    def peek(self, size: int = 0) -> bytes:
        """Return bytes that the next read will return again; empty only at the end.

        Args:
            size: Ignored, as in `io.BufferedReader`.
        """
        self._require_open()
        self._fetch()
        return bytes(self._rest)

    def close(self) -> None:
        """Close the connection; further reads fail."""
        self._is_closed = True
        self._is_reading = False
        self._rest = _EMPTY
        self._stream.close()

    def __enter__(self) -> ObjectFileReader:
        self._stream.restart()
        self._reset(is_closed=False)
        return self

    def __del__(self) -> None:
        if getattr(self, "_is_reading", False):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __repr__(self) -> str:
        return f"<ObjectFileReader {self.name!r}{' closed' if self._is_closed else ''}>"

    def _require_open(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file")

    def _take(self, size: int) -> memoryview:
        """Return up to `size` of the next bytes (negative: any number); empty only at the end."""
        self._fetch()
        part = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(part) :]
        self._position += len(part)
        return part

    def _fetch(self) -> None:
        """Have bytes at hand, unless this is the end."""
        if self._rest or self._at_end:
            return
        try:
            self._is_reading = True
            chunk = next(self._stream, None)
            if chunk is None:
                self._at_end = True
                self._is_reading = False
            self._compare(chunk)
        except BaseException:
            self.close()
            raise
        self._rest = chunk or _EMPTY

    def _compare(self, chunk: memoryview | None) -> None:
        if self._verifier is None:
            return
        self._verifier.begin(self._stream.identity, is_range=self._reads_ranges)
        if chunk is None:
            self._verifier.finish()
        else:
            self._verifier.update(chunk)


ObjectFileReader.__module__ = (
    "aistore.sdk.obj.obj_file.object_file"  # where pickles for the 2.0.0 package find it
)
