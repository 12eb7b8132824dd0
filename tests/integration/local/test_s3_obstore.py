"""The S3 endpoint with obstore (the Rust `object_store`) as the client."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, NotFoundError, PermissionDeniedError, PreconditionError
from obstore.store import S3Store
from wire import Wire

from aistore.local import LocalCluster

KEYS = ("AKIALOCAL", "local-secret-key")
MIB = 1 << 20


def _store(cluster: LocalCluster, bucket: str, keys: tuple[str, str] = KEYS) -> S3Store:
    return S3Store(
        bucket,
        endpoint=f"{cluster.endpoint}/s3",
        region="us-east-1",
        access_key_id=keys[0],
        secret_access_key=keys[1],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


@pytest.fixture(scope="module")
def locked() -> Iterator[LocalCluster]:
    """Give a cluster with keys."""
    with LocalCluster(targets=2, s3_keys=KEYS) as cluster:
        yield cluster


@pytest.fixture
def store(locked: LocalCluster, request: pytest.FixtureRequest) -> Iterator[S3Store]:
    """Give an empty bucket."""
    wire = Wire(locked.endpoint)
    wire.create("obstore")
    yield _store(locked, "obstore")
    wire.destroy("obstore")


def _names(store: S3Store, **kwargs: Any) -> list[str]:
    return sorted(item["path"] for batch in obstore.list(store, **kwargs) for item in batch)


def test_put_get_head_delete(store: S3Store) -> None:
    answer = obstore.put(
        store, "a b/\u00fc", b"data", attributes={"Content-Type": "text/plain", "key": "value"}
    )
    found = obstore.get(store, "a b/\u00fc")
    assert bytes(found.bytes()) == b"data"
    assert found.meta["e_tag"] == answer["e_tag"]
    assert found.attributes["Content-Type"] == "text/plain"
    assert found.attributes["key"] == "value"
    assert obstore.head(store, "a b/\u00fc")["size"] == 4
    obstore.delete(store, "a b/\u00fc")
    with pytest.raises((NotFoundError, FileNotFoundError)):
        obstore.head(store, "a b/\u00fc")


def test_ranges(store: S3Store) -> None:
    obstore.put(store, "o", bytes(range(256)))
    assert bytes(obstore.get_range(store, "o", start=10, end=12)) == b"\x0a\x0b"
    found = obstore.get_ranges(store, "o", starts=[0, 200], ends=[2, 201])
    assert [bytes(part) for part in found] == [b"\x00\x01", b"\xc8"]
    assert bytes(obstore.get(store, "o", options={"range": {"suffix": 2}}).bytes()) == b"\xfe\xff"


def test_conditions(store: S3Store) -> None:
    first = obstore.put(store, "o", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "o", b"2", mode="create")
    version = {"e_tag": first["e_tag"]}
    obstore.put(store, "o", b"2", mode=version)
    with pytest.raises(PreconditionError):
        obstore.put(store, "o", b"3", mode=version)
    with pytest.raises(PreconditionError):
        obstore.get(store, "o", options={"if_match": first["e_tag"]})


def test_listing(store: S3Store) -> None:
    for name in ("a/1", "a/2", "b", "c d/\u00fc"):
        obstore.put(store, name, b"x")
    assert _names(store) == ["a/1", "a/2", "b", "c d/\u00fc"]
    assert _names(store, prefix="a") == ["a/1", "a/2"]
    found = obstore.list_with_delimiter(store)
    assert list(found["common_prefixes"]) == ["a", "c d"]
    assert [item["path"] for item in found["objects"]] == ["b"]


def test_more_than_a_page(locked: LocalCluster, store: S3Store) -> None:
    wire = Wire(locked.endpoint)
    for number in range(1001):
        wire.ok("PUT", f"/v1/objects/obstore/{number:04}", b"")
    assert len(_names(store)) == 1001
    obstore.delete(store, [f"{number:04}" for number in range(1001)])
    assert _names(store) == []


def test_multipart(store: S3Store) -> None:
    data = bytes(range(256)) * (12 * MIB // 256)
    obstore.put(store, "o", data, use_multipart=True, chunk_size=5 * MIB)
    assert bytes(obstore.get(store, "o").bytes()) == data
    assert obstore.head(store, "o")["e_tag"].endswith('-3"')
    with obstore.open_writer(store, "w", buffer_size=5 * MIB) as writer:
        for start in range(0, len(data), MIB):
            writer.write(data[start : start + MIB])
    assert b"".join(bytes(part) for part in obstore.get(store, "w").stream()) == data


def test_copy_and_rename(store: S3Store) -> None:
    obstore.put(store, "o", b"x")
    obstore.copy(store, "o", "copy")
    obstore.rename(store, "o", "renamed")
    assert _names(store) == ["copy", "renamed"]


def test_presigned(store: S3Store) -> None:
    obstore.put(store, "o", b"data")
    url = obstore.sign(store, "GET", "o", timedelta(minutes=1))
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"data"


def test_wrong_keys(locked: LocalCluster, store: S3Store) -> None:
    with pytest.raises((PermissionDeniedError, PermissionError)):
        obstore.put(_store(locked, "obstore", (KEYS[0], "other")), "o", b"x")
