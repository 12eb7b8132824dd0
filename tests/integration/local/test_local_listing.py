"""Listing over the wire: pages, prefixes, virtual directories, archives, changes meanwhile."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from wire import Wire

BUCKET = "listing"


@pytest.fixture(autouse=True)
def _bucket(wire: Wire) -> Iterator[None]:
    wire.create(BUCKET)
    yield
    wire.destroy(BUCKET)


def _put(wire: Wire, *names: str) -> None:
    for name in names:
        wire.ok("PUT", f"/v1/objects/{BUCKET}/{name}", name.encode())


def _page(wire: Wire, **value: Any) -> dict[str, Any]:
    return json.loads(wire.ok("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": value}).body)


def _all(wire: Wire, **value: Any) -> list[str]:
    names: list[str] = []
    token = ""
    while True:
        page = _page(wire, continuation_token=token, **value)
        names += [entry["name"] for entry in page["entries"] or []]
        token = page["continuation_token"]
        if not token:
            return names


NAMES = ["B", "a", "dir", "dir/sub/o1", "dir/sub/o2", "dir/x", "dir2/y", "z"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 0, 100_000])
def test_pages_of_any_size_hold_everything_once_in_byte_order(wire: Wire, size: int) -> None:
    _put(wire, *NAMES)
    assert _all(wire, pagesize=size) == NAMES
    assert _all(wire, pagesize=size, prefix="dir/") == ["dir/sub/o1", "dir/sub/o2", "dir/x"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_virtual_directories(wire: Wire, size: int) -> None:
    _put(wire, *NAMES)
    assert _all(wire, pagesize=size, flags="2048") == ["B", "a", "dir", "dir/", "dir2/", "z"]
    for prefix in ("dir", "dir/"):
        assert _all(wire, pagesize=size, flags="2048", prefix=prefix) == ["dir/sub/", "dir/x"]
    assert _all(wire, pagesize=size, flags="2048", prefix="dir/s") == ["dir/sub/"]


def test_a_full_page_has_a_token_even_at_the_end(wire: Wire) -> None:
    _put(wire, "a", "b")
    page = _page(wire, pagesize=2)
    assert page["continuation_token"] == "b"
    assert _page(wire, pagesize=2, continuation_token="b", uuid=page["uuid"]) == {
        "uuid": page["uuid"],
        "continuation_token": "",
        "entries": None,
        "flags": 0,
    }


def test_start_after_and_prefix_with_a_star(wire: Wire) -> None:
    _put(wire, *NAMES)
    assert _all(wire, start_after="dir/sub/o1") == ["dir/sub/o2", "dir/x", "dir2/y", "z"]
    assert _all(wire, start_after="nothing", prefix="dir*") == []


def test_props(wire: Wire) -> None:
    _put(wire, "o")
    wire.ok("PATCH", f"/v1/objects/{BUCKET}/o", {"action": "", "value": {"k": "v", "l": "w"}})
    entry = _page(wire, props="name,size,version,checksum,atime,cached,status,copies,ec,custom,location")[
        "entries"
    ][0]
    assert entry["custom-md"] == "[k:v l:w]"
    assert (entry["size"], entry["copies"], entry["version"], entry["flags"]) == ("1", 1, "1", 64)
    assert entry["location"].startswith("t[")
    assert entry["atime"].endswith(" UTC")
    assert _page(wire, props="name")["entries"] == [{"name": "o", "flags": 64}]
    assert _page(wire)["entries"] == [{"name": "o", "size": "1", "flags": 64}]


def test_msgpack_keys_and_order(wire: Wire) -> None:
    _put(wire, "o")
    body = {"action": "list", "value": {}}
    answer = wire.ok("GET", f"/v1/buckets/{BUCKET}", body, {"Accept": "application/msgpack"})
    assert answer.headers["content-type"] == "application/msgpack"
    assert list(msgspec.msgpack.decode(answer.body)) == ["UUID", "ContinuationToken", "Entries", "Flags"]
    assert msgspec.msgpack.decode(answer.body)["Entries"] == [{"n": "o", "s": 1, "f": 64}]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_members_of_archives(wire: Wire, size: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("d/b.txt", "a.txt"):
            archive.addfile(tarfile.TarInfo(name), None)
    wire.ok("PUT", f"/v1/objects/{BUCKET}/sh/t.tar", buffer.getvalue())
    _put(wire, "sh/t.tar.bak", "sh/a", "sh/z")
    inside = ["sh/t.tar/a.txt", "sh/t.tar/d/b.txt"]
    assert _all(wire, pagesize=size, flags="8") == ["sh/a", "sh/t.tar", *inside, "sh/t.tar.bak", "sh/z"]
    assert _all(wire, pagesize=size, flags="8", prefix="sh/t.tar/") == inside
    assert _all(wire, pagesize=size, flags="8", prefix="sh/t.tar/d") == inside[1:]
    flags = {entry["name"]: entry["flags"] for entry in _page(wire, flags="8")["entries"]}
    assert (flags["sh/t.tar"], flags["sh/t.tar/a.txt"], flags["sh/z"]) == (576, 192, 64)


def test_nothing_present_throughout_is_missed_while_others_come_and_go(wire: Wire) -> None:
    steady = [f"s/{number:03}" for number in range(60)]
    _put(wire, *steady)
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"/v1/objects/{BUCKET}/s/{number % 60:03}-x"
            wire.ok("PUT", name, b"x")
            wire.ok("DELETE", name)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            names = _all(wire, pagesize=7)
            assert [name for name in names if not name.endswith("-x")] == steady
            assert names == sorted(set(names))
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "value", [{"pagesize": -1}, {"flags": 1}, {"flags": "x"}, {"prefix": "../"}, {"nosuch": 1}, "x"]
)
def test_bad_messages(wire: Wire, value: Any) -> None:
    assert wire("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": value}).status == 400


def test_no_body_is_a_list_and_null_is_a_list_of_buckets(wire: Wire) -> None:
    _put(wire, "o")
    assert json.loads(wire.ok("GET", f"/v1/buckets/{BUCKET}").body)["entries"]
    buckets = json.loads(wire.ok("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": None}).body)
    assert BUCKET in {bucket["name"] for bucket in buckets}


def test_namespaces_are_apart(wire: Wire) -> None:
    query = "provider=ais&namespace=%40%23ns1"
    wire.ok("POST", f"/v1/buckets/{BUCKET}?{query}", {"action": "create-bck"})
    try:
        wire.ok("PUT", f"/v1/objects/{BUCKET}/only-there?{query}", b"x")
        assert _all(wire) == []
        found = json.loads(wire.ok("GET", f"/v1/buckets?{query}", {"action": "list"}).body)
        assert found == [{"name": BUCKET, "provider": "ais", "namespace": {"uuid": "", "name": "ns1"}}]
        headers = wire.ok("HEAD", f"/v1/objects/{BUCKET}/only-there?{query}").headers
        assert headers["ais-bucket-namespace-name"] == "ns1"
    finally:
        wire.ok("DELETE", f"/v1/buckets/{BUCKET}?{query}", {"action": "destroy-bck"})
