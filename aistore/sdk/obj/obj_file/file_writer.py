"""An object as a write-only file."""

from __future__ import annotations

import io
import warnings
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.obj.obj_file.sinks import AppendSink, Sink

if TYPE_CHECKING:
    from aistore.sdk.obj.object_writer import ObjectWriter


class _Nowhere(io.RawIOBase):
    """What `io.BufferedWriter` stands on; ours keeps its own buffer and never writes here."""

    def writable(self) -> bool:
        return True


class ObjectFileWriter(io.BufferedWriter):
    """Writes an object like a binary file.

    What is written becomes visible, all at once, when the file is flushed or closed. A `with` block that
    raises leaves the object as it is. Memory holds one piece (8 MiB, growing only for objects of many GB). It
    cannot seek; `tell` counts what was written to this file. After an error nothing more is written.

    Args:
        obj_writer: Writes the object.
        mode: `"w"` replaces the object (with an empty one, when nothing is written); `"a"` appends to it.

    Raises:
        InvalidArgument: Another mode (also a `ValueError`).
    """

    def __init__(self, obj_writer: ObjectWriter, mode: str) -> None:
        if mode not in ("w", "a"):
            raise InvalidArgument(f"mode must be 'w' or 'a', not {mode!r}")
        super().__init__(_Nowhere(), 1)
        self._obj_writer = obj_writer
        self._mode = mode
        self._lock = RLock()
        self._buffer = bytearray()
        self._written = 0
        self._committed = 0
        self._must_exist = mode == "w"  # an object is to be there in the end, even an empty one
        self._sink: Sink = obj_writer.sink(mode)
        self._failed = False
        self._is_closed = False

    @property
    def name(self) -> str:
        """Path of the object."""
        return self._obj_writer.object_path

    @property
    def mode(self) -> str:
        """`"w"` or `"a"`, as it was opened."""
        return self._mode

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._is_closed

    def readable(self) -> bool:
        """Return `False`."""
        return False

    def writable(self) -> bool:
        """Return whether the file is open."""
        return not self._is_closed

    def seekable(self) -> bool:
        """Return `False`."""
        return False

    def tell(self) -> int:
        """Return how many bytes were written to this file."""
        self._require_open()
        return self._written

    def write(self, buffer: Any) -> int:
        """Write bytes, or text in UTF-8.

        Args:
            buffer: The bytes: anything with a contiguous buffer. Or a `str`, which programs print into it.

        Returns:
            The length of `buffer`, in bytes or characters: always all of it.

        Raises:
            InvalidArgumentType: Neither (also a `TypeError`).
            ValueError: The file is closed.
        """
        if isinstance(buffer, str):
            self.write(buffer.encode())
            return len(buffer)
        with self._lock:
            self._require_open()
            try:
                view = memoryview(buffer).cast("B")
            except TypeError as err:
                raise InvalidArgumentType(
                    f"write takes bytes or str, not {type(buffer).__name__}: {err}"
                ) from err
            written = len(view)
            while view:
                # A piece leaves only when there is more: what fits into one is one request.
                if len(self._buffer) >= self._sink.piece_size:
                    self._send()
                room = self._sink.piece_size - len(self._buffer)
                self._buffer += view[:room]
                view = view[room:]
            self._written += written
            return written

    def flush(self) -> None:
        """Make what was written visible; nothing happens when nothing is new.

        Raises:
            ValueError: The file is closed.
        """
        with self._lock:
            self._require_open()
            if self._written > self._committed:
                self._commit()

    def close(self) -> None:
        """Make what was written visible and close the file; after an error, forget it. Again does nothing."""
        with self._lock:
            if self._is_closed:
                return
            if self._failed:
                self.abort()
                return
            try:
                if self._must_exist or self._written > self._committed:
                    self._commit()
            finally:
                self._is_closed = True

    def abort(self) -> None:
        """Close the file and forget what was written since the last flush. Again does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._buffer.clear()
            self._sink.abort()

    def seek(self, *_: object) -> NoReturn:
        """Raise `io.UnsupportedOperation`."""
        raise io.UnsupportedOperation("an object is written from its start to its end")

    def truncate(self, *_: object) -> NoReturn:
        """Raise `io.UnsupportedOperation`."""
        raise io.UnsupportedOperation("an object is written from its start to its end")

    def detach(self) -> NoReturn:
        """Raise `io.UnsupportedOperation`."""
        raise io.UnsupportedOperation("there is no raw stream below an object")

    def __enter__(self, *_args: object, **_kwargs: object) -> ObjectFileWriter:
        self._require_open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        # Not close(): the file may be going because of an error, and half of it must not become the object.
        if getattr(self, "_is_closed", True):
            return
        warnings.warn(
            f"unclosed {self!r}: what was written since the last flush is lost",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
        self.abort()

    def __repr__(self) -> str:
        return f"<ObjectFileWriter {self.name!r} mode={self._mode!r}{' closed' if self._is_closed else ''}>"

    def _require_open(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file")
        if self._failed:
            raise ValueError("I/O operation on a file that failed before")

    def _send(self) -> None:
        piece = bytes(self._buffer)
        self._buffer.clear()
        with _Failing(self):
            self._sink.send(piece)

    def _commit(self) -> None:
        rest = bytes(self._buffer)
        self._buffer.clear()
        with _Failing(self):
            self._sink.commit(rest)
        self._committed = self._written
        self._must_exist = False
        self._sink = AppendSink(self._obj_writer)  # what comes after a flush goes behind what is there

    def _fail(self) -> None:
        self._failed = True
        self._sink.abort()


class _Failing:
    """Makes the file fail for good when the block raises."""

    def __init__(self, file: ObjectFileWriter) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if exc_type is not None:
            self._file._fail()  # noqa: SLF001 - part of it


ObjectFileWriter.__module__ = (
    "aistore.sdk.obj.obj_file.object_file"  # where pickles for the 2.0.0 package find it
)
