"""Connections of the multi-threaded servers: what arrives at every split, and what is sent."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.etl.webserver.http_source import Sink, Source
from aistore.sdk.transport.waits import limit_waits

HEAD = b"PUT /b/o?x=%20 HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\nx-two: 1\r\nX-Two:\t2 \r\n\r\n"


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_waits(ours, 10)
        theirs.settimeout(10)
        yield ours, theirs


@given(st.integers(1, len(HEAD) + 3))
def test_a_head_and_what_follows_at_every_split(split):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_waits(ours, 10)
        data = HEAD + b"abcdef"
        source = Source(ours)
        theirs.sendall(data[:split])
        assert source.has_data()
        theirs.sendall(data[split:])
        head = source.read_head()
        assert head is not None
        assert (head.target, source.read(6)) == ("/b/o?x=%20", b"abcdef")


def test_a_head_that_is_cut(pair):
    ours, theirs = pair
    theirs.sendall(HEAD[:30])
    theirs.close()
    assert Source(ours).read_head() is None


@pytest.mark.parametrize("size", [10, 100_000, 300_000, 5 << 20])
@pytest.mark.parametrize("sent_ahead", [0, 7])
def test_bodies_of_every_size(pair, size, sent_ahead):
    ours, theirs = pair
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    theirs.sendall(b"z" * bool(sent_ahead) + body[:sent_ahead])
    source = Source(ours)
    if sent_ahead:
        assert source.read(1) == b"z"
    sender = threading.Thread(target=theirs.sendall, args=(body[sent_ahead:],))
    sender.start()
    assert source.read(size) == body
    sender.join()


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_body_that_ends_early_is_short(pair, size):
    ours, theirs = pair
    source = Source(ours)
    theirs.sendall(b"zabc")
    theirs.close()
    assert source.read(1) == b"z"
    assert source.read(size) == b"abc"


def test_a_peer_that_is_silent(pair):
    ours, _ = pair
    limit_waits(ours, 0.05)
    with pytest.raises(TimeoutError):
        Source(ours).has_data()


def test_a_peer_that_takes_nothing(pair):
    ours, _ = pair
    limit_waits(ours, 0.05)
    sink = Sink(ours)
    sink.write(b"x" * (16 << 20))
    with pytest.raises(TimeoutError):
        sink.flush()


def test_pieces_are_sent_in_order(pair):
    ours, theirs = pair
    sink = Sink(ours)
    pieces = [b"head", b"", b"x" * 3_000_000, b"tail"]
    received = []

    def receive():
        while data := theirs.recv(1 << 20):
            received.append(data)

    reader = threading.Thread(target=receive)
    reader.start()
    for piece in pieces:
        sink.write(piece)
    sink.flush()
    sink.flush()
    ours.shutdown(socket.SHUT_WR)
    reader.join()
    assert b"".join(received) == b"".join(pieces)
