"""What every source of an object's bytes offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aistore.sdk.obj.content_iterator.body import copy_pieces
from aistore.sdk.obj.identity import ObjectIdentity

if TYPE_CHECKING:
    from aistore.sdk.obj.content_iterator.buffer import ParallelBuffer
    from aistore.sdk.obj.object_client import ObjectClient
    from aistore.sdk.obj.verification import Verifier


@dataclass
class StreamBounds:
    """What is known of a stream once its answer is here.

    Attributes:
        start: Offset of the stream's first byte, counted in the bytes that the reader is to deliver.
        expected_end: Offset after its last byte, or `None` when the answer does not say.
        identity: Which version of the object it is of.
        verifier: Compares the bytes with the cluster's checksum, when that is wanted; set by the reader.
    """

    start: int = 0
    expected_end: int | None = None
    identity: ObjectIdentity | None = None
    verifier: Verifier | None = None


class BaseContentIterProvider(ABC):
    """Makes iterators over an object's bytes.

    Attributes:
        reads_ranges: Whether the bytes come as ranges.

    Args:
        client: Sends the requests.
        chunk_size: Bytes in each chunk but the last.
    """

    reads_ranges = False

    def __init__(self, client: ObjectClient, chunk_size: int) -> None:
        self._client = client
        self._chunk_size = chunk_size

    @property
    def client(self) -> ObjectClient:
        """Sends the requests."""
        return self._client

    @abstractmethod
    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        """Return an iterator over the object's bytes in order, a chunk at a time.

        Args:
            offset: How many bytes to leave out at the start. Default: 0.
            bounds: Filled in with what is known of the stream when iteration starts. Default: `None`.
        """

    @abstractmethod
    def read_all(self, bounds: StreamBounds | None = None) -> bytes | ParallelBuffer:
        """Return all bytes of the object.

        Args:
            bounds: Filled in with what the answer says. Default: `None`.
        """

    def readinto(self, buffer: memoryview, bounds: StreamBounds | None = None) -> int:
        """Read the object to the start of `buffer`.

        Args:
            buffer: Writable and contiguous, as bytes.
            bounds: Filled in with what the answer says. Default: `None`.

        Returns:
            How many bytes the object has.

        Raises:
            InvalidArgument: The buffer is too small.
        """
        return copy_pieces(
            self.create_iter(bounds=bounds),
            buffer,
            lambda end: f"the buffer has {len(buffer)} bytes, the object at least {end}",
        )
