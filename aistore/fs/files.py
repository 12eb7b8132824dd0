"""Objects as binary files: read by ranges through fsspec's caches, written in parts, visible when whole."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from aistore.fs.details import Details, identity_of
from aistore.fs.errors import ErrIsADirectory, ErrPathExists, ErrPathNotFound
from aistore.sdk.errors import AISChunkedEncodingError, ErrRangeNotSatisfiable
from aistore.sdk.obj.content_iterator.range_reader import RangeReader
from aistore.sdk.obj.object_client import ObjectClient
from aistore.wire.names import object_path

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from aistore.fs.base import BaseFileSystem
    from aistore.sdk.obj.obj_file.sinks import Sink

logger = logging.getLogger(__name__)

# A multipart upload has at most 9999 parts: each thousand is twice as large as the one before.
_PARTS_OF_A_SIZE = 1000


class AISFile(AbstractBufferedFile):
    """An object as a file.

    Reading: all bytes are of one version of the object; when it is overwritten meanwhile, the next read
    raises `ErrObjectChanged` (also an `OSError`).

    Writing: the object appears, or changes, when the file is closed - with `autocommit=False`, when it is
    committed. What fits into one block is one PUT, more is a multipart upload of blocks. A `with` block that
    ends in an exception leaves the object as it is, as does a file that is dropped without being closed.
    Mode `ab` goes on where the object ends.

    Calls block in the calling thread; they do not use the filesystem's event loop.

    Args:
        fs: The filesystem.
        path: Path of the object.
        mode: `rb`, `wb`, `ab` or `xb`. Default: `rb`.
        block_size: Bytes to read or to write at a time. Default: the filesystem's.
        autocommit: Whether closing makes what was written visible. Default: `True`.
        cache_type: fsspec's cache for reading. Default: the filesystem's.
        cache_options: Of that cache. Default: none.
        size: Size of the object, when it is known. Default: asked for.
        **kwargs: Kept in `kwargs`.

    Raises:
        ErrPathNotFound: There is no such object to read (also a `FileNotFoundError`).
        ErrPathExists: There is one, in mode `xb` (also a `FileExistsError`).
        ErrIsADirectory: The path is a bucket.
    """

    # `__del__` runs even when the constructor failed.
    _sink: Sink | None = None
    _given_up = False
    _failed = False
    _committed = False

    def __init__(
        self,
        fs: BaseFileSystem,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_type: str = "readahead",
        cache_options: dict[str, Any] | None = None,
        size: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._location = fs.locate(path)
        if not self._location.key:
            raise ErrIsADirectory(path, "a bucket")
        self._bucket = fs.bucket_of(self._location)
        self._reader: RangeReader | None = None
        if mode == "rb":
            self._details: Details | None = (
                fs.describe(path) if size is None else {"name": path, "size": size, "type": "file"}
            )
        elif mode == "xb" and self._exists(fs, path):
            raise ErrPathExists(path)
        super().__init__(fs, path, mode, block_size, autocommit, cache_type, cache_options, size, **kwargs)
        if mode != "rb":
            writer = self._bucket.object(self._location.key).get_writer()
            self._sink = writer.sink("a" if mode == "ab" else "w")
            self._first_blocksize = self.blocksize
            self._parts = 0

    @staticmethod
    def _exists(fs: BaseFileSystem, path: str) -> bool:
        try:
            fs.describe(path)
        except ErrPathNotFound:
            return False
        return True

    # ------------------------------------------------------------ reading

    def _fetch_range(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        if end <= start:
            return b""
        if self._reader is None:
            path = object_path(self._location.bucket, self._location.key)
            client = ObjectClient(self._bucket.client, path, self._bucket.qparam)
            self._reader = RangeReader(client, self.size, identity_of(self.details))
        buffer = bytearray(end - start)
        try:
            self._reader.read(memoryview(buffer), start)
        except (AISChunkedEncodingError, ErrRangeNotSatisfiable):
            # Another length than that of the version being read?
            now = self.fs.describe(self.path)
            identity_of(self.details).check(identity_of(now), self.path)
            raise
        return bytes(buffer)

    # ------------------------------------------------------------ writing

    def write(self, data: Any) -> int:
        """Write bytes.

        Args:
            data: Anything with a contiguous buffer.

        Returns:
            How many bytes that were: always all.
        """
        self._check_not_failed()
        if self._given_up and not self.closed:  # the rest of a compressor that is being closed
            return memoryview(data).nbytes
        return int(super().write(data))

    def _upload_chunk(self, final: bool = False) -> bool:
        """Send what is buffered, the last of it only when the object is to appear.

        Returns:
            Whether it was sent.
        """
        assert self._sink is not None
        if final:
            if self.autocommit:
                self.commit()
            return False
        with self._failing():
            self._sink.send(self.buffer.getvalue())
        self._parts += 1
        self.blocksize = self._first_blocksize << (self._parts // _PARTS_OF_A_SIZE)
        return True

    def commit(self) -> None:
        """Make what was written visible; does nothing a second time, or when it was given up.

        Raises:
            ValueError: A part of it could not be sent.
        """
        self._check_not_failed()
        if self._given_up or self._committed or self._sink is None:
            return
        self.forced = True
        rest, self.buffer = self.buffer.getvalue(), io.BytesIO()
        with self._failing():
            if self.mode == "ab" and not self.loc:
                self._create_if_missing()
            else:
                self._sink.commit(rest)
        self._committed = True
        self.fs.invalidate_cache(self.path)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Make the file fail for good when the block raises."""
        try:
            yield
        except BaseException:
            self._failed = True
            self.give_up()
            raise

    def _check_not_failed(self) -> None:
        if self._failed:
            raise ValueError(f"I/O operation on a file that failed before: {self.path}")

    def _create_if_missing(self) -> None:
        if not self._exists(self.fs, self.path):
            self._bucket.object(self._location.key).get_writer().put_content(b"")

    def discard(self) -> None:
        """Forget what was written and close the file; the object stays as it was."""
        self.give_up()
        self.close()

    def give_up(self) -> None:
        """Forget what was written and what will be; the object stays as it was."""
        if self._given_up or self._committed or self._sink is None:
            return
        self._given_up = self.forced = True
        self.buffer = io.BytesIO()
        self._sink.abort()

    def flush(self, force: bool = False) -> None:
        """Send what was written once it makes a block; it does not become visible.

        Args:
            force: Used by `close`. Default: `False`.
        """
        if not self._given_up:
            super().flush(force)

    def close(self) -> None:
        """Make what was written visible, unless a `with` block is being left by an exception."""
        if not self.closed and self._sink is not None and _with_block_failed():
            self.give_up()
        super().close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if exc_type is not None:
            self.give_up()
        self.close()

    def __del__(self) -> None:
        # Not close(): the file may be going because of an error, and half of it must not become the object.
        if self.closed:
            return
        if self._sink is None:
            self.close()
            return
        is_lost = not (self._given_up or self._committed)
        try:
            self.give_up()
        finally:
            self.closed = True
        if is_lost:
            # Programs see no ResourceWarning unless they ask for it.
            logger.error("%s was dropped without being closed: what was written to it is lost", self.path)
            text = f"unclosed {self!r}: what was written is lost"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)


def _with_block_failed() -> bool:
    """Return whether this close comes from the `__exit__` of a `with` block that ends in an exception.

    `fsspec.open` and pandas close files from an `__exit__` that tells them nothing of its exception. A close
    that is called in any other way commits, also while an exception is handled: the program wants it so.
    """
    raised = sys.exc_info()[1]
    if raised is None:
        return False
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the caller of close()
    while frame is not None and frame.f_code.co_name == "close":
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "__exit__":
        return False
    # Its own exception, not one that was being handled already around the block.
    arguments = frame.f_locals.values()
    return any(raised is value or (isinstance(value, tuple) and raised in value) for value in arguments)
