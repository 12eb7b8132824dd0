"""Ranges of one version of an object, each read exactly."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from aistore.sdk.errors import AISChunkedEncodingError
from aistore.sdk.obj.content_iterator.body import ObjectBody
from aistore.sdk.obj.errors import ErrObjectChanged
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.obj.stream_errors import STREAM_ERRORS
from aistore.wire.checksums import new_hasher

if TYPE_CHECKING:
    from aistore.sdk.obj.object_client import ObjectClient

# How often one range may break before the download fails; it goes on at the exact byte each time.
_MAX_RESUME = 3


class RangeReader:
    """Reads ranges, from several threads, and refuses to mix versions of the object.

    Args:
        client: Sends the requests.
        size: Size of the object in bytes.
        identity: What is known of the version to read; the first answer adds to it.
    """

    def __init__(self, client: ObjectClient, size: int, identity: ObjectIdentity) -> None:
        self._client = client
        self._size = size
        self._identity = identity
        self._lock = threading.Lock()
        self._pinned = False
        self._cancelled = threading.Event()

    @property
    def identity(self) -> ObjectIdentity:
        """What is known of the version that is read."""
        return self._identity

    def cancel(self) -> None:
        """Make all reads end soon; what they have read is not used any more."""
        self._cancelled.set()

    def read(self, view: memoryview, start: int) -> None:
        """Fill `view` with the object's bytes from `start` on.

        Args:
            view: Where to put them; not empty.
            start: Offset of the first byte in the object.

        Raises:
            ErrRangeMismatch: The response is another range (also requests' `ChunkedEncodingError`).
            AISChunkedEncodingError: It has fewer bytes, also when it is requested again.
            ErrObjectChanged: The object was overwritten since the first range was read.
        """
        filled = 0
        for attempt in range(_MAX_RESUME + 1):
            if self._cancelled.is_set():
                return
            filled += self._read_once(view[filled:], start + filled, is_last=attempt == _MAX_RESUME)
            if filled == len(view):
                return
        raise AISChunkedEncodingError(f"{self._client.path}: got {filled} bytes, requested {len(view)}")

    def _read_once(self, view: memoryview, start: int, *, is_last: bool) -> int:
        """Ask once, and return how many bytes came before the connection broke (`is_last`: raise then)."""
        response = self._client.get_chunk(start, start + len(view))
        try:
            body = ObjectBody(response, (start, start + len(view) - 1), self._client.path)
            own_checksum = self._check_version(body)
            try:
                filled = body.readinto(view, self._cancelled.is_set)
            except STREAM_ERRORS:
                if is_last:
                    raise
                return 0  # what came is asked for again: how much it was is not known
            if filled == len(view) and own_checksum is not None:
                self._check_own_checksum(view, *own_checksum)
            return filled
        finally:
            response.close()

    def _check_version(self, body: ObjectBody) -> tuple[ErrObjectChanged, str, str] | None:
        """Compare with the other answers.

        Returns:
            `None` when the answer is of the same version. When only the checksum differs, that with its type
            and value: it may be the range's own, which its bytes will tell.
        """
        identity = body.identity
        with self._lock:
            self._identity.check(identity, self._client.path, checksum=False)
            if not self._pinned:
                self._identity, self._pinned = identity, True
                return None
        try:
            self._identity.check(identity, self._client.path)
        except ErrObjectChanged as err:
            kind, _, value = identity.checksum.partition(":")
            return err, kind, value
        return None

    def _check_own_checksum(self, view: memoryview, changed: ErrObjectChanged, kind: str, value: str) -> None:
        hasher = new_hasher(kind)
        if hasher is None:
            raise changed
        hasher.update(view)
        if hasher.hexdigest() != value:
            raise changed
