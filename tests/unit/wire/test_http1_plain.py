"""What is taken for a plain head is one, and says the same to those who read it line by line."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aistore.wire.http1.parse import (
    PLAIN_RESPONSE,
    MalformedMessageError,
    find_end,
    parse_response,
    response_length,
)

NGINX = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 15:20:53 GMT\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Length: 10240\r\nConnection: keep-alive\r\n"
    b'ETag: "6b01b68d-2800"\r\nAis-Atime: 1732170000000000000\r\nAccept-Ranges: bytes\r\n\r\n'
)
GO = (
    b"HTTP/1.1 206 Partial Content\r\nAis-Checksum-Type: xxhash2\r\nAis-Custom-Md: a=1,b=2\r\n"
    b"Content-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
UVICORN = b"HTTP/1.1 200 OK\r\ndate: x\r\nserver: y\r\ncontent-length: 7\r\ncontent-type: z\r\n\r\n"

LINES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 206 \r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 404 Not Found\r\n",
    b"Content-Length: 5\r\n",
    b"content-length: 6\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length:5\r\n",
    b"CONTENT-LENGTH: 5\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: close\r\n",
    b"connection: keep-alive, close\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Content-Type: a\r\n",
    b"Content-Type : a\r\n",
    b"Date: x\r\n",
    b"Etag:\r\n",
    b" folded\r\n",
    b"no colon\r\n",
    b": no name\r\n",
    b"A: bare\n",
    b"A: nul\0\r\n",
    b"A: b\rc\r\n",
    b"\r\n",
]


def check(data):
    plain = PLAIN_RESPONSE.match(data)
    if plain is None:
        return False
    assert find_end(data) == plain.end()
    head = parse_response(data, plain.end())
    assert head.status == int(plain[1])
    assert response_length(head, "GET") == int(plain[2])
    assert head.keep_alive
    assert "content-encoding" not in head.fields
    return True


@given(st.lists(st.sampled_from(LINES), max_size=8), st.binary(max_size=5))
@example([LINES[0], LINES[4], LINES[10], LINES[16], LINES[18]], b"")
@example([LINES[0], LINES[4], LINES[5]], b"")
def test_lines_of_any_kind(lines, rest):
    check(b"".join(lines) + b"\r\n" + rest)
    check(LINES[0] + b"".join(lines) + b"\r\n" + rest)


@given(st.sampled_from([NGINX, GO, UVICORN]), st.integers(0, 500), st.binary(max_size=3), st.integers(0, 3))
def test_damage_anywhere(head, position, put, without):
    position %= len(head)
    check(head[:position] + put + head[position + without :])


@pytest.mark.parametrize("head", [NGINX, GO, UVICORN])
def test_what_servers_send(head):
    assert check(head + b"HTTP/1.1")
    for cut in range(len(head)):
        assert PLAIN_RESPONSE.match(head[:cut]) is None


@pytest.mark.parametrize("line", LINES[5:10] + LINES[11:16] + LINES[19:27])
def test_what_is_for_others_to_judge(line):
    if line in (b"Etag:\r\n", b"\r\n"):
        assert check(NGINX[:-2] + line + b"\r\n")
        return
    data = NGINX[:-2] + line + b"\r\n"
    assert not check(data)
    try:
        head = parse_response(data, find_end(data))
        assert (
            response_length(head, "GET") != 10240 or not head.keep_alive or "content-encoding" in head.fields
        )
    except MalformedMessageError:
        pass
