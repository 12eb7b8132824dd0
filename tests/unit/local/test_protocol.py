"""An answer in memory leaves by one call of the system; what stands in its headers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from aistore.local.api.response import Response, encode_header, send_response
from aistore.local.protocol import GuardedProtocol

SECONDS = 10.0


class Recorded:
    """A transport that notes each call that sends something."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unsent = 0
        self.closed = False

    def get_extra_info(self, name: str) -> Any:
        return None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        self.closed = True


def exchange(response: Response, request: bytes, *, unsent: int = 0) -> Recorded:
    """Have a connection answer a request."""

    async def run() -> Recorded:
        done = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send_response(response, scope["method"], send, scope["state"]["transport"])
            done.set()

        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", server_header=False)
        protocol = GuardedProtocol(config, ServerState(), {}, _loop=asyncio.get_running_loop())
        transport = Recorded()
        protocol.connection_made(transport)  # type: ignore[arg-type] - it has all that is used
        transport.unsent = unsent
        protocol.data_received(request)
        await asyncio.wait_for(done.wait(), SECONDS)
        closed = transport.closed
        protocol.connection_lost(None)
        transport.closed = closed
        return transport

    return asyncio.run(run())


GET = b"GET /o HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /o HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def test_head_and_body_leave_together() -> None:
    transport = exchange(Response(body=b"bytes", headers=[("Ais-Version", "1")]), GET)
    [sent] = transport.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"ais-version: 1\r\ncontent-length: 5\r\n\r\nbytes")
    assert not transport.closed


def test_the_last_answer_is_sent_before_the_connection_closes() -> None:
    transport = exchange(Response(body=b"bytes"), LAST)
    [sent] = transport.sent
    assert sent.endswith(b"\r\n\r\nbytes")
    assert transport.closed


def test_nothing_is_held_while_something_is_on_its_way() -> None:
    transport = exchange(Response(body=b"bytes"), GET, unsent=1)
    assert [b"".join(transport.sent).count(b"bytes"), len(transport.sent)] == [1, 2]


def test_a_head_has_no_body() -> None:
    transport = exchange(Response(length=7), GET.replace(b"GET", b"HEAD"))
    [sent] = transport.sent
    assert sent.endswith(b"content-length: 7\r\n\r\n")


def test_the_head_of_a_stream_does_not_wait_for_its_bytes() -> None:
    async def pieces():
        yield b"one"
        yield b"two"

    transport = exchange(Response(stream=pieces(), length=6), GET)
    assert transport.sent[1:3] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("value", "sent"),
    [("plain text", b"plain text"), ("a\nb\x7f\0", b"a b  "), ("é\tü", "é\tü".encode()), ("\udcff", b"\xff")],
)
def test_header_values(value: str, sent: bytes) -> None:
    assert encode_header("Ais-Name", value) == (b"Ais-Name", sent)
