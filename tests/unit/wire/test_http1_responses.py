"""Heads: exactly one reading, or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.wire.http1.parse import (
    CHUNKED,
    MAX_HEAD,
    UNTIL_CLOSE,
    MalformedMessageError,
    find_end,
    parse_response,
    response_length,
)

GOOD = (
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://h:1/x?a=b\r\nAis-Custom-Md: a=1\r\n"
    b"ais-custom-md:b=2 \r\nContent-Length: 5\r\n\r\nhello"
)


def parse(data):
    end = find_end(data)
    assert end >= 0
    return parse_response(data, end)


def test_reads_a_head():
    head = parse(GOOD)
    assert (head.status, head.reason, head.version, head.keep_alive) == (301, "Moved Permanently", 11, True)
    assert head.fields["location"] == "http://h:1/x?a=b"
    assert head.fields["ais-custom-md"] == "a=1, b=2"
    assert head.pairs[2] == ("ais-custom-md", "b=2")
    assert response_length(head, "GET") == 5


@pytest.mark.parametrize("value", [b"v", b" v", b"v ", b"  v", b"\tv", b"v\t", b" \t v\t \t"])
def test_white_space_around_a_value_is_not_part_of_it(value):
    head = parse(b"HTTP/1.1 200 OK\r\nA:" + value + b"\r\nB: x\r\n\r\n")
    assert head.fields == {"a": "v", "b": "x"}
    assert head.pairs == [("A", "v"), ("B", "x")]


def test_every_split_gives_the_same_end():
    end = GOOD.index(b"hello")
    for cut in range(len(GOOD)):
        first = find_end(GOOD[:cut])
        assert first == (-1 if cut < end else end)
        assert find_end(GOOD, cut if first < 0 else 0) == end


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\nc\r\n\r\n",
        # No colon, at a length that takes minutes when every character may be the first of a name.
        b"HTTP/1.1 200 OK\r\n" + b"a" * (MAX_HEAD - 100) + b"\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x7f\r\n\r\n",
        b"HTTP/1.1 200 OK\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD,
    ],
)
def test_malformed_head_is_an_error(data):
    with pytest.raises(MalformedMessageError):
        parse_response(data, find_end(data))


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length: 1000000000000000000\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
    ],
)
def test_ambiguous_framing_is_an_error(fields):
    with pytest.raises(MalformedMessageError):
        response_length(parse(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"), "GET")


def test_chunked_from_http_1_0_is_an_error():
    with pytest.raises(MalformedMessageError):
        response_length(parse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "GET")


@pytest.mark.parametrize(
    ("start", "fields", "method", "length", "keep"),
    [
        (b"HTTP/1.1 200 OK", b"Content-Length: 7\r\n", "GET", 7, True),
        (b"HTTP/1.1 200", b"Content-Length: 7\r\n", "HEAD", 0, True),
        (b"HTTP/1.1 200 ", b"Transfer-Encoding: Chunked\r\n", "GET", CHUNKED, True),
        (b"HTTP/1.1 200 OK", b"", "GET", UNTIL_CLOSE, False),
        (b"HTTP/1.1 200 OK", b"Connection: close\r\nContent-Length: 0\r\n", "GET", 0, False),
        (b"HTTP/1.1 200 OK", b"Connection: foo, Close\r\nContent-Length: 0\r\n", "GET", 0, False),
        (b"HTTP/1.0 200 OK", b"Content-Length: 1\r\n", "GET", 1, False),
        (b"HTTP/1.0 200 OK", b"Connection: keep-alive\r\nContent-Length: 1\r\n", "GET", 1, True),
        (b"HTTP/1.1 204 No Content", b"", "GET", 0, True),
        (b"HTTP/1.1 204 No Content", b"Content-Length: 0\r\n", "GET", 0, True),
        (b"HTTP/1.1 204 No Content", b"Content-Length: 3\r\n", "GET", 0, False),
        (b"HTTP/1.1 204 No Content", b"Transfer-Encoding: chunked\r\n", "GET", 0, False),
        (b"HTTP/1.1 304 Not Modified", b"Content-Length: 3\r\n", "GET", 0, True),
    ],
)
def test_framing(start, fields, method, length, keep):
    head = parse(start + b"\r\n" + fields + b"\r\n")
    assert response_length(head, method) == length
    assert head.keep_alive is keep


@given(st.binary(max_size=200))
def test_any_input_parses_or_raises_the_one_error(data):
    for start in (b"", b"HTTP/1.1 200 OK\r\n"):
        try:
            end = find_end(start + data)
            if end >= 0:
                response_length(parse_response(start + data, end), "GET")
        except MalformedMessageError:
            pass


TOKEN = st.text("abcXYZ-09_", min_size=1, max_size=12)
CONTROL = "".join(map(chr, [*range(9), *range(10, 32), 127]))
VALUE = st.text(st.characters(codec="latin-1", exclude_characters=CONTROL), max_size=30)


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=8, unique_by=lambda p: p[0].lower()))
def test_reads_what_was_written(pairs):
    lines = "".join(f"{k}: {v}\r\n" for k, v in pairs)
    head = parse(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1"))
    assert head.fields == {k.lower(): v.strip(" \t") for k, v in pairs}
