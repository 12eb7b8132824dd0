"""Request bodies: how long they are, how they are read, and whether they can be sent again."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from aistore.sdk.errors import AISUnrewindableBodyError, InvalidArgument, InvalidArgumentType

CHUNK = 256 * 1024
"""How much of a body is read and sent at a time, in bytes."""


class BodyError(Exception):
    """The source of a body is not what it said: the request cannot be completed."""


class Summing(Protocol):
    """Takes bytes on their way."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take the next bytes."""


class Body:
    """A request body.

    Args:
        source: Bytes-like object, str (sent as UTF-8), binary file, or iterable of bytes.

    Attributes:
        source: What the caller gave.
        size: Number of bytes, or None when it is not known beforehand (sent chunked).
        view: The bytes, when they are in memory.
        file: The file, when it is one.
        touched: Whether any of it was read for sending.
    """

    __slots__ = ("_new_hasher", "_start", "file", "size", "source", "touched", "view")

    def __init__(self, source: Any) -> None:
        self.source = source
        self.view: bytes | memoryview | None = None
        self.file: Any = None
        self.size: int | None = None
        self.touched = False
        self._new_hasher: Callable[[], Summing] | None = None
        self._start: int | None = None
        if isinstance(source, str):
            try:
                source = source.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:
                raise InvalidArgument("data cannot be encoded as UTF-8: expected text or bytes") from None
        if isinstance(source, bytes):
            self.view, self.size = source, len(source)
        elif isinstance(source, (bytearray, memoryview)):
            view = memoryview(source).cast("B")
            self.view, self.size = view, len(view)
        elif hasattr(source, "read"):
            self._init_file(source)
        elif isinstance(source, Mapping) or not isinstance(source, Iterable):
            raise InvalidArgumentType(
                f"data of type {type(source).__name__}: "
                "expected bytes, str, a binary file or an iterable of bytes"
            )

    @classmethod
    def of(cls, data: Any) -> Body | None:
        """Wrap what the caller gave.

        Args:
            data: A body, a source of one, or None.

        Returns:
            The body, or None when there is none.
        """
        return data if data is None or isinstance(data, Body) else cls(data)

    def _init_file(self, file: Any) -> None:
        if isinstance(file, io.TextIOBase):
            raise InvalidArgumentType("data is a file opened in text mode: open it in binary mode")
        self.file = file
        try:
            self._start = file.tell()
        except (AttributeError, OSError, ValueError):
            return
        self.size = _remaining(file, self._start)

    @property
    def can_rewind(self) -> bool:
        """Whether it can be read again."""
        if self.file is not None:
            return self._start is not None
        return self.view is not None or isinstance(self.source, (list, tuple))

    def rewind(self) -> None:
        """Make it ready to be sent again.

        Raises:
            AISUnrewindableBodyError: When it was read from and cannot go back.
        """
        if not self.touched:
            return
        if self.file is not None:
            if self._start is None:
                raise AISUnrewindableBodyError("the body is a stream that cannot be rewound to be sent again")
            try:
                self.file.seek(self._start)
            except (AttributeError, OSError, ValueError) as err:
                raise AISUnrewindableBodyError(f"the body cannot be rewound to be sent again: {err}") from err
        elif not self.can_rewind:
            raise AISUnrewindableBodyError("the body is an iterator that cannot be started again")
        self.touched = False

    def sum_with(self, new_hasher: Callable[[], Summing]) -> None:
        """Sum the bytes of a file or an iterable on their way.

        Args:
            new_hasher: Returns what takes the bytes; called each time that sending begins.
        """
        self._new_hasher = new_hasher

    def sendable_file(self) -> Any:
        """Return the file when `socket.sendfile` can send it: a regular file of the operating system."""
        file = self.file
        if (
            self.size is None
            or self._new_hasher is not None
            or not isinstance(file, (io.FileIO, io.BufferedReader))
        ):
            return None
        try:
            return file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        except (OSError, ValueError):
            return None

    def chunks(self) -> Iterator[bytes | bytearray | memoryview]:
        """Read it from where it stands; empty pieces are left out.

        Raises:
            BodyError: When it has fewer bytes than `size`, or gives something other than bytes.
        """
        if self.view is not None:
            view = memoryview(self.view)
            self.touched = True
            for pos in range(0, len(view), CHUNK):
                yield view[pos : pos + CHUNK]
            return
        self.touched = True
        left = self.size
        hasher = self._new_hasher() if self._new_hasher is not None else None
        for piece in self._pieces():
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise BodyError(f"the body gave {type(piece).__name__} instead of bytes")
            if left is not None:
                # Never more than announced: the rest would be taken for the next request.
                piece = piece[:left]  # noqa: PLW2901 - the rest is not ours to send
                left -= len(piece)
            if len(piece):
                if hasher is not None:
                    hasher.update(piece)
                yield piece
        if left:
            raise BodyError(f"the body ended {left} bytes before its announced size of {self.size}")

    def _pieces(self) -> Iterator[Any]:
        if self.file is None:
            yield from self.source
            return
        left = self.size
        while left is None or left > 0:
            piece = self.file.read(CHUNK if left is None else min(CHUNK, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece


def _remaining(file: Any, start: int) -> int | None:
    """Return how many bytes a file has from `start` on, or `None` when only reading shows it."""
    if isinstance(file, io.BytesIO):
        return max(0, file.getbuffer().nbytes - start)
    try:
        info = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        info = None
    if info is not None and not getattr(info, "st_blocks", 1):
        # Files of /proc, /sys and some FUSE file systems are made when they are read: their size is 0, or a
        # guess. So is that of an empty file, which ends at once.
        return _nothing_or_unknown(file, start)
    # Not for a file that is also written to: what it has not flushed yet is not in `st_size`.
    if info is not None and stat.S_ISREG(info.st_mode) and isinstance(file, (io.FileIO, io.BufferedReader)):
        return max(0, info.st_size - start)
    try:
        end = file.seek(0, os.SEEK_END)
        end = file.tell() if end is None else end
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return None
    return int(end) - start if int(end) > start else _nothing_or_unknown(file, start)


def _nothing_or_unknown(file: Any, start: int) -> int | None:
    try:
        piece = file.read(1)
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return None
    return None if piece else 0
