"""Reading groups of samples in background threads, several at a time, within a limit of memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from queue import SimpleQueue
from typing import Generic, TypeVar

G = TypeVar("G")
T = TypeVar("T")

# Threads end with their next sample; one that waits for a cluster which is silent is not waited for.
_GRACE = 1.0


def prefetch(
    groups: Iterable[G],
    read: Callable[[G], Generator[T, None, None]],
    size_of: Callable[[T], int],
    *,
    ahead: int,
    max_bytes: int,
) -> Generator[T, None, None]:
    """Yield the samples of groups in their order, `ahead` groups of which are read at a time.

    What a read raises is raised where its next sample would be. Threads are daemons; they end when the
    generator is closed, dropped, or raises.

    Args:
        groups: What is read; taken in the caller's thread.
        read: Yields the samples of a group, in a background thread.
        size_of: How many bytes a sample takes.
        ahead: How many groups to read at a time, at least 1.
        max_bytes: Threads pause while more than this waits to be used. Each may be one sample over it.
    """
    readers = _Readers(read, size_of, max_bytes)
    lanes: deque[_Lane[T]] = deque()
    left = iter(groups)
    try:
        while True:
            while len(lanes) < ahead:
                try:
                    group = next(left)
                except StopIteration:
                    break
                lanes.append(readers.start(group, len(lanes) + 1))
            if not lanes:
                return
            yield from readers.drain(lanes[0])
            lanes.popleft()
    finally:
        readers.stop()


class _Lane(Generic[T]):
    """The samples of one group that were read and not used yet, or, without threads, are still to be read."""

    def __init__(self) -> None:
        self.unread: Generator[T, None, None] | None = None
        self.samples: list[T] = []
        self.size = 0
        self.is_done = False
        self.error: BaseException | None = None


class _Readers(Generic[G, T]):
    """Threads that fill lanes.

    Invariant: a thread never waits for memory while the lane that is drained is empty and its own, so that
    there always is one that goes on.
    """

    def __init__(
        self, read: Callable[[G], Generator[T, None, None]], size_of: Callable[[T], int], max_bytes: int
    ) -> None:
        self._read = read
        self._size_of = size_of
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._held = 0
        self._is_waiting = False  # the consumer, for a sample
        self._paused = 0  # threads, for room
        self._drained: _Lane[T] | None = None
        self._stopped = False
        self._work: SimpleQueue[tuple[G, _Lane[T]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, group: G, wanted_threads: int) -> _Lane[T]:
        """Have a group read.

        Args:
            group: The group.
            wanted_threads: How many groups are being read then.
        """
        lane: _Lane[T] = _Lane()
        self._work.put((group, lane))
        if len(self._threads) < wanted_threads:
            self._start_thread()
        if not self._threads:
            self._work.get_nowait()
            lane.unread = self._read(group)
        return lane

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="ais-prefetch", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending, or the system is at its limit
            return
        self._threads.append(thread)

    def drain(self, lane: _Lane[T]) -> Iterator[T]:
        """Yield the samples of a lane, as they come."""
        if lane.unread is not None:
            with closing(lane.unread) as unread:
                yield from unread
            return
        used = 0
        while True:
            with self._changed:
                self._drained = lane
                self._held -= used
                if self._paused:
                    self._changed.notify_all()
                while not (lane.samples or lane.is_done):
                    self._is_waiting = True
                    self._changed.wait()
                self._is_waiting = False
                samples, lane.samples = lane.samples, []
                used, lane.size = lane.size, 0
            if not samples:
                if lane.error is not None:
                    raise lane.error
                return
            # The reverse order frees each sample when it is handed out.
            samples.reverse()
            while samples:
                yield samples.pop()

    def stop(self) -> None:
        """Have the threads end, and forget what they read."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():  # the garbage collector may run in any of them
                thread.join(_GRACE)

    def _run(self) -> None:
        while (item := self._work.get()) is not None and not self._stopped:
            group, lane = item
            try:
                with closing(self._read(group)) as samples:
                    for sample in samples:
                        if not self._put(lane, sample):
                            return
            except BaseException as err:  # noqa: BLE001 - raised where the sample is asked for
                lane.error = err
            finally:
                with self._changed:
                    lane.is_done = True
                    self._changed.notify_all()

    def _put(self, lane: _Lane[T], sample: T) -> bool:
        """Add a sample to a lane, and wait until there is room for another; false: reading is to end."""
        size = self._size_of(sample)
        with self._changed:
            lane.samples.append(sample)
            lane.size += size
            self._held += size
            if self._is_waiting and lane is self._drained:
                self._changed.notify_all()
            while not self._stopped and self._held >= self._max_bytes and not self._is_awaited(lane):
                self._paused += 1
                self._changed.wait()
                self._paused -= 1
            return not self._stopped

    def _is_awaited(self, lane: _Lane[T]) -> bool:
        return lane is self._drained and not lane.samples
