"""How the bytes of a file become an object: replaced, appended to, or a part of a multipart upload.

A sink takes pieces in order and makes nothing visible before `commit`. After `abort` nothing ever is.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Protocol

from aistore.sdk.const import MIB
from aistore.sdk.errors import SDKError
from aistore.sdk.parallel import WorkerPool

if TYPE_CHECKING:
    from requests import Response

    from aistore.sdk.obj.multipart_upload import MultipartUpload, PartWriter
    from aistore.sdk.obj.object_writer import ObjectWriter

logger = logging.getLogger(__name__)

PIECE_SIZE = 8 * MIB
# A multipart upload has at most 9999 parts: each thousand is twice as large as the one before.
_PARTS_OF_A_SIZE = 1000


class Sink(Protocol):
    """Takes the bytes of one commit."""

    piece_size: int
    """How many bytes the next piece should have, the last excepted."""

    def send(self, piece: bytes) -> None:
        """Take a piece, not the last.

        Args:
            piece: Its bytes.
        """

    def commit(self, rest: bytes) -> None:
        """Take the last piece and make everything visible.

        Args:
            rest: The piece; may be empty.
        """

    def abort(self) -> None:
        """Forget everything."""


class ReplaceSink:
    """Replaces the object: one PUT when everything is one piece, else a multipart upload.

    Args:
        writer: Writes the object.
    """

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._upload: MultipartUpload | None = None
        self._number = 0
        self.piece_size = PIECE_SIZE

    def send(self, piece: bytes) -> None:
        """Upload a piece as the next part.

        Args:
            piece: Its bytes.
        """
        if self._upload is None:
            self._upload = self._writer.multipart_upload().create()
        self._number += 1
        self.piece_size = PIECE_SIZE << (self._number // _PARTS_OF_A_SIZE)
        self._send_part(self._upload, self._number, piece)

    def commit(self, rest: bytes) -> None:
        """Put the object, or complete its upload.

        Args:
            rest: The last piece.
        """
        if self._upload is None:
            self._writer.put_content(rest)
            return
        if rest:
            self.send(rest)
        self._wait_for_parts()
        self._upload.complete()
        self._upload = None

    def abort(self) -> None:
        """Abort the upload, if there is one; the object stays as it is."""
        upload, self._upload = self._upload, None
        if upload is None:
            return
        try:
            upload.abort()
        except SDKError:
            # The error that led here matters more; the cluster drops abandoned uploads by itself.
            logger.warning("Cannot abort multipart upload %s", upload.upload_id, exc_info=True)

    def _send_part(self, upload: MultipartUpload, number: int, piece: bytes) -> None:
        writer = upload.add_part(number)
        writer.sum(piece)
        self._put_part(writer, piece)

    def _put_part(self, writer: PartWriter, piece: bytes) -> None:
        writer.put_content(piece)

    def _wait_for_parts(self) -> None:
        """Return when all parts are there."""


class ParallelReplaceSink(ReplaceSink):
    """Replaces the object, several parts of which are uploaded at a time.

    Memory holds as many pieces as are uploaded at a time.

    Args:
        writer: Writes the object.
        num_workers: How many parts to upload at a time.
    """

    def __init__(self, writer: ObjectWriter, num_workers: int) -> None:
        super().__init__(writer)
        self._num_workers = num_workers
        self._pool: WorkerPool | None = None
        self._under_way: deque[Future[Response]] = deque()

    def abort(self) -> None:
        """Abort the upload, if there is one, when the parts under way are through."""
        self._end_workers()
        super().abort()

    def _put_part(self, writer: PartWriter, piece: bytes) -> None:
        if self._pool is None:
            self._pool = WorkerPool(self._num_workers, "ais-part")
        if len(self._under_way) >= self._num_workers:
            self._under_way.popleft().result()
        self._under_way.append(self._pool.submit(writer.put_content, piece))

    def _wait_for_parts(self) -> None:
        while self._under_way:
            self._under_way.popleft().result()
        self._end_workers()

    def _end_workers(self) -> None:
        self._under_way.clear()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


class AppendSink:
    """Appends to the object, which is created if it is not there.

    Args:
        writer: Writes the object.
    """

    piece_size = PIECE_SIZE

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._handle: str | None = None

    def send(self, piece: bytes) -> None:
        """Append to what the object will be.

        Args:
            piece: The bytes.
        """
        self._handle = self._writer.append_content(piece, handle=self._handle or "")

    def commit(self, rest: bytes) -> None:
        """Make what was appended the object; does nothing when nothing was.

        Args:
            rest: The last piece.
        """
        if rest:
            self.send(rest)
        handle, self._handle = self._handle, None
        if handle is not None:
            self._writer.append_content(b"", handle=handle, flush=True)

    def abort(self) -> None:
        """Forget the handle: what it stands for never becomes visible."""
        self._handle = None


class PartSink:
    """Becomes one part of a multipart upload, sent at once because it cannot be sent in pieces.

    Args:
        writer: Writes the part.
    """

    piece_size = PIECE_SIZE

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._spool: IO[bytes] | None = None

    def send(self, piece: bytes) -> None:
        """Keep a piece in a temporary file.

        Args:
            piece: Its bytes.
        """
        if self._spool is None:
            self._spool = SpooledTemporaryFile(max_size=2 * PIECE_SIZE)  # noqa: SIM115 - abort closes it
        self._spool.write(piece)

    def commit(self, rest: bytes) -> None:
        """Upload the part.

        Args:
            rest: The last piece.
        """
        if self._spool is None:
            self._writer.put_content(rest)
            return
        self._spool.write(rest)
        self._spool.seek(0)
        try:
            self._writer.put_stream(self._spool)
        finally:
            self.abort()

    def abort(self) -> None:
        """Remove the temporary file."""
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
