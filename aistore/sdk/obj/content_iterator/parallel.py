"""An object's bytes read as ranges by several threads, straight into one buffer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aistore.sdk.const import DEFAULT_PARALLEL_CHUNK_SIZE, MIB, PROPS_CHUNKED
from aistore.sdk.errors import ErrNoMemory, InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider, StreamBounds
from aistore.sdk.obj.content_iterator.buffer import ParallelBuffer, RingBuffer
from aistore.sdk.obj.content_iterator.range_reader import RangeReader
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.parallel import WorkerPool
from aistore.wire.ranges import split_ranges

if TYPE_CHECKING:
    from aistore.sdk.obj.object_client import ObjectClient
    from aistore.wire.checksums import Buffer


# Of ranges whose size nobody has chosen: a range that breaks is read again as a whole.
_LARGEST_RANGE = 64 * MIB
_LARGEST_CHUNK = 256 * MIB  # of those that a header announces
_RANGES_EACH = 4  # of a worker, so that none waits long for the last one


@dataclass
class WorkerState(threading.local):
    """What a worker thread works with; every thread sees its own values.

    Attributes:
        client: Sends the requests.
        shm: Where the bytes go.
        slot_ready: For iteration: an event for each slot, set when its chunk is there or has failed.
        reader: Reads ranges of the one version of the object that all workers of a download agree on.
    """

    client: ObjectClient | None = None
    shm: ParallelBuffer | None = None
    slot_ready: list[threading.Event] = field(default_factory=list)
    reader: RangeReader | None = None


worker_state = WorkerState()


def _start_worker(client: ObjectClient, shm: ParallelBuffer | None, reader: RangeReader) -> None:
    worker_state.client = client
    worker_state.shm = shm
    worker_state.slot_ready = shm.slot_ready if isinstance(shm, RingBuffer) else []
    worker_state.reader = reader


def _read_range(view: memoryview, start: int) -> None:
    assert worker_state.reader is not None
    worker_state.reader.read(view, start)


def _read_slot(view: memoryview, start: int, slot: int) -> None:
    try:
        _read_range(view, start)
    finally:
        view.release()
        worker_state.slot_ready[slot].set()


class ParallelContentIterProvider(BaseContentIterProvider):
    """Reads an object with several GETs of ranges at a time.

    All ranges are of one version of the object: when it is overwritten meanwhile, the read fails.
    Construction asks for the object's size (HEAD).

    Args:
        client: Sends the requests; used by several threads.
        chunk_size: Bytes in each range but the last. Default (`None` or 0): the size of the chunks that the
            object is stored in; when it is in one piece 8 MiB, and for reading all of a large one more, so
            that each worker has four ranges.
        num_workers: How many ranges to read at a time, at least 2.

    Raises:
        InvalidArgument: `num_workers` or `chunk_size` is out of range.
    """

    reads_ranges = True

    def __init__(self, client: ObjectClient, chunk_size: int | None, num_workers: int) -> None:
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 2:
            raise InvalidArgument(f"`num_workers` must be at least 2, and an int: {num_workers!r}")
        attributes = client.head(PROPS_CHUNKED)
        chunks = attributes.chunks
        stored = min(chunks.max_chunk_size, _LARGEST_CHUNK) if chunks else 0
        chosen = chunk_size or stored
        super().__init__(client, chosen or DEFAULT_PARALLEL_CHUNK_SIZE)
        self._size = attributes.size
        share = min(-(-self._size // (num_workers * _RANGES_EACH)), _LARGEST_RANGE)
        self._range_size = chosen or max(DEFAULT_PARALLEL_CHUNK_SIZE, share)
        self._num_workers = num_workers
        self._identity = ObjectIdentity.from_headers(attributes)

    @property
    def num_workers(self) -> int:
        """How many ranges are read at a time."""
        return self._num_workers

    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        """Return an iterator over the object's bytes in order.

        At most `num_workers` chunks are in memory besides the one handed out.

        Args:
            offset: How many bytes to leave out at the start. Default: 0.
            bounds: Filled in when iteration starts. Default: `None`.
        """
        self._note(bounds, offset)
        # No list of them: the announced size may be anything.
        starts = range(offset, self._size, self._chunk_size)
        if not starts:
            self._finish(bounds)
            return
        slots = min(self._num_workers, len(starts))
        with (
            RingBuffer(slots, min(self._chunk_size, self._size)) as ring,
            self._workers(slots, ring) as (reader, submit),
        ):

            def size_of(index: int) -> int:
                return min(self._chunk_size, self._size - starts[index])

            def start_reading(index: int) -> Future[None]:
                slot = index % slots
                return submit(_read_slot, ring.slot(slot, size_of(index)), starts[index], slot)

            pending = {index: start_reading(index) for index in range(slots)}
            for index in range(len(starts)):
                slot = index % slots
                pending.pop(index).result()  # first, because it raises what went wrong
                ring.wait_slot(slot)
                chunk = ring.read_slot(slot, size_of(index))
                if index + slots < len(starts):
                    pending[index + slots] = start_reading(index + slots)
                self._sum(bounds, reader, chunk)
                yield chunk
        self._finish(bounds)

    def read_all(self, bounds: StreamBounds | None = None) -> ParallelBuffer:
        """Return all bytes of the object, in memory that `close` gives back.

        Args:
            bounds: Filled in with what is known of the object. Default: `None`.
        """
        try:
            buffer = ParallelBuffer(bytearray(self._size), self._size)
        except MemoryError:
            raise ErrNoMemory(
                f"{self._client.path} has {self._size} bytes, more than fit into memory: iterate over it"
            ) from None
        try:
            self.readinto(buffer.buf, bounds)
        except BaseException:
            buffer.close()
            raise
        return buffer

    def readinto(self, buffer: memoryview, bounds: StreamBounds | None = None) -> int:
        """Read the object to the start of `buffer`.

        Args:
            buffer: Writable and contiguous, as bytes.
            bounds: Filled in with what is known of the object. Default: `None`.

        Returns:
            How many bytes the object has.

        Raises:
            InvalidArgument: The buffer is too small.
        """
        if self._size > len(buffer):
            raise InvalidArgument(f"buffer has {len(buffer)} bytes, {self._client.path} has {self._size}")
        self._note(bounds)
        ranges = split_ranges(self._size, self._range_size)
        if ranges:
            with self._workers(min(self._num_workers, len(ranges)), None) as (reader, submit):
                reads = [submit(_read_range, buffer[start:end], start) for start, end in ranges]
                summed = 0
                for read in as_completed(reads):
                    read.result()
                    # The sum is made in the object's order, while other ranges are on their way.
                    while summed < len(reads) and reads[summed].done():
                        reads[summed].result()
                        start, end = ranges[summed]
                        self._sum(bounds, reader, buffer[start:end])
                        summed += 1
        self._finish(bounds)
        return self._size

    def _note(self, bounds: StreamBounds | None, offset: int = 0) -> None:
        if bounds is not None:
            bounds.start, bounds.expected_end, bounds.identity = offset, self._size, self._identity

    @staticmethod
    def _sum(bounds: StreamBounds | None, reader: RangeReader, data: Buffer) -> None:
        """Add the object's next bytes to the checksum."""
        if bounds is None:
            return
        bounds.identity = reader.identity
        if bounds.verifier is not None:
            bounds.verifier.begin(reader.identity, is_range=True)
            bounds.verifier.update(data)

    def _finish(self, bounds: StreamBounds | None) -> None:
        """Compare the checksum."""
        if bounds is not None and bounds.verifier is not None:
            bounds.verifier.begin(self._identity)  # of an object without bytes
            bounds.verifier.finish()

    @contextmanager
    def _workers(
        self, count: int, shm: ParallelBuffer | None
    ) -> Generator[tuple[RangeReader, Callable[..., Future[None]]], None, None]:
        """Run worker threads; when the block ends, no thread touches the buffer any more."""
        reader = RangeReader(self._client, self._size, self._identity)
        pool = WorkerPool(count, "aistore-range", partial(_start_worker, self._client, shm, reader))
        try:
            yield reader, pool.submit
        finally:
            reader.cancel()
            pool.shutdown(wait=True, cancel_futures=True)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ChunkedEncodingError", "ObjectClient")
