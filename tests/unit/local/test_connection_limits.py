"""Time limits of connections, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from aistore.local.protocol import HEAD_SECONDS, IDLE_SECONDS, PACE_SECONDS, Connections, GuardedProtocol


class _Loop:
    """A clock, and the one watch that a connection sets."""

    def __init__(self, real: asyncio.AbstractEventLoop) -> None:
        self.now = 1000.0
        self._real = real

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Any, *args: Any) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(self.now + delay, call, args, self._real)

    def create_task(self, coroutine: Any) -> asyncio.Task[Any]:
        return self._real.create_task(coroutine)


class _Transport:
    def __init__(self) -> None:
        self.unsent = 0
        self.aborted = False
        self.written = b""

    def get_extra_info(self, name: str) -> Any:
        return None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.aborted = True

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


class _Connection:
    def __init__(self, real: asyncio.AbstractEventLoop) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.loop = _Loop(real)
        self.transport = _Transport()
        self.protocol = GuardedProtocol(config, ServerState(), {}, _loop=self.loop)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    def after(self, seconds: float) -> bool:
        """Whether the connection is cut when so much time has gone by."""
        self.loop.now += seconds
        self.protocol._check()
        return self.transport.aborted


@pytest.fixture
def connection() -> Iterator[_Connection]:
    loop = asyncio.new_event_loop()
    connection = _Connection(loop)
    yield connection
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


_HEAD = b"PUT /o HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"


def test_a_client_that_says_nothing(connection: _Connection) -> None:
    assert not connection.after(IDLE_SECONDS - 1)
    assert connection.after(2)


def test_a_head_byte_by_byte(connection: _Connection) -> None:
    for byte in _HEAD[:10]:
        connection.protocol.data_received(bytes([byte]))
        connection.loop.now += HEAD_SECONDS / 11
    assert not connection.after(0)
    connection.protocol.data_received(_HEAD[10:11])
    assert connection.after(HEAD_SECONDS / 5)


def test_a_body_that_stops(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD + b"half")
    assert not connection.after(IDLE_SECONDS - 1)
    connection.protocol.data_received(b"x")
    assert not connection.after(IDLE_SECONDS - 1)
    assert connection.after(2)


def test_a_slow_answer_is_not_the_clients_fault(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD + b"all of it ")
    assert not connection.after(10 * IDLE_SECONDS)


def test_a_reader_that_stops_reading(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD + b"all of it ")
    connection.transport.unsent = 1000
    assert not connection.after(1)
    connection.transport.unsent = 900
    assert not connection.after(IDLE_SECONDS - 1)
    assert connection.after(IDLE_SECONDS + 1)


def test_a_body_byte_by_byte(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD.replace(b"10", b"100000"))
    for _ in range(int(PACE_SECONDS)):
        assert not connection.after(1)
        connection.protocol.data_received(b"x")
    assert connection.after(1)


def test_a_body_that_is_fast_enough(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD.replace(b"10", b"100000"))
    for _ in range(int(2 * PACE_SECONDS) // 5):
        assert not connection.after(5)
        connection.protocol.data_received(b"x" * 1300)


def test_a_reader_that_reads_byte_by_byte(connection: _Connection) -> None:
    connection.protocol.data_received(_HEAD + b"all of it ")
    connection.protocol.transport.write(bytes(100_000))
    connection.transport.unsent = 100_000
    for _ in range(int(PACE_SECONDS)):
        assert not connection.after(1)
        connection.transport.unsent -= 1
    assert connection.after(1)


def test_the_more_connections_the_less_is_read_ahead_for_each() -> None:
    connections = Connections()
    read_ahead = []
    for number in range(4096):
        read_ahead.append(connections.read_ahead)
        assert connections.admit(number, "client")  # type: ignore[arg-type]  # anything that can be counted
    assert read_ahead[0] == 1 << 20
    assert connections.read_ahead == 64 << 10
    assert sum(read_ahead) < 600 << 20
