"""Requests under way at once, by sockets whose other end the test holds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from aistore.local.etl.http_client import Answer, Connections, ExchangeError
from aistore.local.etl.pump import Pump

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%b"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


class Peer:
    """A server by hand."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(10)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def accept(self) -> socket.socket:
        sock, _ = self._listening.accept()
        sock.settimeout(10)
        self._open.append(sock)
        return sock

    def take(self, sock: socket.socket) -> None:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += sock.recv(1000)

    def close(self) -> None:
        for sock in (self._listening, *self._open):
            sock.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()


@pytest.fixture
def pump(connections: Connections) -> Iterator[Pump[str]]:
    with Pump[str](connections, 10.0) as pump:
        yield pump


@pytest.fixture
def ask(peer: Peer, pump: Pump[str]) -> Callable[..., None]:
    def ask(token: str) -> None:
        pump.ask(token, peer.url, REQUEST, 5.0)

    return ask


def settle(pump: Pump[str]) -> dict[str, Answer | OSError]:
    """The next that comes."""
    while True:
        found = pump.wait()
        if found:
            return dict(found)


def body(answer: Answer | OSError) -> bytes | None:
    assert isinstance(answer, Answer)
    return answer.body


def test_answers_come_in_any_order_and_connections_are_used_again(peer, pump, ask) -> None:
    ask("a")
    first = peer.accept()
    ask("b")
    second = peer.accept()
    second.sendall(ANSWER % b"bb")
    assert {token: body(answer) for token, answer in settle(pump).items()} == {"b": b"bb"}
    peer.take(second)
    ask("c")
    peer.take(second)
    second.sendall(ANSWER[:20])
    assert len(pump) == 2
    second.sendall((ANSWER % b"cc")[20:])
    assert body(settle(pump)["c"]) == b"cc"
    first.sendall(ANSWER % b"aa")
    assert body(settle(pump)["a"]) == b"aa"
    assert len(pump) == 0


def test_more_than_was_asked_for_ends_the_connection(peer, pump, ask) -> None:
    ask("a")
    first = peer.accept()
    first.sendall(ANSWER % b"aa" + ANSWER % b"xx")
    assert body(settle(pump)["a"]) == b"aa"
    ask("b")
    peer.accept().sendall(ANSWER % b"bb")
    assert body(settle(pump)["b"]) == b"bb"


def test_a_connection_that_was_closed_is_not_used_again(peer, pump, ask) -> None:
    ask("a")
    first = peer.accept()
    first.sendall(ANSWER % b"aa")
    assert body(settle(pump)["a"]) == b"aa"
    first.close()
    assert pump.wait() == []
    ask("b")
    peer.accept().sendall(ANSWER % b"bb")
    assert body(settle(pump)["b"]) == b"bb"


def test_a_long_answer_is_the_callers_to_read(peer, pump, ask, connections) -> None:
    ask("a")
    sock = peer.accept()
    size = 2 << 20
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    sender = threading.Thread(target=sock.sendall, args=(head + b"y" * size,))
    sender.start()
    answer = settle(pump)["a"]
    assert body(answer) is None
    assert len(pump) == 0
    assert isinstance(answer, Answer)
    assert sum(map(len, answer.pieces(10))) == size
    sender.join(10)
    kept = connections.lease(peer.url, 5)
    assert kept.fileno() > 0
    connections.give_back(peer.url, kept)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"HTTP/1.1 what\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "ended before the response did"),
        (b"", "ended before the response did"),
    ],
)
def test_what_is_no_answer_is_an_error(peer, pump, ask, said, error) -> None:
    ask("a")
    sock = peer.accept()
    peer.take(sock)
    sock.sendall(said)
    sock.shutdown(socket.SHUT_WR)
    failure = settle(pump)["a"]
    assert isinstance(failure, ExchangeError)
    assert error in str(failure)
    assert len(pump) == 0


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsho"])
def test_an_answer_that_takes_too_long_is_given_up(peer, connections, said) -> None:
    with Pump[str](connections, 0.2) as pump:
        pump.ask("a", peer.url, REQUEST, 5.0)
        peer.accept().sendall(said)
        assert isinstance(settle(pump)["a"], TimeoutError)
        assert len(pump) == 0


def test_another_thread_wakes_it(pump) -> None:
    waker = threading.Thread(target=pump.wake)
    waker.start()
    assert pump.wait() == []
    waker.join(10)


def test_nobody_there(peer, pump, ask) -> None:
    peer.close()
    with pytest.raises(ExchangeError, match="can't connect"):
        ask("a")
    assert len(pump) == 0
