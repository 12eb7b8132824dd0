"""Blocking calls awaited: so many at a time, and none begins once it was cancelled."""

import asyncio
import threading
import time
from contextlib import suppress

import pytest

from aistore.fs.threads import Threads, one_operation


class Gate:
    """Calls that wait until the test lets them go on."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun = self.running = self.most = 0
        self.open = threading.Event()

    def call(self):
        with self.lock:
            self.begun += 1
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.open.wait(10)
        with self.lock:
            self.running -= 1
        return 7


async def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


def test_only_so_many_run_at_a_time():
    threads, gate = Threads(3), Gate()

    async def main():
        calls = asyncio.gather(*[threads.run(gate.call) for _ in range(20)])
        await until(lambda: gate.running == 3)
        gate.open.set()
        return await calls

    assert asyncio.run(main()) == [7] * 20
    assert gate.most == 3


def test_what_is_cancelled_before_it_began_never_runs():
    threads, gate = Threads(2), Gate()

    async def main():
        tasks = [asyncio.create_task(threads.run(gate.call)) for _ in range(10)]
        await until(lambda: gate.running == 2)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        gate.open.set()
        return results

    assert all(isinstance(result, asyncio.CancelledError) for result in asyncio.run(main()))
    assert gate.begun == 2


def test_the_rest_of_an_operation_that_failed_never_runs():
    threads, gate = Threads(1), Gate()

    async def main():
        with suppress(KeyError), one_operation():
            tasks = [asyncio.ensure_future(threads.run(gate.call)) for _ in range(5)]
            await until(lambda: gate.running == 1)
            raise KeyError
        gate.open.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert await threads.run(lambda: 8) == 8
        return ended

    first, *others = asyncio.run(main())
    assert first == 7
    assert all(isinstance(other, asyncio.CancelledError) for other in others)
    assert gate.begun == 1


def test_several_loops_one_after_the_other():
    threads = Threads(1)
    for number in range(3):
        assert asyncio.run(threads.run(lambda number=number: number)) == number


def test_errors_are_raised():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(Threads(1).run(fail))
