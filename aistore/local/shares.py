"""A resource that clients share: each may have a part of it, all together no more than there is."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Executor

T = TypeVar("T")


class _Waiting(NamedTuple):
    client: str
    amount: int
    granted: asyncio.Future[None]


class Shares:
    """A resource; belongs to the event loop.

    Args:
        total (int): How much there is.
        each (int): How much of it one client may hold. A request for more than that is granted to a client
            that holds nothing.
    """

    def __init__(self, total: int, each: int) -> None:
        self.total = total
        self.each = each
        self._held: Counter[str] = Counter()
        self._sum = 0
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def hold(self, client: str, amount: int = 1) -> AsyncIterator[None]:
        """Hold so much of it; waits until it is free, first come, first served."""
        await self._take(client, amount)
        try:
            yield
        finally:
            self._give_back(client, amount)

    def _fits(self, client: str, amount: int) -> bool:
        held = self._held[client]
        return (not held or held + amount <= self.each) and (
            not self._sum or self._sum + amount <= self.total
        )

    def _grant(self, client: str, amount: int) -> None:
        self._held[client] += amount
        self._sum += amount

    async def _take(self, client: str, amount: int) -> None:
        if self._fits(client, amount) and not any(waiting.client == client for waiting in self._waiting):
            self._grant(client, amount)
            return
        waiting = _Waiting(client, amount, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.granted.cancelled():
                self._give_back(client, amount)
            raise

    def _give_back(self, client: str, amount: int) -> None:
        self._held[client] -= amount
        if not self._held[client]:
            del self._held[client]
        self._sum -= amount
        blocked = set()
        for waiting in list(self._waiting):
            if waiting.granted.cancelled():
                self._waiting.remove(waiting)
            elif waiting.client in blocked:
                continue
            elif self._fits(waiting.client, waiting.amount):
                self._waiting.remove(waiting)
                self._grant(waiting.client, waiting.amount)
                waiting.granted.set_result(None)
            else:
                blocked.add(waiting.client)


class Pool:
    """Threads for work of one kind that may take long, of which a client has a share.

    Args:
        name (str): For the threads' names.
        threads (int): How many there are.
        each (int): How many of them work for one client at a time.
    """

    def __init__(self, name: str, threads: int, each: int) -> None:
        self._shares = Shares(threads, each)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, client: str, call: Callable[[], T]) -> T:
        """Run a call for a client; it waits until the client's share allows it."""
        async with self._shares.hold(client):
            return await finish(self._threads, call)

    def submit(self, call: Callable[[], object]) -> None:
        """Run a call that belongs to no client."""
        self._threads.submit(call)

    def close(self) -> None:
        """Wait for the end of the calls that have begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)


async def finish(threads: Executor, call: Callable[[], T]) -> T:
    """Run a call on a thread and wait for its end, also when the waiting task is cancelled.

    What the call works on (a file, a writer) must not be closed under it.
    """
    future = asyncio.get_running_loop().run_in_executor(threads, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
