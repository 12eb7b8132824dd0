"""Blocking calls of the SDK, awaited from an event loop."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


class _Operation:
    """What several calls are parts of."""

    failed = False


_operation: ContextVar[_Operation | None] = ContextVar("_operation", default=None)


@contextmanager
def one_operation() -> Iterator[None]:
    """Keep calls of the block, also those of its tasks, from beginning once it failed or was cancelled.

    fsspec does not cancel the tasks of an operation that is cancelled.
    """
    operation = _Operation()
    before = _operation.set(operation)
    try:
        yield
    except BaseException:
        operation.failed = True
        raise
    finally:
        _operation.reset(before)


class Threads:
    """Runs calls in threads, so many at a time.

    Calls wait for a thread in their event loop, not in the pool: a call that is cancelled before it began
    never runs, and a program that ends waits only for those that have begun. A forked child has threads of
    its own.

    Args:
        limit: How many calls run at a time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread and return what it returns.

        Cancelling this lets a call that has begun run to its end, without anybody waiting for it.

        Args:
            call: Takes no arguments.

        Raises:
            asyncio.CancelledError: The operation that it is part of has failed.
        """
        loop = asyncio.get_running_loop()
        pool, turn = self._for(loop)
        operation = _operation.get()
        async with turn:
            if operation is not None and operation.failed:
                raise asyncio.CancelledError
            return await loop.run_in_executor(pool, call)

    def _for(self, loop: asyncio.AbstractEventLoop) -> tuple[ThreadPoolExecutor, asyncio.Semaphore]:
        if self._pid != os.getpid():  # threads and locks of the parent are not there
            self._start()
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.limit, thread_name_prefix="ais-fs")
            return self._pool, self._turns.setdefault(loop, asyncio.Semaphore(self.limit))
