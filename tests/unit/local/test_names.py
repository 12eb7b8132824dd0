"""Bucket and object names."""

from __future__ import annotations

import pytest

from aistore.local import names
from aistore.local.errors import InvalidName, InvalidRequest
from aistore.local.names import Bck


def test_unames() -> None:
    assert Bck("b").uname("a/o") == "ais/@#/b/a/o"
    assert Bck("b", "ais", "uid", "ns").uname() == "ais/@uid#ns/b/"
    assert names.parse_uname("ais/@#/b/a/o") == (Bck("b"), "a/o")
    assert names.parse_uname("s3/@#ns/b/") == (Bck("b", "aws", "", "ns"), "")
    assert str(Bck("b", "aws")) == "s3://b"
    assert str(Bck("b", "ais", "", "ns")) == "ais://@#ns/b"


@pytest.mark.parametrize("namespace", ["#a/b", "#a#b", "@a/b", "@a@b", "#..", "@a b", "#" + "x" * 65, "@ü"])
def test_a_namespace_is_no_part_of_another_name(namespace: str) -> None:
    uuid, name = names.parse_namespace(namespace)
    with pytest.raises(InvalidRequest, match="namespace"):
        names.make_bck("b", "ais", namespace)
    with pytest.raises(InvalidRequest, match="namespace"):
        names.bck_from_dict({"name": "b", "namespace": {"uuid": uuid, "name": name}})


@pytest.mark.parametrize("name", ["a", "-lead", "UPPER", "a.b_c-d", "x" * 64])
def test_good_bucket_names(name: str) -> None:
    names.check_bucket_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".sys", "a..b", "a b", "a/b", "ü", "x" * 65, "a\n"])
def test_bad_bucket_names(name: str) -> None:
    with pytest.raises(InvalidRequest):
        names.check_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["a", "...", ".hidden", "~tilde", "x/~/y", "a b?#%", "x//y", "/lead", "a\\b"]
)
def test_good_object_names(name: str) -> None:
    names.check_object_name(name)


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "../x", "a/.", "~/home", "trail/", "a\0b"])
def test_bad_object_names(name: str) -> None:
    with pytest.raises(InvalidName, match="invalid object name"):
        names.check_object_name(name)


@pytest.mark.parametrize(
    ("text", "expected"), [("", "ais"), ("s3", "aws"), ("GS", "gcp"), ("azure", "azure")]
)
def test_providers(text: str, expected: str) -> None:
    assert names.normalize_provider(text) == expected


def test_unknown_provider() -> None:
    with pytest.raises(InvalidRequest, match="must be one of"):
        names.normalize_provider("foo")


@pytest.mark.parametrize("value", [None, {}, {"name": ""}, {"name": "b", "namespace": "x"}, "b"])
def test_bad_bucket_objects(value: object) -> None:
    with pytest.raises(InvalidRequest):
        names.bck_from_dict(value)
