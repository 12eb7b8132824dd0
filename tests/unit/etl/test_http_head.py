"""Heads of requests: one reading or a refusal, at every split."""

import contextlib
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.etl.webserver.http_head import MAX_HEAD, BadHead, find_end, parse_head
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


def test_a_head():
    head = parse_head(HEAD, find_end(HEAD))
    assert (head.method, head.target, head.version) == ("PUT", "/b/o?x=%20", "HTTP/1.1")
    assert head.fields["HOST"] == "h:1"
    assert head.fields.get("x-empty") == ""
    assert head.fields.get("missing") is None
    assert head.fields.get_all("X-Two") == ["1", "2"]
    assert set(head.fields) == {"host", "x-empty", "x-two"}


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        (b"http://10.0.0.1:8000/health", "/health"),
        (b"HTTPS://pod/b/o?etl_args=http://x/", "/b/o?etl_args=http://x/"),
        (b"http://pod", "/"),
        (b"http://pod?x=1", "/?x=1"),
        (b"/http://pod/x", "/http://pod/x"),
        (b"*", "*"),
    ],
)
def test_whole_urls_as_they_are_sent_by_way_of_proxies(sent, target):
    data = b"GET %b HTTP/1.1\r\nHost: pod\r\n\r\n" % sent
    assert parse_head(data, find_end(data)).target == target


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: upgrade, Close\r\n", False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_what_keeps_a_connection(version, connection, keeps):
    data = b"GET / HTTP/%b\r\n%b\r\n" % (version, connection)
    assert parse_head(data, find_end(data)).keep_alive is keeps


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /a\r\n\r\n",
        b"GET  /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/2.0\r\n\r\n",
        b"G\x00T /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET /a HTTP/1.1\r\n: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA: b\x00\r\n\r\n",
        b"GET /a HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /a HTTP/1.1\nHost: a\n\n",
    ],
)
def test_what_breaks_the_rules_is_refused(data):
    with pytest.raises(BadHead) as error:
        parse_head(data, find_end(data))
    assert error.value.status == 400


def test_heads_that_are_too_long():
    for data in (b"x" * (MAX_HEAD + 1), b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n"):
        with pytest.raises(BadHead) as error:
            find_end(data)
        assert error.value.status == 431
    many = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n"
    with pytest.raises(BadHead, match="more than 200 header fields"):
        parse_head(many, find_end(many))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_refusal(data):
    for text in (data, b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        with contextlib.suppress(BadHead):
            end = find_end(text)
            if end >= 0:
                assert parse_head(text, end).method.isascii()


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


def test_lines(pair):
    ours, theirs = pair
    theirs.sendall(b"one\r\ntwo" + b"x" * 100)
    theirs.close()
    source = Source(ours)
    assert source.readline(50) == b"one\r\n"
    assert len(source.readline(50)) == 50
    assert len(source.readline(500)) == 53
    assert source.readline(50) == b""


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
