"""Chunked bodies: the same payload however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.wire.http1.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunks, encode_size
from aistore.wire.http1.parse import MalformedMessageError


def decode(pieces):
    """Feed the pieces; return the payload and what came after the end."""
    decoder = ChunkedDecoder()
    out = b""
    for index, piece in enumerate(pieces):
        pos = 0
        while pos < len(piece):
            if decoder.done:
                return out, piece[pos:] + b"".join(pieces[index + 1 :])
            if decoder.remaining:
                take = piece[pos : pos + decoder.remaining]
                out += take
                pos += len(take)
                decoder.consumed(len(take))
            else:
                pos = decoder.advance(piece, pos)
    return (out, b"") if decoder.done else (out, None)


BODY = b'5\r\nhello\r\nA;ext="1 \\"";x;y=z\r\n0123456789\r\n00\r\nTrailer: x\r\nT2:y\r\n\r\nnext'


def test_every_split_offset():
    for first in range(len(BODY) + 1):
        assert decode([BODY[:first], BODY[first:]]) == (b"hello0123456789", b"next")
        for second in range(first, len(BODY) + 1):
            pieces = [BODY[:first], BODY[first:second], BODY[second:]]
            assert decode(pieces) == (b"hello0123456789", b"next")
    assert decode([BODY[i : i + 1] for i in range(len(BODY))]) == (b"hello0123456789", b"next")


def test_cut_short_is_not_done():
    for cut in range(len(BODY) - len(b"next")):
        assert decode([BODY[:cut]])[1] is None


BAD = [
    b"5\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 ;x\r\nhello\r\n0\r\n\r\n",
    b"5;\0\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b'5;x="\r\nhello\r\n0\r\n\r\n',
    b"-5\r\nhello",
    b"0x5\r\nhello",
    b"\r\n",
    b"g\r\n",
    b"5\r\nhelloX\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"1111111111111111\r\n",
    b"5;" + b"x" * 5000,
    b"0\r\nno colon\r\n\r\n",
    b"0\r\nA: b\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\nA: b\x0b\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\n" + b"A: " + b"x" * 70000,
    b"0\r\n" + b"A: b\r\n" * 20000,
]


@pytest.mark.parametrize("data", BAD, ids=lambda d: repr(d[:20]))
def test_bad_framing_is_an_error_at_every_split(data):
    for cut in range(min(len(data), 40)):
        with pytest.raises(MalformedMessageError):
            decode([data[:cut], data[cut:]])


@given(st.lists(st.binary(max_size=50), max_size=8), st.data())
def test_round_trip_at_any_split(payloads, data):
    wire = b"".join(encode_chunks(payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert decode(pieces) == (b"".join(payloads), b"")


def test_long_pieces_are_not_copied():
    piece = memoryview(bytes(100_000))
    assert list(encode_chunks([piece, b""])) == [encode_size(100_000), piece, b"\r\n", LAST_CHUNK]


@given(st.binary(max_size=100), st.integers(0, 100))
def test_any_input_decodes_or_raises_the_one_error_alike(data, cut):
    def outcome(pieces):
        try:
            return decode(pieces)
        except MalformedMessageError:
            return "malformed"

    assert outcome([data]) == outcome([data[:cut], data[cut:]])
