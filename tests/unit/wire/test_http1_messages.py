"""Messages as they arrive: the same outcome at every split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.wire.http1.messages import MAX_INTERIM, RequestGuard, ResponseParser
from aistore.wire.http1.parse import UNTIL_CLOSE, MalformedMessageError

PUT = b"PUT /o HTTP/1.1\r\nHost: h\r\n"
REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    PUT + b"Content-Length: 5\r\n\r\nhello",
    PUT + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"\r\n\r\n" + PUT + b"Cookie: x\r\nContent-Length: 0\r\n\r\n",
]
MALFORMED = [
    b"GET /a HTTP/1.1\r\n\r\n",
    PUT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    PUT + b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    b"\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    b"junk\r\n\r\n",
]


def judge(pieces):
    guard = RequestGuard()
    try:
        for piece in pieces:
            guard.feed(piece)
    except MalformedMessageError:
        return False
    return True


@given(st.lists(st.sampled_from(REQUESTS + MALFORMED), max_size=4), st.lists(st.integers(0, 300), max_size=5))
def test_the_guard_judges_alike_at_every_split(messages, cuts):
    wire = b"".join(messages)
    cuts = sorted(cut % (len(wire) + 1) for cut in cuts)
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert judge(pieces) == judge([wire]) == all(message in REQUESTS for message in messages)


@pytest.mark.parametrize("message", REQUESTS + MALFORMED)
def test_the_guard_byte_by_byte(message):
    assert judge([message[i : i + 1] for i in range(len(message))]) == (message in REQUESTS)


@given(st.binary(max_size=100))
def test_any_bytes_pass_the_guard_or_raise_the_one_error(data):
    for start in (b"", REQUESTS[0], REQUESTS[2][:-7]):
        judge([start + data])


def take(pieces, method="GET", *, ends=False):
    parser = ResponseParser(method)
    for piece in pieces:
        parser.feed(piece)
    if ends:
        parser.end()
    return parser


RESPONSES = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"hello",
        True,
    ),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"", True),
    (b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", b"x", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore", b"", False),
]


@pytest.mark.parametrize(("wire", "body", "reusable"), RESPONSES)
def test_responses_at_every_split(wire, body, reusable):
    for cut in range(len(wire) + 1):
        parser = take([piece for piece in (wire[:cut], wire[cut:]) if piece])
        assert (b"".join(parser.pieces), parser.held) == (body, len(body))
        assert (parser.is_complete, parser.is_reusable) == (True, reusable)
        parser.end()
        assert not parser.is_reusable
    assert take([wire[i : i + 1] for i in range(len(wire))]).is_complete


def test_a_response_that_ends_with_the_connection():
    parser = take([b"HTTP/1.1 200 OK\r\n\r\n", b"hel", b"lo"])
    assert (parser.length, parser.is_complete) == (UNTIL_CLOSE, False)
    parser.end()
    assert (b"".join(parser.pieces), parser.is_complete, parser.is_reusable) == (b"hello", True, False)


def test_a_response_to_head_has_no_body():
    assert take([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], "HEAD").is_complete


@pytest.mark.parametrize("wire", [RESPONSES[0][0][:-1], RESPONSES[1][0][:-2], b"", b"HTTP/1.1 200"])
def test_a_response_that_is_cut(wire):
    with pytest.raises(MalformedMessageError, match="ended before"):
        take([wire] if wire else [], ends=True)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"SSH-2.0",
    ],
)
def test_responses_that_break_the_rules(wire):
    with pytest.raises(MalformedMessageError):
        take([wire])


@given(st.binary(max_size=100), st.integers(0, 100))
def test_any_bytes_are_a_response_or_the_one_error_alike(data, cut):
    def outcome(pieces):
        try:
            parser = take([piece for piece in pieces if piece])
        except MalformedMessageError:
            return "malformed"
        return b"".join(parser.pieces), parser.is_complete, parser.is_reusable

    for start in (b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        wire = start + data
        assert outcome([wire]) == outcome([wire[:cut], wire[cut:]])


def test_what_came_before_a_malformed_request():
    guard = RequestGuard()
    good = REQUESTS[1] + REQUESTS[2]
    guard.feed(good[:40])
    with pytest.raises(MalformedMessageError):
        guard.feed(good[40:] + MALFORMED[4])
    assert guard.passed == len(good) - 40
