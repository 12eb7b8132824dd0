"""Checksums: the cluster's vectors, at any split, on any machine."""

import hashlib
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.bucket_props import check_type
from aistore.local.errors import InvalidRequest
from aistore.wire import checksums
from aistore.wire.checksums import (
    CHECKSUM_TYPES,
    Crc32c,
    PartSums,
    any_hasher,
    is_fast,
    new_hasher,
    same_algorithm,
)

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


@pytest.mark.parametrize("kind", [checksums.Crc32c, checksums.Crc64Nvme])
def test_native_and_ours_go_on_from_each_other(monkeypatch, kind):
    data = bytes(range(256)) * 3 + b"odd"
    native = kind()
    native.update(data)
    for cut in (0, 1, 100, len(data)):
        mixed = kind()
        mixed.update(memoryview(data)[:cut])
        with monkeypatch.context() as patch:
            patch.setattr(checksums, "_native", lambda _: None)
            mixed.update(bytearray(data[cut:]))
        assert mixed.hexdigest() == native.hexdigest()


@pytest.mark.parametrize(("name", "library"), [("crc32c", "google_crc32c"), ("crc64nvme", "awscrt")])
def test_without_a_native_library(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    assert checksums._native.__wrapped__(name) is None


def test_native_libraries_are_taken_where_they_are(monkeypatch):
    library = types.SimpleNamespace(crc64nvme=lambda data, before: len(data) + before)
    monkeypatch.setitem(sys.modules, "awscrt", types.SimpleNamespace(checksums=library))
    assert checksums._native.__wrapped__("crc64nvme")(b"abc", 4) == 7
    assert checksums._native.__wrapped__("crc32c")(b"123456789", 0) == 0xE3069283


def test_the_other_byte_order(monkeypatch):
    monkeypatch.setattr(checksums, "_native", lambda _: None)
    monkeypatch.setattr(sys, "byteorder", {"little": "big", "big": "little"}[sys.byteorder])
    swapped, hasher = new_hasher("crc32c"), new_hasher("crc32c")
    swapped.update(b"badc")
    monkeypatch.undo()
    hasher.update(b"abcd")
    assert swapped.hexdigest() == hasher.hexdigest()


def test_types():
    assert CHECKSUM_TYPES == ("none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512")
    assert new_hasher("none") is new_hasher("") is new_hasher("other") is None
    nothing = any_hasher("none")
    nothing.update(b"abc")
    assert nothing.copy().hexdigest() == "" == any_hasher("").hexdigest()
    assert any_hasher("md5").hexdigest() == new_hasher("md5").hexdigest()
    assert same_algorithm("xxhash", "xxhash2")
    assert not same_algorithm("md5", "xxhash2")
    assert not same_algorithm("none", "none")
    with pytest.raises(InvalidRequest, match='invalid checksum type "foo"'):
        check_type("foo")


def test_crc32c_without_its_library_is_slow(monkeypatch):
    assert all(is_fast(kind) for kind in CHECKSUM_TYPES)
    monkeypatch.setattr(checksums, "_native", lambda _: None)
    assert [kind for kind in CHECKSUM_TYPES if not is_fast(kind)] == ["crc32c"]


def test_parts_are_not_summed_by_a_slow_crc(monkeypatch):
    monkeypatch.setattr(checksums, "_native", lambda _: None)
    sums = PartSums("md5")
    for number in (1, 2):
        part = sums.begin(number)
        part.update(b"abc")
        sums.add(number, part)
    assert (sums.numbers, sums.size, sums.value("crc32c")) == ([1, 2], 6, "")
    assert sums.value("md5") == hashlib.md5(b"abcabc").hexdigest()


def test_a_library_without_its_native_part_is_not_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "google_crc32c", types.SimpleNamespace(implementation="python"))
    assert checksums._native.__wrapped__("crc32c") is None


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_crcs_of_parts_are_those_of_the_whole(parts):
    whole, joined = Crc32c(), Crc32c()
    for part in parts:
        whole.update(part)
        alone = Crc32c()
        alone.update(part)
        joined.append(alone.value, len(part))
    assert joined.hexdigest() == whole.hexdigest()


def test_long_views_are_summed_in_pieces():
    data = bytes(range(256)) * 3000
    one, other = Crc32c(), Crc32c()
    one.update(data)
    other.update(memoryview(bytearray(data)))
    assert one.value == other.value
