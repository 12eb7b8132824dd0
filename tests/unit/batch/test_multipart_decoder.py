"""The multipart decoder, at every split offset."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistore.sdk.batch.errors import MultipartDecodeError
from aistore.sdk.batch.multipart.body_stream_reader import BodyStreamReader
from aistore.sdk.batch.multipart.multipart_decoder import MultipartDecoder
from aistore.sdk.batch.multipart.multipart_stream_buffer import MultipartStreamBuffer
from aistore.sdk.batch.multipart.sliding_window_buffer import SlidingWindowBuffer
from aistore.sdk.batch.multipart.stateful_streaming_parser import StatefulStreamingParser

BOUNDARY = "981ad07da79118ebb9d4ded47c917a12"


class Response:
    def __init__(self, data, cuts=(), content_type=f"multipart/mixed; boundary={BOUNDARY}"):
        self.headers = {"Content-Type": content_type}
        bounds = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
        self.pieces = [data[a:b] for a, b in pairwise(bounds)]

    def iter_content(self, chunk_size):
        return iter(self.pieces)


def body_of(parts, line=b"\r\n"):
    out = b""
    for headers, body in parts:
        out += b"--" + BOUNDARY.encode() + line + headers + (line if headers else b"") + line + body + line
    return out + b"--" + BOUNDARY.encode() + b"--" + line


PARTS = [
    (b'Content-Disposition: form-data; name="metadata"', b'{"out":[]}\n'),
    (b"A: 1\r\nB: 2", bytes(600) + b"\r\n \n"),
]


def test_every_split_offset():
    data = body_of(PARTS)
    for cut in range(1, len(data)):
        assert list(MultipartDecoder().decode(Response(data, [cut]))) == PARTS, cut


@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@pytest.mark.parametrize("as_stream", [False, True])
def test_streamed_or_not_either_line_end(line, as_stream):
    data = b"preamble" + line + body_of([(b"H: 1", b"abc"), (b"", b"")], line) + b"epilogue"
    found = []
    for headers, body in MultipartDecoder(parse_as_stream=as_stream).decode(Response(data, range(len(data)))):
        found.append((headers, body.read() if as_stream else body))
    assert found == [(b"H: 1", b"abc"), (b"", b"")]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=500), max_size=4), st.lists(st.integers(0, 3000)))
def test_round_trip(bodies, cuts):
    parts = [(b"N: %d" % index, body) for index, body in enumerate(bodies)]
    data = body_of(parts)
    decoder = MultipartDecoder(chunk_size=10, max_buffer_size=100)
    assert list(decoder.decode(Response(data, cuts))) == parts


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=500))
def test_noise_is_decoded_or_our_error(noise):
    with suppress(MultipartDecodeError):
        list(MultipartDecoder().decode(Response(b"--" + BOUNDARY.encode() + noise)))


def test_parts_that_are_not_read_are_skipped():
    parts = MultipartDecoder(parse_as_stream=True).decode(Response(body_of(PARTS), [20, 100]))
    next(parts)
    headers, body = next(parts)
    assert headers == b"A: 1\r\nB: 2"
    assert body.read(3) == bytes(3)
    assert next(parts, None) is None


def test_body_is_a_read_only_file():
    _, body = next(MultipartDecoder(parse_as_stream=True).decode(Response(body_of([(b"", b"abcdef")]))))
    assert isinstance(body, BodyStreamReader)
    assert (body.readable(), body.seekable(), body.writable()) == (True, False, False)
    buffer = bytearray(2)
    assert body.readinto(buffer) == 2
    assert buffer == b"ab"
    assert body.read1(1) == b"c"
    assert body.read1(0) == b""
    assert body.read(None) == b"def"
    assert body.read() == b""
    body.close()
    assert not body.readable()
    with pytest.raises(ValueError):
        body.read()


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/x-tar", b""),
        ("multipart/mixed", b""),
        (f"multipart/mixed; boundary={BOUNDARY}", b""),
        (f"multipart/mixed; boundary={BOUNDARY}", b"--" + BOUNDARY.encode()),
        (f"multipart/mixed; boundary={BOUNDARY}", b"--" + BOUNDARY.encode() + b"\r\nA: 1"),
        (f"multipart/mixed; boundary={BOUNDARY}", b"--" + BOUNDARY.encode() + b"extra\r\n\r\n"),
        (f"multipart/mixed; boundary={BOUNDARY}", body_of(PARTS)[:-40]),
        (f"multipart/mixed; boundary={BOUNDARY}", body_of([(b"H" * 70_000, b"")])),
    ],
)
def test_what_is_not_multipart_is_our_error(content_type, data):
    with pytest.raises(MultipartDecodeError):
        list(MultipartDecoder().decode(Response(data, range(0, len(data), 1000), content_type)))


def test_window_keeps_what_is_not_used_up():
    window = SlidingWindowBuffer(8, 4)
    window.append(b"  abc")
    assert window.skip_leading_whitespace() == 2
    window.append(b"defghij")
    assert window.get_data_bytes() == b"abcdefghij"
    assert window.find_relative(b"ghi") == 6
    assert window.find_relative(b"zz") == -1
    assert window.consume(4) == b"abcd"
    window.append_no_slide(b"k")
    assert window.buffer[window.find(b"k")] == ord("k")
    assert (len(window), window.total_processed, window.boundary_size) == (7, 6, 4)
    window.clear()
    assert (len(window), window.total_processed) == (0, 13)


def test_stream_buffer_finds_a_boundary_across_pieces():
    buffer = MultipartStreamBuffer(iter([b"", b"one\r", b"\n--b", b"ound\r\ntwo"]), b"--bound", 64)
    assert buffer.boundary == b"--bound"
    assert buffer.get_boundary_size() == 15
    assert buffer.has_data()
    assert not buffer.has_boundary()
    assert buffer.get_safe_content_size() == 0
    assert buffer.get_buffer_size() == 4
    assert list(buffer.read_until_boundary()) == [b"one"]
    assert buffer.skip_whitespace() == 2
    assert buffer.get_data_slice(0, 2) == b"tw"
    buffer.append_chunk(b"!", no_slide=True)
    assert list(buffer.read_until_boundary(clean_endings=False)) == [b"two!"]
    assert buffer.is_exhausted()
    assert buffer.read_chunk() is None
    assert not buffer.ensure_data_available()


def test_parser_gives_nothing_after_the_end():
    parser = StatefulStreamingParser(iter([body_of([])]), BOUNDARY.encode(), 1024)
    assert parser.get_next_part() is None
    assert parser.get_next_part() is None
