"""Heads of requests: exactly one reading, or an error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.wire.http1.parse import (
    CHUNKED,
    MAX_HEAD,
    PLAIN_MAX,
    PLAIN_REQUEST,
    Headers,
    MalformedMessageError,
    find_end,
    parse_request,
    request_length,
)

HEAD = b"PUT /b/o?x=%20 HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\nx-two: 1\r\nX-Two:\t2 \r\n\r\n"


def parse(data):
    return parse_request(data, find_end(data))


def test_a_head():
    head = parse(HEAD)
    assert (head.method, head.target, head.version) == ("PUT", "/b/o?x=%20", 11)
    headers = Headers(head.fields)
    assert headers["HOST"] == "h:1"
    assert headers.get("x-empty") == ""
    assert headers.get("missing") is None
    assert headers["X-Two"] == "1, 2"
    assert (set(headers), len(headers)) == ({"host", "x-empty", "x-two"}, 3)


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
    assert parse(b"GET %b HTTP/1.1\r\nHost: pod\r\n\r\n" % sent).target == target


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
    assert parse(b"GET / HTTP/%b\r\nHost: h\r\n%b\r\n" % (version, connection)).keep_alive is keeps


def test_an_old_client_names_no_host():
    assert parse(b"GET / HTTP/1.0\r\n\r\n").version == 10


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a\r\nHost: h\r\n\r\n",
        b"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n",
        b"GET /a HTTP/1.2\r\nHost: h\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"G\x00T /a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA: b\x00\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nA: \x0bb\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /a HTTP/1.1\nHost: a\n\n",
    ],
)
def test_what_breaks_the_rules_is_refused(data):
    with pytest.raises(MalformedMessageError) as error:
        parse(data)
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 1_0\r\n", 400),
        (b"Content-Length: +1\r\n", 400),
        (b"Content-Length: 1, 1\r\n", 400),
        (b"Content-Length: 1000000000000000000\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n", 501),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
    ],
)
def test_ambiguous_framing(fields, status):
    with pytest.raises(MalformedMessageError) as error:
        request_length(parse(b"PUT /a HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n"))
    assert error.value.status == status
    with pytest.raises(MalformedMessageError, match=r"HTTP/1\.0"):
        request_length(parse(b"PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"))


def test_framing():
    start = b"PUT /a HTTP/1.1\r\nHost: h\r\n"
    assert request_length(parse(start + b"\r\n")) == 0
    assert request_length(parse(start + b"Content-Length:\t007 \r\n\r\n")) == 7
    assert request_length(parse(start + b"Transfer-Encoding: Chunked \r\n\r\n")) == CHUNKED


def test_heads_that_are_too_long():
    for data in (b"x" * (MAX_HEAD + 1), b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n"):
        with pytest.raises(MalformedMessageError) as error:
            find_end(data)
        assert error.value.status == 431
    with pytest.raises(MalformedMessageError, match="more than 1000 headers"):
        parse(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 1000 + b"\r\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_refusal(data):
    for text in (data, b"GET / HTTP/1.1\r\nHost: h\r\n" + data + b"\r\n\r\n"):
        with contextlib.suppress(MalformedMessageError):
            end = find_end(text)
            if end >= 0:
                assert request_length(parse_request(text, end)) >= CHUNKED


LINES = [
    b"GET / HTTP/1.1\r\n",
    b"PUT /a?b=c HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"GET  / HTTP/1.1\r\n",
    b"Host: h:1\r\n",
    b"host: [::1]:80\r\n",
    b"Content-Length: 5\r\n",
    b"content-length: 6\r\n",
    b"Content-Length: 5, 5\r\n",
    b"CONTENT-LENGTH: 5\r\n",
    b"Content-Type: a\r\n",
    b"Connection: close\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"A: b\x01\r\n",
    b"A: b\n",
    b"A : b\r\n",
    b" folded\r\n",
    b"Accept: */*\r\n",
]


@given(st.lists(st.sampled_from(LINES), max_size=7), st.binary(max_size=5))
def test_what_is_plain_is_read_in_the_same_way(lines, rest):
    for start in (b"", LINES[1] + LINES[4]):
        data = start + b"".join(lines) + b"\r\n" + rest
        plain = PLAIN_REQUEST.match(data)
        if plain is not None and plain.end() <= PLAIN_MAX:
            assert find_end(data) == plain.end()
            assert request_length(parse_request(data, plain.end())) == int(plain[1] or 0)
