"""What clients share: parts, waiting, and what is left when somebody gives up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from aistore.local.shares import Pool, Shares
from aistore.local.work import AbandonedError, check, until


async def is_blocked(task: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


def hold(stack: AsyncExitStack, shares: Shares, client: str, amount: int = 1) -> asyncio.Task[None]:
    async def take() -> None:
        await stack.enter_async_context(shares.hold(client, amount))

    return asyncio.ensure_future(take())


def test_a_client_has_its_part_and_others_the_rest() -> None:
    async def run() -> None:
        shares = Shares(4, 3)
        async with AsyncExitStack() as greedy, AsyncExitStack() as other:
            for _ in range(3):
                await hold(greedy, shares, "greedy")
            waits = hold(greedy, shares, "greedy")
            assert await is_blocked(waits)
            assert not await is_blocked(hold(other, shares, "other"))
            second = hold(other, shares, "other")
            assert await is_blocked(second)
            await greedy.aclose()
            assert not await is_blocked(waits)
            assert not await is_blocked(second)

    asyncio.run(run())


def test_more_than_there_is_is_granted_to_who_holds_nothing() -> None:
    async def run() -> None:
        shares = Shares(10, 5)
        async with AsyncExitStack() as stack:
            assert not await is_blocked(hold(stack, shares, "one", 100))
            waits = hold(stack, shares, "two", 1)
            assert await is_blocked(waits)
            waits.cancel()
        async with AsyncExitStack() as stack:
            assert not await is_blocked(hold(stack, shares, "three", 5))

    asyncio.run(run())


def test_who_gives_up_leaves_nothing_behind() -> None:
    async def run() -> None:
        shares = Shares(1, 1)
        async with AsyncExitStack() as first, AsyncExitStack() as stack:
            await hold(first, shares, "one")
            waits = [hold(stack, shares, "two") for _ in range(3)]
            assert await is_blocked(waits[0])
            waits[0].cancel()
            assert await is_blocked(waits[1])
            await first.aclose()
            assert not await is_blocked(waits[1])
            waits[2].cancel()
            await stack.aclose()
            assert not await is_blocked(hold(stack, shares, "three"))

    asyncio.run(run())


def test_work_ends_where_it_checks() -> None:
    def ends() -> None:
        raise AbandonedError

    check()
    with pytest.raises(AbandonedError), until(ends):
        check()
    check()


def test_a_pool_runs_calls() -> None:
    async def run() -> list[int]:
        pool = Pool("test", 2, 1)
        try:
            return await asyncio.gather(*(pool.run("client", lambda n=n: n * n) for n in range(5)))
        finally:
            pool.close()

    assert asyncio.run(run()) == [0, 1, 4, 9, 16]
