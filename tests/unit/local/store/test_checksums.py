"""Checksum types against the reference's vectors for `abc`."""

from __future__ import annotations

import random

import pytest

from aistore.local.errors import InvalidRequest
from aistore.local.store.checksums import new_hasher

_OF_ABC = {
    "none": "",
    "xxhash": "44bc2cf5ad770999",
    "xxhash2": "44bc2cf5ad770999",
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "crc32c": "364b3fb7",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
}


@pytest.mark.parametrize("kind", _OF_ABC)
def test_vectors(kind: str) -> None:
    hasher = new_hasher(kind)
    hasher.update(b"abc")
    assert hasher.hexdigest() == _OF_ABC[kind]


def test_sha512_begins_and_ends_as_recorded() -> None:
    hasher = new_hasher("sha512")
    hasher.update(b"abc")
    assert hasher.hexdigest().startswith("ddaf35a1")
    assert hasher.hexdigest().endswith("a54ca49f")


@pytest.mark.parametrize("kind", ["crc32c", "xxhash2", "md5"])
def test_any_split_gives_the_same(kind: str) -> None:
    data = random.Random(1).randbytes(1001)
    whole = new_hasher(kind)
    whole.update(data)
    for split in (0, 1, 2, 500, 1000, 1001):
        parts = new_hasher(kind)
        parts.update(data[:split])
        copy = parts.copy()
        copy.update(memoryview(data)[split:])
        assert copy.hexdigest() == whole.hexdigest()


def test_crc32c_of_out_of_order_parts_as_recorded() -> None:
    hasher = new_hasher("crc32c")
    hasher.update(b"AAAABBBB")
    assert hasher.hexdigest() == "c70d2fce"


def test_unknown_type_is_named() -> None:
    with pytest.raises(InvalidRequest, match='invalid checksum type "foo"'):
        new_hasher("foo")
