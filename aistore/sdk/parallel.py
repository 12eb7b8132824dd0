"""Calling functions for many things at once."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_Call = tuple["Future[Any]", Callable[[], Any]]


class WorkerPool(Executor):
    """Threads that run calls, started as they are needed; where none can be, the caller's thread runs them.

    Once the main thread has ended, `ThreadPoolExecutor` refuses every call, and from Python 3.12 on no thread
    can be started, while other threads and `atexit` functions still work. A system has limits of its own.
    Threads are daemons: callers wait for what they have submitted.

    Args:
        max_workers: How many calls run at a time.
        name: Start of the threads' names.
        initializer: Called in each thread before its first call.
    """

    def __init__(self, max_workers: int, name: str, initializer: Callable[[], None] | None = None) -> None:
        self._max_workers = max_workers
        self._name = name
        self._initializer = initializer
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        # Threads end with a pool that was not shut down: they have no reference to it.
        weakref.finalize(self, self._queue.put, None).atexit = False

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Run a call in a thread as soon as one is free, or here if no thread can be started.

        Args:
            fn: The function.
            *args: Its arguments.
            **kwargs: Its keyword arguments.
        """
        future: Future[R] = Future()
        call = future, partial(fn, *args, **kwargs)
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot submit a call after shutdown")
            self._queue.put(call)  # before its thread starts, which is idle if it finds none
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._max_workers:
                self._start_thread()
            has_threads = bool(self._threads)
            if not has_threads:
                self._queue.get_nowait()
        if not has_threads:
            if self._initializer is not None:
                self._initializer()  # for each call: other pools may run theirs in this thread, too
            _run(call)
        return future

    def _start_thread(self) -> None:
        thread = threading.Thread(
            target=_work,
            args=(self._queue, self._idle, self._initializer),
            name=f"{self._name}_{len(self._threads)}",
            daemon=True,
        )
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending, or the system is at its limit
            self._threads.remove(thread)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no further calls, and end the threads after those that were submitted.

        Args:
            wait: Whether to wait until the threads have ended.
            cancel_futures: Whether to cancel the calls that have not begun.
        """
        with self._lock:
            self._is_closed = True
            while cancel_futures:
                try:
                    call = self._queue.get_nowait()
                except Empty:
                    break
                if call is not None:
                    call[0].cancel()
            self._queue.put(None)
        for thread in self._threads if wait else ():
            # The garbage collector runs in any thread; a signal may have come before a thread's start.
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join()


def _work(
    queue: SimpleQueue[_Call | None], idle: threading.Semaphore, initializer: Callable[[], None] | None
) -> None:
    if initializer is not None:
        initializer()
    while True:
        try:
            call = queue.get_nowait()
        except Empty:
            idle.release()
            call = queue.get()
        if call is None:
            queue.put(None)  # for the next thread
            return
        _run(call)
        del call  # keeps nothing alive while this thread waits


def _run(call: _Call) -> None:
    future, function = call
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as err:  # noqa: BLE001 - raised where the result is asked for
        future.set_exception(err)
    else:
        future.set_result(result)


def ordered_map(function: Callable[[T], R], items: Iterable[T], num_workers: int = 8) -> Iterator[R]:
    """Yield `function(item)` for every item, in their order; up to `num_workers` calls run at a time.

    Items are taken as workers become free, and no result is more than `num_workers` ahead of its consumer.
    What a call raises is raised where its result would be; calls not begun by then never are.
    """
    pool = WorkerPool(num_workers, "ais-map")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(pending) < num_workers:
                pending.append(pool.submit(function, item))
                continue
            result = pending.popleft().result()
            # Begun before its consumer has this one: workers work while it does.
            pending.append(pool.submit(function, item))
            yield result
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
