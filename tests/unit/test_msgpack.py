"""MessagePack with texts that are not UTF-8: the same as `msgspec` where that decodes, and never a crash."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.wire.msgpack import decode_lenient

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-200, 70_000) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=4), inner, max_size=20),
)


@given(VALUES)
def test_decodes_what_msgspec_encodes(value):
    data = msgspec.msgpack.encode(value)
    assert decode_lenient(data) == value
    with pytest.raises(ValueError, match="truncated"):
        decode_lenient(data[:-1])
    with pytest.raises(ValueError, match="1 bytes follow"):
        decode_lenient(data + b"\0")


@pytest.mark.parametrize("size", [40_000, 70_000])
def test_long_values(size):
    for value in ("x" * size, b"x" * size, [1] * size, {str(n): n for n in range(size)}):
        assert decode_lenient(msgspec.msgpack.encode(value)) == value
    assert decode_lenient(b"\xca\x3f\x80\x00\x00") == 1.0


@given(st.binary(max_size=40))
def test_noise_is_decoded_or_the_one_error(noise):
    with suppress(ValueError):
        decode_lenient(noise)


def test_types_that_listings_do_not_have():
    with pytest.raises(ValueError, match="0xc1"):
        decode_lenient(b"\xc1")


def test_a_bucket_with_names_that_are_no_text_can_be_listed():
    page = {"UUID": "u", "ContinuationToken": "", "Flags": 0, "Entries": [{"n": "??", "s": 3}, {"n": "b"}]}
    body = msgspec.msgpack.encode(page).replace(b"??", b"\xff\xfe")
    answer = Answer(body, headers={"Content-Type": "application/msgpack"})

    def script(request):
        return answer if request.path == "/v1/buckets/bck" else Answer(b"bytes")

    with scripted(script) as (server, client):
        entries = Bucket("bck", client).list_all_objects()
        assert [entry.name for entry in entries] == ["\udcff\udcfe", "b"]
        assert entries[0].size == 3
        assert entries[0].object.get_reader().read_all() == b"bytes"
        assert server.requests[-1].target.startswith("/v1/objects/bck/%FF%FE?")
