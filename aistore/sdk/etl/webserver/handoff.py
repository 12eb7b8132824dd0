"""Hands work from an event loop to threads, and the outcome back, at the least cost.

A change of threads costs more than most transforms. So one thread takes all the work that is waiting and
reports all outcomes at once; only work that blocks, or takes long, is spread over more threads. How long work
takes is measured: what is fast today may be slow tomorrow.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

# Work that takes longer on average is done by one thread each.
SLOW_SECONDS = 0.0005
# Work that has waited so long for a thread gets one more.
WAIT_SECONDS = 0.002
# A thread does not hold back outcomes for longer than this.
REPORT_SECONDS = 0.0005
# A thread that has had no work for so long ends.
IDLE_SECONDS = 30.0

_Job: TypeAlias = "tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...], bool]"


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
        self._mean = 0.0
        self._watching = False
        self._closed = False

    def run(self, func: Callable[..., T], *args: Any, blocks: bool = False) -> asyncio.Future[T]:
        """Have a thread call a function.

        Args:
            func: The function.
            args: Its arguments.
            blocks: Whether it waits for something, so that others should not wait behind it.

        Returns:
            A future on the loop. Cancelling it does not stop the function.
        """
        future: asyncio.Future[T] = self.loop.create_future()
        self._jobs.append((future, func, args, blocks))
        if blocks or self._mean > SLOW_SECONDS or len(self._idle) == self._threads:
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
        """While work waits, give it threads one by one: the one that works may be stuck."""
        if self._jobs:
            self._wake()
            self.loop.call_later(WAIT_SECONDS, self._watch)
        else:
            self._watching = False

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
        future, func, args, blocks = job
        begun = time.perf_counter()
        try:
            result, error = func(*args), None
        except BaseException as exc:  # noqa: BLE001 - raised where the future is awaited
            result, error = None, exc
        self._outcomes.append((future, result, error))
        taken = time.perf_counter() - begun
        if not blocks:
            self._mean += (taken - self._mean) * 0.05
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
