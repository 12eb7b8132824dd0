"""Handles of appends that nobody goes on with: they end, and give their space back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from aistore.local.api import append
from aistore.local.api.append import Appends
from aistore.local.catalog import Bucket
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.store import Store


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock that handles go by; three may be open."""
    clock = Clock()
    monkeypatch.setattr(append, "time", clock)
    monkeypatch.setattr(append, "_MAX_OPEN", 3)
    return clock


def appends_of(store: Store) -> Appends:
    state: Any = SimpleNamespace(store=store)
    return Appends(state)


async def begin(appends: Appends, bucket: Bucket, name: str) -> str:
    work_id, work = await appends._begin(bucket, name)
    work.writer.write(b"bytes")
    return f"t|{work_id}.0|md5|"


def test_a_handle_that_is_not_used_ends(store: Store, bucket: Bucket, clock: Clock) -> None:
    async def run() -> None:
        appends = appends_of(store)
        handle = await begin(appends, bucket, "o")
        clock.now += append._IDLE_SECONDS - 1
        appends._expire_now()
        _, work = appends._find(bucket, "o", handle)
        clock.now += 1
        async with work.lock:  # in the middle of a request
            appends._expire_now()
        appends._find(bucket, "o", handle)
        appends._expire_now()
        with pytest.raises(InvalidRequest, match="invalid APPEND handle"):
            appends._find(bucket, "o", handle)
        assert not store.open_writers

    asyncio.run(run())


def test_abandoned_handles_do_not_block_others(store: Store, bucket: Bucket, clock: Clock) -> None:
    async def run() -> None:
        appends = appends_of(store)
        handles = []
        for number in range(3):
            handles.append(await begin(appends, bucket, f"o{number}"))
            clock.now += 1
        with pytest.raises(LocalError, match="too many objects are being appended to") as caught:
            await begin(appends, bucket, "more")
        assert caught.value.status == 429
        clock.now += append._LEAST_IDLE_SECONDS - 3
        await begin(appends, bucket, "more")
        with pytest.raises(InvalidRequest):
            appends._find(bucket, "o0", handles[0])
        appends._find(bucket, "o1", handles[1])
        appends.close()
        assert not store.open_writers

    asyncio.run(run())


def test_the_timer_runs_while_there_are_handles(store: Store, bucket: Bucket, clock: Clock) -> None:
    async def run() -> None:
        appends = appends_of(store)
        await begin(appends, bucket, "o")
        timer = appends._timer
        assert timer is not None
        await begin(appends, bucket, "p")
        assert appends._timer is timer
        timer.cancel()
        appends._expire_now()
        assert appends._timer is not None
        appends._timer.cancel()
        clock.now += append._IDLE_SECONDS
        appends._expire_now()
        assert appends._timer is None

    asyncio.run(run())
