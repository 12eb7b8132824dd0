"""An object's bytes as a stream that goes on after its connection broke."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING

from aistore.sdk.errors import AISNetworkError, ErrRangeMismatch
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider, StreamBounds
from aistore.sdk.obj.errors import ErrObjectChanged
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.obj.obj_file.errors import ObjectFileReaderMaxResumeError, ObjectFileReaderUnexpectedEOF
from aistore.sdk.obj.stream_errors import STREAM_ERRORS

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

__all__ = ["STREAM_ERRORS", "ResumableStream"]


class ResumableStream:
    """Iterates over an object's bytes; when the connection breaks it goes on at the byte where it broke.

    Where the bytes cannot be had from there on (archives, ETL), it starts over and leaves out what it
    delivered. The bytes are always of one version of the object.

    Args:
        content_provider: Makes the iterators.
        max_resume: How many times the stream may break.
    """

    def __init__(self, content_provider: BaseContentIterProvider, max_resume: int) -> None:
        self._provider = content_provider
        self._max_resume = max_resume
        self._reset()

    def _reset(self) -> None:
        self._iterator: Generator[bytes, None, None] | None = None
        self._bounds = StreamBounds()
        self._identity: ObjectIdentity | None = None
        self._opened = False
        self._position = 0  # of the next byte that the iterator yields
        self._delivered = 0
        self._resumes = 0

    @property
    def path(self) -> str:
        """Path of the object."""
        return self._provider.client.path

    @property
    def delivered_position(self) -> int:
        """How many bytes were delivered."""
        return self._delivered

    @property
    def resumes(self) -> int:
        """How many times the stream broke."""
        return self._resumes

    @property
    def identity(self) -> ObjectIdentity | None:
        """Which version of the object the bytes are of; `None` before the first."""
        return self._identity

    def restart(self) -> None:
        """Start again at the first byte, with nothing delivered and no breaks counted."""
        self.close()
        self._reset()

    def close(self) -> None:
        """Close the connection."""
        iterator, self._iterator = self._iterator, None
        if iterator is not None:
            iterator.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> memoryview:
        while True:
            try:
                if self._iterator is None:
                    self._open()
                chunk = self._next_chunk()
            except ErrRangeMismatch:
                raise  # the next response would be no better
            except (*STREAM_ERRORS, ObjectFileReaderUnexpectedEOF) as err:
                if isinstance(err, AISNetworkError) and self._bounds.identity is None:
                    raise  # no answer at all, and the request path has tried again already
                self._count_break(err)
                continue
            if chunk is None:
                raise StopIteration
            if chunk:
                return chunk

    def _next_chunk(self) -> memoryview | None:
        """Return what of the iterator's next chunk is not delivered yet; `None` at the end."""
        assert self._iterator is not None
        chunk = next(self._iterator, None)
        self._check_version()
        if chunk is None:
            self._check_end()
            return None
        start = self._position
        self._position += len(chunk)
        fresh = memoryview(chunk)[max(self._delivered - start, 0) :]
        self._delivered += len(fresh)
        return fresh

    def _open(self) -> None:
        offset = self._delivered
        self._bounds = StreamBounds()  # nothing is known of the next answer
        if offset:
            attributes = self._provider.client.offset_attributes()
            if attributes is None:
                offset = 0
            elif self._identity is not None:
                self._identity.check(ObjectIdentity.from_headers(attributes), self.path)
        self._bounds = StreamBounds(start=offset)
        self._opened = False
        self._iterator = self._provider.create_iter(offset=offset, bounds=self._bounds)

    def _check_version(self) -> None:
        """Once the answer is here: learn where it starts, and that it is of the same object."""
        if self._opened:
            return
        self._opened = True
        self._position = self._bounds.start
        identity = self._bounds.identity
        if identity is None:
            return
        if self._identity is None:
            self._identity = identity
            return
        try:
            self._identity.check(identity, self.path)
        except ErrObjectChanged as err:
            if err.what != "checksum":
                raise
            # Buckets with `checksum.enable_read_range` answer a range with its own checksum; HEAD has the
            # object's.
            self._identity.check(ObjectIdentity.from_headers(self._provider.client.head()), self.path)

    def _check_end(self) -> None:
        expected = self._bounds.expected_end
        if expected is not None and self._position < expected:
            raise ObjectFileReaderUnexpectedEOF(self._position, expected)
        if self._position < self._delivered:
            raise ObjectFileReaderUnexpectedEOF(self._position, self._delivered)

    def _count_break(self, err: Exception) -> None:
        self.close()
        self._resumes += 1
        if self._resumes > self._max_resume:
            raise ObjectFileReaderMaxResumeError(err, self._resumes) from err
        logger.warning(
            "Resuming %r at byte %d (%d/%d): %s",
            self.path,
            self._delivered,
            self._resumes,
            self._max_resume,
            err,
        )


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ChunkedEncodingError", "ReadTimeout", "get_logger")
