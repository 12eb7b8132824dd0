"""Bodies of requests: strict, and the same however they arrive."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.etl.webserver.http_source import BadBody, RequestBody, Source
from aistore.wire.http1.parse import CHUNKED


class Trickle:
    """A connection that gives at most so many bytes at once."""

    def __init__(self, data, step):
        self._data = io.BytesIO(data)
        self._step = step

    def recv(self, size, _flags=0):
        return self._data.read(min(size, self._step))

    def recv_into(self, buffer, _size=0, _flags=0):
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def stream(data, step=1 << 20):
    return Source(Trickle(data, step))


def chunked(pieces, extension=b""):
    return b"".join(b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in pieces) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=5), st.integers(1, 50), st.integers(1, 300))
def test_chunked_at_every_split(pieces, step, size):
    source = stream(chunked(pieces, b";x=y") + b"NEXT", step)
    body = RequestBody(source, CHUNKED)
    assert b"".join(iter(lambda: body.read(size), b"")) == b"".join(pieces)
    assert (body.done, body.broken, source.read(4)) == (True, False, b"NEXT")


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 300))
def test_length_at_every_split(data, step, size):
    source = stream(data + b"NEXT", step)
    body = RequestBody(source, len(data))
    assert b"".join(iter(lambda: body.read(size), b"")) == data
    assert (body.done, source.read(4)) == (True, b"NEXT")


@given(st.binary(max_size=100))
def test_any_bytes_are_a_body_or_an_error(data):
    body = RequestBody(stream(data), CHUNKED)
    try:
        body.readall()
    except BadBody:
        assert body.broken
    assert body.done


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"3",
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabc0\r\n\r\n",
        b"0\r\n",
        b"0\r\nX: y",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n",
    ],
)
def test_cut_or_malformed_chunks(data):
    with pytest.raises(BadBody):
        RequestBody(stream(data), CHUNKED).readall()


def test_cut_length():
    with pytest.raises(BadBody, match="middle"):
        RequestBody(stream(b"ab"), 3).readall()


def test_trailers_are_skipped():
    assert RequestBody(stream(b"1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n"), CHUNKED).readall() == b"a"
