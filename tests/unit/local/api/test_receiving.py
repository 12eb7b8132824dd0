"""Bodies of objects as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from aistore.local.api.object_put import receive_into
from aistore.local.state import State

CHUNK = 64 << 10


class _State:
    _ahead = 0
    streaming = State.streaming
    piece_size = State.piece_size
    options = SimpleNamespace(fsync=False)

    async def run(self, call: Any, *args: Any) -> None:
        call(*args)


class _Sink:
    size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)


def test_clients_that_stop_sending_hold_little() -> None:
    state: Any = _State()
    request: Any = SimpleNamespace(state=state)
    count = 300

    async def stalled(reached: asyncio.Semaphore) -> AsyncIterator[bytes]:
        for _ in range(14):
            yield bytes(CHUNK)
            await asyncio.sleep(0)
        reached.release()
        await asyncio.Event().wait()

    async def run() -> int:
        reached = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(receive_into(request, _Sink(), stalled(reached))) for _ in range(count)]
        for _ in tasks:
            await reached.acquire()
        held = int(state._ahead)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return held

    assert CHUNK < asyncio.run(run()) < (32 << 20) + count * 2 * CHUNK
    assert state._ahead == 0


def test_a_body_is_written_whole() -> None:
    sink = _Sink()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(CHUNK)

    request: Any = SimpleNamespace(state=_State())
    assert asyncio.run(receive_into(request, sink, body())) is False
    assert sink.size == 50 * CHUNK
