"""Checksums: the cluster's vectors, at any split, on any machine."""

import sys
import types

import pytest

from aistore.sdk import crc
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


@pytest.mark.parametrize("kind", [crc.Crc32c, crc.Crc64Nvme])
def test_native_and_ours_go_on_from_each_other(monkeypatch, kind):
    data = bytes(range(256)) * 3 + b"odd"
    native = kind()
    native.update(data)
    for cut in (0, 1, 100, len(data)):
        mixed = kind()
        mixed.update(memoryview(data)[:cut])
        with monkeypatch.context() as patch:
            patch.setattr(crc, "_native", lambda _: None)
            mixed.update(bytearray(data[cut:]))
        assert mixed.hexdigest() == native.hexdigest()


@pytest.mark.parametrize(("name", "library"), [("crc32c", "google_crc32c"), ("crc64nvme", "awscrt")])
def test_without_a_native_library(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    assert crc._native.__wrapped__(name) is None


def test_native_libraries_are_taken_where_they_are(monkeypatch):
    checksums = types.SimpleNamespace(crc64nvme=lambda data, before: len(data) + before)
    monkeypatch.setitem(sys.modules, "awscrt", types.SimpleNamespace(checksums=checksums))
    assert crc._native.__wrapped__("crc64nvme")(b"abc", 4) == 7
    assert crc._native.__wrapped__("crc32c")(b"123456789", 0) == 0xE3069283


def test_the_other_byte_order(monkeypatch):
    monkeypatch.setattr(crc, "_native", lambda _: None)
    monkeypatch.setattr(sys, "byteorder", {"little": "big", "big": "little"}[sys.byteorder])
    swapped, hasher = new_hasher("crc32c"), new_hasher("crc32c")
    swapped.update(b"badc")
    monkeypatch.undo()
    hasher.update(b"abcd")
    assert swapped.hexdigest() == hasher.hexdigest()


def test_types():
    assert CHECKSUM_TYPES == ("none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512")
    assert new_hasher("none") is new_hasher("") is new_hasher("other") is None
