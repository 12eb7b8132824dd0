"""Hands work from an event loop to threads, and the outcome back, at the least cost.

A change of threads costs more than most transforms, and threads contend for the interpreter's lock. So one
thread takes all the work that is waiting and reports all outcomes at once; work that takes longer is done by
two, and only what takes long by a thread each. How long it takes is measured, for transforms and for what
waits for others apart: what is fast today may be slow tomorrow.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from aistore.sdk.etl.webserver.pace import Pace

T = TypeVar("T")

# Work that is not fast is done by so many threads at a time, unless it takes longer than this on average.
FEW = 2
MANY_SECONDS = 0.005
# Work that is next at two looks, so long after each other, gets one more thread.
WAIT_SECONDS = 0.005
# A thread does not hold back outcomes for longer than this.
REPORT_SECONDS = 0.0005
# A thread that has had no work for so long ends.
IDLE_SECONDS = 30.0


class _Breadth:
    """How many threads work of a kind is worth."""

    __slots__ = ("_few", "_many")

    def __init__(self) -> None:
        self._few = Pace()
        self._many = Pace(MANY_SECONDS)

    def threads(self, limit: int) -> int:
        """Return how many at the most."""
        if not self._few.is_slow:
            return 1
        return limit if self._many.is_slow else FEW

    def note(self, seconds: float, threads: int) -> None:
        """Note how long a piece of work took that was begun when it was worth so many threads."""
        if threads == 1:
            self._few.note(seconds)
            return
        self._few.skip()
        if threads == FEW:
            self._many.note(seconds)
        else:
            self._many.skip()


class _Job(NamedTuple):
    future: asyncio.Future[Any]
    func: Callable[..., Any]
    args: tuple[Any, ...]
    breadth: _Breadth
    threads: int


class Handoff:
    """Threads that work for one event loop.

    Args:
        loop: The loop; all methods but `close` are called on it.
        limit: How many threads at the most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self.loop = loop
        self._limit = limit
        self._jobs: collections.deque[_Job] = collections.deque()
        self._idle: collections.deque[threading.Lock] = collections.deque()
        self._outcomes: collections.deque[tuple[asyncio.Future[Any], Any, BaseException | None]]
        self._outcomes = collections.deque()
        self._reported = False
        self._threads = 0
        self._count = threading.Lock()
        self._breadths = _Breadth(), _Breadth()
        self._next: _Job | None = None
        # How many threads are known to be at work that takes long: nothing waits as long as there are any. A
        # miscount costs a change of threads, or a look of the watch.
        self._stuck = 0
        self._watching = False
        self._closed = False

    def run(self, func: Callable[..., T], *args: Any, blocks: bool = False) -> asyncio.Future[T]:
        """Have a thread call a function.

        Args:
            func: The function.
            args: Its arguments.
            blocks: Whether it waits for somebody: judged apart from work that does not.

        Returns:
            A future on the loop. Cancelling it does not stop the function.
        """
        future: asyncio.Future[T] = self.loop.create_future()
        breadth = self._breadths[blocks]
        threads = breadth.threads(self._limit)
        self._jobs.append(_Job(future, func, args, breadth, threads))
        busy = self._threads - len(self._idle)
        if not busy:
            self._stuck = 0
        if self._stuck or busy < threads:
            self._wake()
        if not self._watching:
            self._watching = True
            self.loop.call_later(WAIT_SECONDS, self._watch)
        return future

    def close(self) -> None:
        """Let the threads end when they have nothing left to do."""
        self._closed = True
        while self._idle:
            try:
                self._idle.pop().release()
            except IndexError:
                break

    def _wake(self) -> None:
        # The one that was busy last: its caches are warm.
        try:
            self._idle.pop().release()
        except IndexError:
            with self._count:
                if self._threads >= self._limit:
                    return
                self._threads += 1
            threading.Thread(target=self._work, name="etl-worker", daemon=True).start()

    def _watch(self) -> None:
        """Give work that waits a thread more, again and again: those that work may be stuck."""
        try:
            waits = self._jobs[0]
        except IndexError:
            self._watching, self._next = False, None
            return
        if waits is self._next:
            self._stuck = self._threads - len(self._idle)
            self._wake()
        self._next = waits
        self.loop.call_later(WAIT_SECONDS, self._watch)

    # ---- in the threads

    def _work(self) -> None:
        woken = threading.Lock()
        woken.acquire()
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                if not self._wait(woken):
                    return
                continue
            # Where work is stuck, what comes next may be, too: they must not add up.
            if self._stuck and self._jobs:
                self._wake()
            self._do(job)

    def _wait(self, woken: threading.Lock) -> bool:
        """Wait to be woken; False when there is to be no more work."""
        self._report()
        self._idle.append(woken)
        # Work that came before this thread could be seen to be idle has woken nobody.
        if self._jobs:
            try:
                self._idle.remove(woken)
            except ValueError:
                woken.acquire()
            return True
        if not self._closed and woken.acquire(timeout=IDLE_SECONDS):
            return True
        try:
            self._idle.remove(woken)
        except ValueError:  # woken just now
            woken.acquire()
            return True
        with self._count:
            self._threads -= 1
        return False

    def _do(self, job: _Job) -> None:
        future, func, args, breadth, threads = job
        begun = time.perf_counter()
        try:
            result, error = func(*args), None
        except BaseException as exc:  # noqa: BLE001 - raised where the future is awaited
            result, error = None, exc
        self._outcomes.append((future, result, error))
        taken = time.perf_counter() - begun
        breadth.note(taken, threads)
        if self._stuck and taken > WAIT_SECONDS:
            self._stuck -= 1
        if taken > REPORT_SECONDS or not self._jobs or len(self._outcomes) > 16:
            self._report()

    def _report(self) -> None:
        if self._outcomes and not self._reported:
            self._reported = True
            try:
                self.loop.call_soon_threadsafe(self._settle)
            except RuntimeError:  # the loop is closed, and with it whoever waits
                self._outcomes.clear()

    def _settle(self) -> None:
        self._reported = False
        while self._outcomes:
            future, result, error = self._outcomes.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
