"""Work that an event loop hands to threads: fast work shares one, slow work delays nobody."""

import asyncio
import threading

import pytest

from aistore.sdk.etl.webserver import handoff
from aistore.sdk.etl.webserver.handoff import FEW, Handoff
from aistore.sdk.etl.webserver.pace import Pace

SECONDS = 20


def run(work, limit=16):
    async def main():
        threads = Handoff(asyncio.get_running_loop(), limit)
        try:
            return await asyncio.wait_for(work(threads), SECONDS)
        finally:
            threads.close()

    return asyncio.run(main())


def test_outcomes():
    async def work(threads):
        assert await threads.run(pow, 2, 10) == 1024
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 1, 0)
        return await asyncio.gather(*[threads.run(int, n) for n in range(1000)])

    assert run(work) == list(range(1000))


def test_fast_work_is_done_by_one_thread(monkeypatch):
    monkeypatch.setattr(handoff, "WAIT_SECONDS", 10.0)
    monkeypatch.setattr(Pace, "note", lambda self, seconds: None)

    async def work(threads):
        return await asyncio.gather(*[threads.run(threading.get_ident) for _ in range(200)])

    assert len(set(run(work))) == 1


def test_work_that_is_stuck_delays_no_other_work():
    """Neither what came before it was known to be slow, nor what comes after."""
    stuck = threading.Event()

    async def work(threads):
        first = threads.run(stuck.wait, SECONDS)
        others = await asyncio.gather(*[threads.run(threading.get_ident) for _ in range(20)])
        assert not first.done()
        stuck.set()
        assert await first
        return others

    assert len(run(work)) == 20


def test_work_that_blocks_is_spread():
    """All at once, though none of it ends before all of it has begun."""
    everyone = threading.Barrier(8)

    async def work(threads):
        return await asyncio.gather(*[threads.run(everyone.wait, SECONDS, blocks=True) for _ in range(8)])

    assert sorted(run(work)) == list(range(8))


def test_slow_work_is_spread_without_being_told():
    everyone = threading.Barrier(8)

    async def work(threads):
        return await asyncio.gather(*[threads.run(everyone.wait, SECONDS) for _ in range(8)])

    assert sorted(run(work)) == list(range(8))


def test_what_is_known_to_be_stuck_is_not_waited_for(monkeypatch):
    """Not even the short time after which the watch would help."""
    go_on = threading.Event()

    async def work(threads):
        stuck = [threads.run(go_on.wait, SECONDS, blocks=True) for _ in range(3)]
        await threads.run(int)
        monkeypatch.setattr(handoff, "WAIT_SECONDS", float(SECONDS))
        await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.wait_for(threads.run(int), SECONDS / 2)
            await asyncio.wait_for(threads.run(int, blocks=True), SECONDS / 2)
        go_on.set()
        return await asyncio.gather(*stuck)

    assert run(work) == [True] * 3


def test_what_is_stuck_at_the_same_time_does_not_add_up(monkeypatch):
    """The watch has to notice the first one only."""
    everyone = threading.Barrier(9)

    async def work(threads):
        look, looks = threads._watch, []

        def watch():
            looks.append(1)
            if len(looks) <= 2:
                look()

        monkeypatch.setattr(threads, "_watch", watch)
        return await asyncio.gather(*[threads.run(everyone.wait, SECONDS) for _ in range(9)])

    assert sorted(run(work)) == list(range(9))


@pytest.mark.parametrize(("seconds", "most"), [(0.001, FEW), (0.01, 8)])
def test_the_longer_work_takes_the_more_threads(seconds, most):
    """As judged by the clock, not by what the work says of itself."""
    breadth = handoff._Breadth()
    assert breadth.threads(8) == 1
    for _ in range(100):
        breadth.note(seconds, breadth.threads(8))
    assert breadth.threads(8) == most


def test_no_more_threads_than_allowed():
    seen = set()

    async def work(threads):
        await asyncio.gather(
            *[threads.run(lambda: seen.add(threading.get_ident()), blocks=True) for _ in range(200)]
        )

    run(work, limit=3)
    assert len(seen) <= 3


def test_the_loop_is_free_meanwhile():
    go_on = threading.Event()

    async def work(threads):
        waiting = [threads.run(go_on.wait, SECONDS) for _ in range(4)]
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(*waiting)

    assert run(work) == [True] * 4


def test_threads_end():
    async def work(threads):
        await threads.run(int)

    before = set(threading.enumerate())
    run(work)
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_idle_threads_end(monkeypatch):
    monkeypatch.setattr(handoff, "IDLE_SECONDS", 0.01)

    async def work(threads):
        ident = await threads.run(threading.current_thread)
        await asyncio.to_thread(ident.join, SECONDS)
        assert not ident.is_alive()
        return await threads.run(int, 7)

    assert run(work) == 7


def test_a_loop_that_is_closed_meanwhile():
    """Nobody waits any more: the thread ends quietly."""
    go_on = threading.Event()
    loop = asyncio.new_event_loop()
    threads = Handoff(loop, 4)

    async def begin():
        threads.run(go_on.wait, SECONDS)

    before = set(threading.enumerate())
    loop.run_until_complete(begin())
    workers = set(threading.enumerate()) - before
    loop.close()
    threads.close()
    go_on.set()
    for worker in workers:
        worker.join(SECONDS)
        assert not worker.is_alive()


def test_cancelled_work_is_forgotten():
    async def work(threads):
        future = threads.run(int, 1)
        future.cancel()
        return await threads.run(int, 2)

    assert run(work) == 2
