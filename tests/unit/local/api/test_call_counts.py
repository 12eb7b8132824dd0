"""How many Python functions of the server a small request costs: times vary, these don't."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

import aistore
from aistore.local import bucket_props
from aistore.local.api import routes
from aistore.local.api.app import App
from aistore.local.api.guard import Guard
from aistore.local.names import Bck
from aistore.local.options import Options
from aistore.local.protocol import GuardedProtocol
from aistore.local.state import State

SECONDS = 10.0
ROUNDS = 20
PROXY, TARGET = 1, 2
# The loop's are not counted: a server runs on another one.
OURS = (str(Path(aistore.__file__).parent), str(Path(uvicorn.__file__).parent))


class Transport:
    """Where answers go; it says which port was asked."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answered = asyncio.Event()
        self.sent = b""

    def get_extra_info(self, name: str) -> Any:
        return {"sockname": ("127.0.0.1", self._port), "peername": ("127.0.0.1", 9)}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.sent = data
        self.answered.set()

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(Options(port=0), tmp_path)
    routes.register_all(state)
    for port, node in ((PROXY, state.nodes.proxy), (TARGET, state.nodes.targets[0])):
        node.bind("http", "127.0.0.1", port)
    bucket = state.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    state.store.put(bucket, "o", b"x" * 4096)
    yield state
    state.close()


def count(state: State, port: int, request: bytes, status: bytes) -> float:
    """Calls for each of some equal requests over one connection, after the first."""
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            calls[frame.f_code.co_name] += 1

    async def run() -> None:
        ports = {PROXY: state.nodes.proxy, TARGET: state.nodes.targets[0]}
        app = App(state, ports, Guard("127.0.0.1"))
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", server_header=False)
        config.load()
        protocol = GuardedProtocol(config, ServerState(), {}, _loop=asyncio.get_running_loop())
        transport = Transport(port)
        protocol.connection_made(transport)  # type: ignore[arg-type] - it has all that is used
        for number in range(ROUNDS + 1):
            transport.answered.clear()
            if number == 1:
                sys.setprofile(profile)
            protocol.data_received(request)
            await asyncio.wait_for(transport.answered.wait(), SECONDS)
            assert transport.sent.startswith(b"HTTP/1.1 " + status)
        sys.setprofile(None)
        protocol.connection_lost(None)

    try:
        asyncio.run(run())
    finally:
        sys.setprofile(None)
    return sum(calls.values()) / ROUNDS


@pytest.mark.parametrize(
    ("port", "request_line", "status", "most"),
    [
        (PROXY, b"GET /v1/objects/b/o?provider=ais", b"301 ", 75),
        (TARGET, b"GET /v1/objects/b/o?provider=ais&pid=p&utm=1", b"200 ", 102),
        (TARGET, b"PUT /v1/objects/b/o?provider=ais&pid=p&utm=1", b"200 ", 147),
    ],
)
def test_a_small_request_costs_few_calls(
    state: State, port: int, request_line: bytes, status: bytes, most: int
) -> None:
    """68, 93 and 134 when this was written; half of the first are the HTTP server's."""
    body = b"y" * 4096 if request_line.startswith(b"PUT") else b""
    head = request_line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body) if body else b"\r\n"
    assert count(state, port, head + body, status) < most
