"""Limits of waits that the operating system keeps."""

import math
import socket

import pytest

from aistore.sdk.errors import AISReadTimeout
from aistore.sdk.transport import waits
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.connection import Connection
from aistore.sdk.transport.url import parse_origin
from aistore.sdk.transport.waits import limit_waits


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def conn(pair):
    made = Connection(parse_origin("http://localhost:1"), pair[0])
    made.limit(0.02)
    yield made
    made.close()


@pytest.mark.parametrize("seconds", [0.02, 1e-9])
def test_a_wait_ends(pair, seconds):
    limit_waits(pair[0], seconds)
    with pytest.raises(BlockingIOError):
        pair[0].recv(1)
    with pytest.raises(BlockingIOError):
        pair[0].sendall(bytes(1 << 24))


@pytest.mark.parametrize("seconds", [None, math.inf, 1e12])
def test_without_a_limit(pair, seconds):
    limit_waits(pair[0], 0.001)
    limit_waits(pair[0], seconds)
    assert not any(pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 64))
    assert pair[0].gettimeout() is None


@pytest.mark.parametrize("platform", ["win32", "other"])
def test_where_the_system_cannot(pair, platform, monkeypatch):
    if platform == "win32":
        monkeypatch.setattr(waits.sys, "platform", "win32")
    else:
        monkeypatch.setattr(waits.socket, "SO_RCVTIMEO", 9999)
    limit_waits(pair[0], 0.02)
    assert pair[0].gettimeout() == 0.02
    with pytest.raises(TimeoutError):
        pair[0].recv(1)


def test_a_connection_that_is_not_answered(conn):
    with pytest.raises(AISReadTimeout, match="no answer"):
        conn.read_head()
    with pytest.raises(TimeoutError):
        conn.recv(1)
    with pytest.raises(TimeoutError):
        conn.recv_into(memoryview(bytearray(1)))


def test_the_limit_outlives_the_sending_of_a_file(conn, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(1 << 22))
    with path.open("rb") as file, pytest.raises(AISReadTimeout, match="took nothing"):
        conn.send_file(Body(file), file)
    with pytest.raises(AISReadTimeout, match="no answer"):
        conn.read_head()


def test_a_limit_is_set_once(conn, monkeypatch):
    def fail(*_args):
        raise AssertionError("asked for again")

    monkeypatch.setattr("aistore.sdk.transport.connection.limit_waits", fail)
    conn.limit(0.02)
    with pytest.raises(AssertionError):
        conn.limit(0.03)
