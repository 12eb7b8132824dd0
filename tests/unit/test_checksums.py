"""Checksums: the cluster's vectors, at any split, on any machine."""

import sys

import pytest

from aistore.sdk.checksums import CHECKSUM_TYPES, new_hasher

OF_ABC = {
    "xxhash": "44bc2cf5ad770999",
    "xxhash2": "44bc2cf5ad770999",
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "crc32c": "364b3fb7",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
}


@pytest.mark.parametrize("kind", OF_ABC)
def test_at_any_split(kind):
    for cut in range(4):
        hasher = new_hasher(kind)
        hasher.update(b"abc"[:cut])
        copy = hasher.copy()
        copy.update(memoryview(b"abc")[cut:])
        assert copy.hexdigest() == OF_ABC[kind]


def test_the_other_byte_order(monkeypatch):
    monkeypatch.setattr(sys, "byteorder", {"little": "big", "big": "little"}[sys.byteorder])
    swapped, hasher = new_hasher("crc32c"), new_hasher("crc32c")
    swapped.update(b"badc")
    monkeypatch.undo()
    hasher.update(b"abcd")
    assert swapped.hexdigest() == hasher.hexdigest()


def test_types():
    assert CHECKSUM_TYPES == ("none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512")
    assert new_hasher("none") is new_hasher("") is new_hasher("other") is None
