"""JSON and MessagePack hold texts that are not UTF-8, under every msgspec."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.models.listing import BucketList
from aistore.wire.serialization import decode_json, decode_msgpack, encode_json, encode_msgpack

BYTES = st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), BYTES)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=20), st.dictionaries(BYTES, inner, max_size=20)),
    max_leaves=40,
)


class Named(msgspec.Struct):
    name: str
    size: int = 0
    parts: dict[int, str] = {}


@given(VALUES)
def test_every_value_survives(value):
    assert decode_json(encode_json(value)) == value
    assert decode_msgpack(encode_msgpack(value)) == value


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_sizes(size):
    for value in ("x" * size + "\udcff", ["\udcff"] * size, {f"{number}\udcff": 1 for number in range(size)}):
        assert decode_msgpack(encode_msgpack(value)) == value


def test_bytes_go_as_they_are():
    assert encode_json({"name": "a\udcffb\n"}) == b'{"name":"a\xffb\\n"}'
    assert encode_json(Named("é")) == '{"name":"é","size":0,"parts":{}}'.encode()
    assert encode_msgpack(["a\udcff"]) == b"\x91\xa2a\xff"
    assert decode_json('"a\udcff"') == "a\udcff"


def test_models():
    given_ = Named("a\udcff", 3, {1: "\udcfe"})
    assert decode_json(encode_json(given_), Named) == given_
    assert decode_msgpack(encode_msgpack(given_), dict)["name"] == "a\udcff"
    with pytest.raises(msgspec.ValidationError):
        decode_json(b'{"name":"\xff","size":"x"}', Named)


@pytest.mark.parametrize(
    "data", [b'"\xff', b"{\xff}", b"[" * 100_000 + b"\xff", b'{"a":1} \xff', b'"\\ud800']
)
def test_malformed_json(data):
    with pytest.raises(msgspec.DecodeError):
        decode_json(data)


@pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
def test_surrogates_that_stand_for_no_byte(encode):
    with pytest.raises(InvalidArgument, match="cannot be encoded as UTF-8"):
        encode({"names": ["\ud800"]})


def test_a_recorded_listing():
    """A cluster puts the bytes of names into JSON as they are."""
    page = b'{"uuid":"u","continuation_token":"","entries":[{"name":"a\xffb","flags":64}],"flags":0}\n'
    assert [entry["name"] for entry in decode_json(page)["entries"]] == ["a\udcffb"]


def test_listings_of_models():
    page = {"UUID": "u", "ContinuationToken": "a\udcff", "Entries": [{"n": "a\udcff", "s": 1}], "Flags": 0}
    for data in (encode_json(page), json.dumps(page, ensure_ascii=False).encode("utf-8", "surrogateescape")):
        assert decode_json(data, BucketList).entries[0].name == "a\udcff"
    assert decode_msgpack(encode_msgpack(page), BucketList).continuation_token == "a\udcff"
