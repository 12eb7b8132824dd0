"""What a Get-Batch request may say."""

from __future__ import annotations

import json

import pytest

from aistore.local.batch.request import parse_request
from aistore.local.errors import BucketNotFound, LocalError
from aistore.local.names import Bck
from aistore.wire.archive.formats import Format

DEFAULT = Bck("b")


def parse(catalog, entries, default=DEFAULT, **rest):
    return parse_request(json.dumps({"in": entries, **rest}).encode(), default, catalog)


def test_defaults(store, bucket):
    request = parse(store.catalog, [{"objname": "a"}])
    assert request.kind is Format.TAR
    assert (request.keep_going, request.only_object, request.streaming) == (False, False, False)
    [entry] = request.entries
    assert entry.is_whole
    assert entry.bucket == bucket


@pytest.mark.parametrize(
    ("entry", "only_object", "name"),
    [
        ({"objname": "d/a"}, False, "b/d/a"),
        ({"objname": "d/a"}, True, "d/a"),
        ({"objname": "s.tar", "archpath": "/x/y"}, False, "b/s.tar/x/y"),
        ({"objname": "s.tar", "archpath": "x/y"}, True, "s.tar/x/y"),
    ],
)
def test_member_names(store, bucket, entry, only_object, name):
    [parsed] = parse(store.catalog, [entry]).entries
    assert parsed.member_name(only_object=only_object) == name


@pytest.mark.parametrize(
    ("start", "length", "whole"), [(0, 0, True), (0, -1, True), (0, 5, False), (3, -1, False), (3, 5, False)]
)
def test_ranges(store, bucket, start, length, whole):
    [entry] = parse(store.catalog, [{"objname": "a", "start": start, "length": length}]).entries
    assert entry.is_whole is whole


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "invalid object name"),
        ({"objname": "a/"}, "invalid object name"),
        ({"objname": "../a"}, "invalid object name"),
        ({"objname": "~/a"}, "invalid object name"),
        ({"objname": "a", "archpath": "../x"}, "invalid archpath"),
        ({"objname": "a", "start": 2, "length": 0}, "not satisfiable range"),
        ({"objname": "a", "start": -1}, "not satisfiable range"),
        ({"objname": "a", "length": -2}, "not satisfiable range"),
        ({"objname": "a", "opaque": "_-8="}, "illegal base64"),
        ({"objname": "a", "bucket": "b", "provider": "bogus"}, "invalid backend provider"),
        ({"objname": "a", "uname": "ais/@#/b/a"}, "not expecting object name"),
        ({"objname": "a", "uname": "ais/@#/b"}, "bucket name is missing"),
        ({"objname": 7}, "invalid request"),
    ],
)
def test_wrong_entries_are_named(store, bucket, entry, message):
    with pytest.raises(LocalError, match=message) as caught:
        parse(store.catalog, [entry])
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"in": []}', b'{"in": null}', b"{}"])
def test_wrong_bodies_are_refused(store, bucket, body):
    with pytest.raises(LocalError) as caught:
        parse_request(body, Bck("b"), store.catalog)
    assert caught.value.status == 400


def test_buckets_must_exist_and_be_named(store, bucket):
    with pytest.raises(BucketNotFound):
        parse(store.catalog, [{"objname": "a", "bucket": "nosuch"}])
    with pytest.raises(BucketNotFound):
        parse(store.catalog, [{"objname": "a", "bucket": "b"}], default=Bck("nosuch"))
    with pytest.raises(LocalError, match="bucket name is missing"):
        parse(store.catalog, [{"objname": "a"}], default=None)
    [entry] = parse(store.catalog, [{"objname": "a", "uname": "ais/@#/b/", "bucket": "nosuch"}]).entries
    assert entry.bucket == bucket
