"""Memory that threads read ranges of an object into."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class ParallelBuffer:
    """The bytes of an object that was read in parallel.

    It is a context manager; `close` gives the memory back at once instead of when the last reference goes.

    Args:
        shm: The memory.
        size: How many of its bytes are the object's.
    """

    def __init__(self, shm: bytearray, size: int) -> None:
        self._shm: bytearray | None = shm
        self._size = size
        self._view = memoryview(shm)[:size]

    @property
    def buf(self) -> memoryview:
        """The bytes, writable and not copied. Release views of it before `close`."""
        return self._view

    @property
    def name(self) -> str:
        """Always "": the memory is this process's own and has no name for others to attach to."""
        return ""

    def tobytes(self) -> bytes:
        """Return a copy of the bytes."""
        return self._view.tobytes()

    def close(self) -> None:
        """Give the memory back; again does nothing.

        Raises:
            BufferError: A view of `buf` is still in use.
        """
        self._view.release()
        self._shm = None

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RingBuffer(ParallelBuffer):
    """Slots that chunks are read into, and taken from in turn.

    Args:
        num_slots: How many chunks may be in flight.
        slot_size: Size of the largest chunk in bytes.
    """

    def __init__(self, num_slots: int, slot_size: int) -> None:
        super().__init__(bytearray(num_slots * slot_size), num_slots * slot_size)
        self.num_slots = num_slots
        self.slot_size = slot_size
        self.slot_ready = [Event() for _ in range(num_slots)]

    def slot(self, slot: int, data_len: int) -> memoryview:
        """Return the memory for a chunk.

        Args:
            slot: Which slot.
            data_len: Size of the chunk in bytes.
        """
        start = slot * self.slot_size
        return self.buf[start : start + data_len]

    def wait_slot(self, slot: int) -> None:
        """Wait until the slot's reader is done with it, well or not, and make the slot ready for the next.

        The wait ends when the reader's connection does, at its read timeout at the latest.

        Args:
            slot: Which slot.
        """
        self.slot_ready[slot].wait()
        self.slot_ready[slot].clear()

    def read_slot(self, slot: int, data_len: int) -> bytes:
        """Return a copy of the chunk in a slot.

        Args:
            slot: Which slot.
            data_len: Size of the chunk in bytes.
        """
        return bytes(self.slot(slot, data_len))
