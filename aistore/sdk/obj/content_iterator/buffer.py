"""Memory that threads read ranges of an object into."""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self, SupportsIndex

_SHARED_FROM = 64 * 1024
"""Bytes from which a buffer goes to another process in shared memory: less is quicker in a pipe."""


class ParallelBuffer:
    """The bytes of an object that was read in parallel.

    It is a context manager; `close` gives the memory back at once instead of when the last reference goes.

    It pickles. Queues and pools of `multiprocessing`, and so `torch.utils.data.DataLoader`, hand large ones
    over in shared memory, which has no name and goes with the last process that has it open; the sender must
    live until the receiver has it. Anything else copies the bytes.

    Args:
        shm: The memory.
        size: How many of its bytes are the object's.
    """

    def __init__(self, shm: bytearray | mmap.mmap, size: int) -> None:
        _register()
        self._shm: bytearray | mmap.mmap | None = shm
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
        if isinstance(self._shm, mmap.mmap):
            self._shm.close()
        self._shm = None

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if int(protocol) < pickle.DEFAULT_PROTOCOL + 1:
            return _of_bytes, (self.tobytes(),)
        return _of_bytes, (pickle.PickleBuffer(self._view),)

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _of_bytes(content: bytes | bytearray | pickle.PickleBuffer) -> ParallelBuffer:
    memory = content if isinstance(content, bytearray) else bytearray(content)
    return ParallelBuffer(memory, len(memory))


_is_registered = False


def _register() -> None:
    """Tell `multiprocessing` how buffers share memory. It is slow to import: done with the first buffer."""
    global _is_registered
    if _is_registered:
        return
    from multiprocessing import reduction

    if os.name == "posix":  # elsewhere a descriptor cannot be handed over
        reduction.ForkingPickler.register(ParallelBuffer, _share)
    _is_registered = True


def _share(buffer: ParallelBuffer) -> tuple[Any, ...]:
    from multiprocessing.context import get_spawning_popen
    from multiprocessing.reduction import DupFd

    # To a process that is being started a descriptor goes in another way, and would have to stay open.
    if len(buffer) < _SHARED_FROM or get_spawning_popen() is not None:
        return buffer.__reduce_ex__(pickle.DEFAULT_PROTOCOL)
    try:
        with _new_memory() as memory:
            # Written, not mapped: without enough memory this is an error rather than SIGBUS.
            memory.write(buffer.buf)
            memory.flush()
            return _attach, (DupFd(memory.fileno()), len(buffer))
    except OSError:
        return buffer.__reduce_ex__(pickle.DEFAULT_PROTOCOL)


def _new_memory() -> Any:
    """Return an open file that only descriptors lead to, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("aistore"), "wb")
    return tempfile.TemporaryFile()


def _attach(handle: Any, size: int) -> ParallelBuffer:
    descriptor = handle.detach()
    try:
        return ParallelBuffer(mmap.mmap(descriptor, size), size)
    finally:
        os.close(descriptor)


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
