"""Blocking calls of the SDK, awaited from an event loop."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, TypeVar

from fsspec import asyn

from aistore.sdk.parallel import WorkerPool

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    _Ts = TypeVarTuple("_Ts")

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
    never runs. A forked child has its own threads.

    Args:
        limit: How many calls run at a time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pool: WorkerPool | None = None
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

    def _for(self, loop: asyncio.AbstractEventLoop) -> tuple[WorkerPool, asyncio.Semaphore]:
        if self._pid != os.getpid():  # threads and locks of the parent are not there
            self._start()
        with self._lock:
            if self._pool is None:
                self._pool = WorkerPool(self.limit, "ais-fs")
            return self._pool, self._turns.setdefault(loop, asyncio.Semaphore(self.limit))


class CallersLoop(asyncio.SelectorEventLoop):
    """An event loop without a thread: it runs in that of each caller until what was scheduled is done."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.RLock()

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[_Ts]], object], *args: Unpack[_Ts], context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback; unless the loop runs in this thread, run it and all that it leads to.

        Args:
            callback: The callback.
            *args: Its arguments.
            context: The context to run it in. Default: the current one.
        """
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        with self._turn:
            if not self.is_running():
                self.run_until_complete(self._finish())
        return handle

    async def _finish(self) -> None:
        while tasks := asyncio.all_tasks(self) - {asyncio.current_task(self)}:
            await asyncio.wait(tasks)


_callers_loop: CallersLoop | None = None


def get_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of synchronous calls: fsspec's, or one without a thread if none can start."""
    global _callers_loop
    try:
        loop: asyncio.AbstractEventLoop = asyn.get_loop()
    except RuntimeError:  # the interpreter is ending; fsspec keeps a loop that nothing runs
        pass
    else:
        with asyn.get_lock():  # held while a thread is being started
            thread: threading.Thread | None = asyn.iothread[0]
            if thread is not None:
                return loop
    if _callers_loop is None:
        _callers_loop = CallersLoop()
    return _callers_loop
