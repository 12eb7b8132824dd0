"""What is said to ETL servers, and what is made of their answers, by sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from aistore.local.etl.http_client import Answer, Connections, ExchangeError

Script = list[bytes | None]


class Server:
    """Answers each request with the next piece of its script; None closes the connection."""

    def __init__(self, script: Script) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._script = iter(script)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            sock.settimeout(10)
            while self._answer(sock):
                pass

    def _answer(self, sock: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                sock.close()
                return False
            data += piece
        self.requests.append(data)
        for answer in self._script:
            if answer is None:
                sock.close()
                return False
            sock.sendall(answer)
            return not answer.endswith(b"END")
        return False

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may be closed
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)
        for sock in self._open:
            sock.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    servers: list[Server] = []

    def start(script: Script) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()


def ask(connections: Connections, server: Server, seconds: float = 5.0, **more: object) -> Answer:
    headers = {"Content-Length": "0", "X-A": "b"}
    deadline = time.monotonic() + seconds
    return connections.request(
        server.url, "PUT", "/b/o?x=1", headers, connect_seconds=2, deadline=deadline, **more
    )


def body(answer: Answer, patience: float = 5.0) -> bytes:
    return b"".join(answer.pieces(patience))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: a/b\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"


def test_a_connection_is_kept(serve: Callable[[Script], Server], connections: Connections) -> None:
    server = serve(
        [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + OK]
    )
    found = []
    for _ in range(4):
        answer = ask(connections, server)
        found.append((answer.status, body(answer)))
        answer.close()
    assert found == [(200, b"abc"), (200, b"abc"), (204, b""), (200, b"abc")]
    assert "x" not in answer.headers
    assert answer.headers["content-type"] == "a/b"
    assert server.connections == 1
    assert server.requests[0].startswith(b"PUT /b/o?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-A: b\r\n\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"Content-Type: a/b", b"Connection: close"),
        OK + b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["close", "more than was asked for"],
)
def test_a_connection_is_not_kept(
    serve: Callable[[Script], Server], connections: Connections, answer: bytes
) -> None:
    server = serve([answer, OK])
    assert body(ask(connections, server)) == b"abc"
    connections.forget("http://other")
    deadline = time.monotonic() + 5
    # The server goes on with the next connection when this one has ended.
    assert body(ask(connections, server)) == b"abc"
    assert time.monotonic() < deadline
    assert server.connections == 2


def test_an_answer_as_long_as_its_connection(
    serve: Callable[[Script], Server], connections: Connections
) -> None:
    server = serve([b"HTTP/1.0 200 OK\r\n\r\nabcEND", None])
    answer = ask(connections, server)
    server._open[0].shutdown(socket.SHUT_RDWR)
    assert body(answer) == b"abcEND"


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    serve: Callable[[Script], Server], connections: Connections
) -> None:
    server = serve([OK, None, OK])
    for _ in range(2):
        # The second request finds out only from the missing answer, and is asked once more.
        assert body(ask(connections, server)) == b"abc"
    assert len(server.requests) == 3
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"nonsense\r\n\r\nEND", "malformed response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "head longer than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcEND", "malformed response"),
        (None, "ended before the response did"),
    ],
)
def test_what_is_no_answer(
    serve: Callable[[Script], Server], connections: Connections, answer: bytes | None, error: str
) -> None:
    with pytest.raises(ExchangeError, match=error):
        ask(connections, serve([answer]))


@pytest.mark.parametrize("answer", [OK[:-1], CHUNKED[:-6]])
def test_an_answer_that_breaks_off(
    serve: Callable[[Script], Server], connections: Connections, answer: bytes
) -> None:
    server = serve([answer])
    begun = ask(connections, server)
    server._open[0].shutdown(socket.SHUT_RDWR)
    with pytest.raises(ExchangeError, match="ended before the response did"):
        body(begun)


def test_time(serve: Callable[[Script], Server], connections: Connections) -> None:
    server = serve([b"HTTP/1.1 2", OK[:-1]])
    with pytest.raises(TimeoutError):
        ask(connections, server, 0.1)
    server = serve([OK[:-1]])
    answer = ask(connections, server)
    with pytest.raises(TimeoutError):
        body(answer, 0.1)


def test_nobody_there(connections: Connections, serve: Callable[[Script], Server]) -> None:
    server = serve([])
    server.close()
    with pytest.raises(ExchangeError, match="can't connect to"):
        ask(connections, server)


def test_a_long_message_is_cut(serve: Callable[[Script], Server], connections: Connections) -> None:
    server = serve([OK])
    assert ask(connections, server).read(2, 5) == b"ab"


def test_an_answer_that_comes_before_the_body_was_taken(
    serve: Callable[[Script], Server], connections: Connections
) -> None:
    refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    server = serve([refused, None])
    sent = []

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            sent.append(1)
            yield b"x" * 1000

    answer = ask(connections, server, body=pieces)
    assert (answer.status, body(answer)) == (400, b"no")
    assert len(sent) == 3


def test_a_server_that_takes_no_more_of_the_body(
    connections: Connections,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(TimeoutError, match="request"):
            connections.request(
                url,
                "PUT",
                "/b/o",
                {"Content-Length": str(64 << 20)},
                body=lambda: [bytes(64 << 20)],
                connect_seconds=2,
                deadline=time.monotonic() + 0.3,
            )
