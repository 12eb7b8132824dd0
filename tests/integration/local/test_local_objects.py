"""Objects over the wire: what the recordings don't hold."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from wire import Wire

from aistore.local import LocalCluster
from aistore.wire.serialization import decode_json

BUCKET = "objects"


@pytest.fixture(autouse=True)
def _bucket(wire: Wire) -> Iterator[None]:
    wire.create(BUCKET)
    yield
    wire.destroy(BUCKET)


def url(name: str, query: str = "") -> str:
    return f"/v1/objects/{BUCKET}/{name}{'?' + query if query else ''}"


def test_put_with_the_stored_checksum_changes_nothing(wire: Wire) -> None:
    first = wire.ok("PUT", url("o"), b"bytes")
    value = first.headers["ais-checksum-value"]
    again = wire.ok("PUT", url("o"), b"other", {"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": value})
    assert not [name for name in again.headers if name.startswith("ais-")]
    got = wire.ok("GET", url("o"))
    assert (got.body, got.headers["ais-version"]) == (b"bytes", "1")
    fresh = wire.ok("PUT", url("o", "skip_vc=true"), b"bytes", {"Ais-Custom-Md": "a=b=c"})
    assert (fresh.headers["ais-version"], fresh.headers["ais-custom-md"]) == ("1", "a=b=c")


def test_checksum_of_another_type_is_verified_and_not_stored(wire: Wire) -> None:
    md5 = hashlib.md5(b"bytes").hexdigest()
    answer = wire.ok("PUT", url("o"), b"bytes", {"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": md5})
    assert answer.headers["ais-checksum-type"] == "xxhash2"
    answer = wire("PUT", url("o"), b"torn", {"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": md5})
    assert (answer.status, answer.error["tcode"]) == (500, "ErrBadCksum")
    assert wire.ok("GET", url("o")).body == b"bytes"


def test_chunked_upload(wire: Wire) -> None:
    body = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n"
    answer = wire("PUT", url("o"), body, {"Transfer-Encoding": "chunked"})
    assert answer.status == 200
    assert wire.ok("GET", url("o")).body == b"hello world"


def _raw(location: str, head: str, body: bytes = b"") -> socket.socket:
    parts = urlsplit(location)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=10)
    target = location.partition(parts.netloc)[2]
    sock.sendall(f"PUT {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{head}\r\n".encode() + body)
    return sock


def test_expect_continue_is_answered_by_the_target_only(wire: Wire) -> None:
    head = "Content-Length: 5\r\nExpect: 100-continue\r\n"
    with _raw(wire.endpoint + url("o"), head) as sock:
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 307 ")
        assert b"connection: close" in answer.lower()
    location = wire("PUT", url("o"), follow=False).headers["location"]
    with _raw(location, head) as sock:
        assert sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_an_upload_that_ends_early_leaves_nothing(wire: Wire, cluster: LocalCluster) -> None:
    wire.ok("PUT", url("o"), b"old")
    location = wire("PUT", url("o"), follow=False).headers["location"]
    for head, body in (
        ("Content-Length: 100\r\n", b"half"),
        ("Transfer-Encoding: chunked\r\n", b"4\r\nhalf\r\n"),
    ):
        _raw(location, head, body).close()
    assert wire.ok("GET", url("o")).body == b"old"
    assert cluster.dir is not None


def test_overwrite_while_it_is_read(wire: Wire) -> None:
    old, new = b"1" * 8_000_000, b"2" * 8_000_000
    wire.ok("PUT", url("o"), old)
    location = wire("GET", url("o"), follow=False).headers["location"]
    parts = urlsplit(location)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        target = location.partition(parts.netloc)[2]
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        received = sock.recv(65536)
        wire.ok("PUT", url("o"), new)
        wire.ok("DELETE", url("o"))
        while data := sock.recv(1 << 20):
            received += data
    assert received.partition(b"\r\n\r\n")[2] == old


def test_writes_of_one_object_at_once_never_mix(wire: Wire) -> None:
    bodies = [bytes([65 + number]) * 300_000 for number in range(6)]
    threads = [threading.Thread(target=wire.ok, args=("PUT", url("o"), body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = wire.ok("GET", url("o"))
    assert got.body in bodies
    assert got.headers["ais-version"] == "6"


@pytest.mark.parametrize(
    "name",
    ["a%20b%3Fc%23d%25e%26f%3Dg", "%D1%84%D0%B0%D0%B9%D0%BB/%E2%98%83", "x//y", "plus+plus", "back%5Cslash"],
)
def test_names_come_back_as_they_were(wire: Wire, name: str) -> None:
    wire.ok("PUT", url(name, "provider=ais"), name.encode())
    assert wire.ok("GET", url(name, "provider=ais")).body == name.encode()
    entries = json.loads(wire.ok("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": {}}).body)[
        "entries"
    ]
    assert len(entries) == 1
    wire.ok("DELETE", url(name))


@pytest.mark.parametrize("name", ["new%0Aline", "%ff%fe"])
def test_names_that_headers_and_json_cannot_carry(wire: Wire, name: str) -> None:
    wire.ok("PUT", url(name), b"x")
    assert wire.ok("HEAD", url(name)).status == 200
    listed = decode_json(wire.ok("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": {}}).body)
    assert unquote(name, errors="surrogateescape") in [entry["name"] for entry in listed["entries"]]


def test_head_forms(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"")
    assert "content-length" not in wire.ok("HEAD", url("o")).headers
    assert wire.ok("HEAD", url("o", "props=size")).headers["content-length"] == "0"
    assert not [k for k in wire.ok("HEAD", url("o", "presence=1")).headers if k.startswith("ais-")]
    assert (
        wire("HEAD", url("o", "presence=5"))
        .error["message"]
        .endswith("is present (vs requested 'flt-outside'(5))")
    )
    assert wire("HEAD", url("o", "props=cached")).status == 400
    assert wire("HEAD", url("dir/")).status == 404
    every = "name,size,checksum,atime,version,last-modified,etag,copies,ec,custom,location,chunked"
    headers = wire.ok("HEAD", url("o", f"props={every}")).headers
    assert headers["etag"].startswith('"v1-ef46db3751d8e999-')
    assert headers["last-modified"].endswith("GMT")


def test_custom_metadata(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"x")
    wire.ok("PATCH", url("o"), {"action": "", "value": {"a": "1", "ETag": "tag"}})
    wire.ok("PATCH", url("o"), {"action": "", "value": {"b": "2"}})
    head = wire.ok("HEAD", url("o", "props=custom,etag"))
    assert head.headers["etag"] == '"tag"'
    wire.ok("PATCH", url("o", "set-new-custom=true"), {"action": "", "value": {"c": "ü"}})
    assert wire.ok("GET", url("o")).headers["ais-custom-md"].encode("latin-1").decode() == "c=ü"
    for value in ({"k": 1}, {"k": "v" * 3000}, {"": "v"}, {"k": "\x01"}, []):
        assert wire("PATCH", url("o"), {"action": "", "value": value}).status == 400


def test_append(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"begin")
    first = wire.ok("PUT", url("o", "append_type=append&append_handle="), b"-one")
    handle = first.headers["ais-append-handle"].replace("|", "%7C").replace("+", "%2B").replace("=", "%3D")
    second = wire.ok("PUT", url("o", f"append_type=append&append_handle={handle}"), b"-two")
    stale = wire("PUT", url("o", f"append_type=append&append_handle={handle}"), b"-two")
    assert (stale.status, "stale" in stale.error["message"]) == (400, True)
    assert wire.ok("GET", url("o")).body == b"begin"
    handle = second.headers["ais-append-handle"].replace("|", "%7C").replace("+", "%2B").replace("=", "%3D")
    assert wire("PUT", url("p", f"append_type=flush&append_handle={handle}")).status == 400
    wire.ok("PUT", url("o", f"append_type=flush&append_handle={handle}"))
    wire.ok("PUT", url("o", f"append_type=flush&append_handle={handle}"))
    assert wire.ok("GET", url("o")).body == b"begin-one-two"


def test_multipart_part_sent_twice_the_last_one_counts(wire: Wire) -> None:
    upload = wire.ok("POST", url("o", "uploads="), {"action": "mpt-upload"}).body.decode()
    for number, data in ((2, b"BBBB"), (1, b"wrong"), (1, b"AAAA")):
        wire.ok("PUT", url("o", f"uploadId={upload}&partNumber={number}"), data)
    assert wire("GET", url("o")).status == 404
    parts = [{"part-number": 2, "etag": ""}, {"part-number": 1, "etag": ""}]
    wire.ok("POST", url("o", f"uploadId={upload}"), {"action": "mpt-complete", "value": parts})
    got = wire.ok("GET", url("o"))
    assert (got.body, got.headers["ais-checksum-type"]) == (b"AAAABBBB", "xxhash2")
    head = wire.ok("HEAD", url("o", "props=chunked")).headers
    assert (head["ais-chunks-count"], head["ais-chunks-max-chunk-size"]) == ("2", "4")
    again = wire("POST", url("o", f"uploadId={upload}"), {"action": "mpt-complete", "value": parts})
    assert again.status == 404


def test_multipart_of_one_part_and_abort(wire: Wire, cluster: LocalCluster) -> None:
    upload = wire.ok("POST", url("o"), {"action": "mpt-upload"}).body.decode()
    wire.ok("PUT", url("o", f"uploadId={upload}&partNumber=1"), b"only")
    value = [{"part-number": 1, "etag": ""}]
    wire.ok("POST", url("o", f"uploadId={upload}"), {"action": "mpt-complete", "value": value})
    assert wire.ok("GET", url("o")).body == b"only"
    upload = wire.ok("POST", url("p"), {"action": "mpt-upload"}).body.decode()
    wire.ok("PUT", url("p", f"uploadId={upload}&partNumber=1"), b"gone")
    wire.ok("DELETE", url("p", f"uploadId={upload}"), {"action": "mpt-abort"})
    assert wire("PUT", url("p", f"uploadId={upload}&partNumber=2"), b"late").status == 404


def test_rename_and_copy(wire: Wire) -> None:
    wire.ok("PUT", url("a"), b"bytes", {"Ais-Custom-Md": "k=v"})
    wire.ok("POST", url("a"), {"action": "rename-obj", "name": "d/b"})
    assert wire("GET", url("a")).status == 404
    wire.ok("PUT", url("d/b", f"object_to=ais/@%23/{BUCKET}/c"))
    got = wire.ok("GET", url("c"))
    assert (got.body, got.headers["ais-custom-md"]) == (b"bytes", "k=v")
    wire.ok("PUT", url("c", f"object_to=ais/@%23/{BUCKET}/c"))
    assert wire.ok("POST", url("c"), {"action": "check-lock"}).status == 200
    assert wire("POST", url("c"), {"action": "rename-obj", "name": "../x"}).status == 400
    assert wire("POST", url("c"), {"action": "rename-obj", "name": "c"}).status == 400


def _tar(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


@pytest.mark.parametrize("extension", [".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4"])
def test_archive_grows_and_is_read(wire: Wire, extension: str) -> None:
    name = f"shard{extension}"
    assert wire("PUT", url(name, "archpath=a.txt"), b"1", {"Ais-Pine": "1"}).status == 404
    wire.ok("PUT", url(name, "archpath=a.txt"), b"one", {"Ais-Pine": "2"})
    wire.ok("PUT", url(name, "archpath=/d/b.txt"), b"two", {"Ais-Pine": "1"})
    assert wire("PUT", url(name, "archpath=e.txt"), b"", {"Ais-Pine": "1"}).status == 400
    assert wire.ok("GET", url(name, "archpath=d/b.txt")).body == b"two"
    assert wire.ok("GET", url(name, f"archpath={name}/a.txt")).body == b"one"
    found = wire.ok("GET", url(name, "archregx=b&archmode=substr"))
    assert found.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(found.body)) as matches:
        assert matches.getnames() == ["d/b.txt"]
    wire.ok("PUT", url(name, "archpath=only.txt"), b"x")
    assert wire("GET", url(name, "archpath=a.txt")).status == 404


def test_members_are_appended_one_after_the_other(wire: Wire) -> None:
    def append(number: int) -> None:
        wire.ok("PUT", url("s.zip", f"archpath={number}.txt"), b"x", {"Ais-Pine": "2"})

    threads = [threading.Thread(target=append, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = zipfile.ZipFile(io.BytesIO(wire.ok("GET", url("s.zip")).body)).namelist()
    assert sorted(names) == [f"{number}.txt" for number in range(6)]


def test_broken_archive_is_an_error(wire: Wire) -> None:
    wire.ok("PUT", url("s.tar"), b"not a tar" * 1000)
    assert wire("GET", url("s.tar", "archpath=a")).status == 400
    wire.ok("PUT", url("s.tgz"), _tar(["a"]))
    assert wire("GET", url("s.tgz", "archmode=prefix")).status == 400


def test_access_mask(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"x")
    wire.ok("PATCH", f"/v1/buckets/{BUCKET}", {"action": "set-bprops", "value": {"access": "1"}})
    answer = wire("PUT", url("o"), b"y")
    assert (answer.status, answer.error["tcode"]) == (403, "ErrBucketAccessDenied")
    assert wire("DELETE", url("o")).status == 403
    assert wire("POST", url("o"), {"action": "rename-obj", "name": "p"}).status == 403
    assert wire.ok("GET", url("o")).body == b"x"
    wire.ok("PATCH", f"/v1/buckets/{BUCKET}", {"action": "reset-bprops"})
    wire.ok("PUT", url("o"), b"y")


def test_range_checksum_when_the_bucket_asks_for_it(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"0123456789")
    change = {"checksum": {"enable_read_range": True}}
    wire.ok("PATCH", f"/v1/buckets/{BUCKET}", {"action": "set-bprops", "value": change})
    part = wire.ok("GET", url("o"), headers={"Range": "bytes=2-4"})
    whole = wire.ok("PUT", url("p"), b"234")
    assert part.headers["ais-checksum-value"] == whole.headers["ais-checksum-value"]


def test_direct_access_to_a_target(wire: Wire) -> None:
    wire.ok("PUT", url("o"), b"x")
    location = wire("GET", url("o"), follow=False).headers["location"]
    owner = f"http://{urlsplit(location).netloc}"
    targets = json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)["tmap"].values()
    bases = [target["public_net"]["direct_url"] for target in targets]
    assert {base: wire("GET", url("o"), base=base).status for base in bases} == {
        base: 200 if base == owner else 404 for base in bases
    }
    answer = wire("PUT", url("o"), b"y", base=owner)
    assert (answer.status, answer.error["message"].endswith("PUT(obj) is expected to be redirected")) == (
        400,
        True,
    )


def test_easy_url(wire: Wire) -> None:
    wire.ok("PUT", f"/ais/{BUCKET}/d/o", b"x")
    assert wire.ok("GET", f"/ais/{BUCKET}/d/o").body == b"x"
    assert json.loads(wire.ok("GET", f"/ais/{BUCKET}").body)["entries"][0]["name"] == "d/o"
    assert wire.ok("GET", "/ais").body.startswith(b"[")
    assert wire("GET", "/gs").error["tcode"] == "ErrMissingBackend"
    assert wire("PUT", f"/ais/{BUCKET}", b"x").status == 400


def test_promote(tmp_path: Path) -> None:
    (tmp_path / "files" / "sub").mkdir(parents=True)
    (tmp_path / "files" / "a.txt").write_bytes(b"1")
    (tmp_path / "files" / "sub" / "b.txt").write_bytes(b"2")
    (tmp_path / "files" / "link").symlink_to("/etc/hostname")
    with LocalCluster(promote_dir=tmp_path / "files") as cluster:
        wire = Wire(cluster.endpoint)
        wire.create(BUCKET)
        value = {"src": str(tmp_path / "files"), "obj": "p/", "rcr": True, "dls": True}
        job = wire.ok(
            "POST", f"/v1/objects/{BUCKET}", {"action": "promote", "name": "", "value": value}
        ).body.decode()
        for _ in range(200):
            status = json.loads(wire.ok("GET", "/v1/cluster?what=status", {"id": job}).body)
            if status["end_time"]:
                break
        assert status["err"] == ""
        assert wire.ok("GET", url("p/sub/b.txt")).body == b"2"
        assert wire.ok("GET", url("p/a.txt")).body == b"1"
        assert wire("GET", url("p/link")).status == 404
        one = {"action": "promote", "value": {"src": str(tmp_path / "files" / "one"), "obj": "1"}}
        for content in (b"first", b"second"):
            (tmp_path / "files" / "one").write_bytes(content)
            assert wire.ok("POST", f"/v1/objects/{BUCKET}", one).body == b""
            assert wire.ok("GET", url("1")).body == b"first"  # what is there is not overwritten unasked
        one["value"]["obj"] = "../x"
        assert wire("POST", f"/v1/objects/{BUCKET}", one).status == 400
        escape = {"src": str(tmp_path / "files" / "link")}
        answer = wire("POST", f"/v1/objects/{BUCKET}", {"action": "promote", "value": escape})
        assert (answer.status, answer.error["tcode"]) == (400, "errInvalidPromoteSource")
    assert not (tmp_path / "files" / "a.txt").exists()


def test_a_stream_is_not_read_on_for_a_client_that_went_away(wire: Wire, cluster: LocalCluster) -> None:
    wire.ok("PUT", url("o"), b"x" * 64_000_000)
    location = wire("GET", url("o"), follow=False).headers["location"]
    parts = urlsplit(location)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        target = location.partition(parts.netloc)[2]
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        assert sock.recv(100)

    def content_files() -> int:
        found = 0
        for link in Path(f"/proc/{cluster.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += "~" in os.readlink(link)
        return found

    deadline = time.monotonic() + 10
    while content_files():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_custom_metadata_reads_as_it_was_set(cluster: LocalCluster) -> None:
    pairs = {"boxes": "[1, 2, 3]", "note": "a, owner=eve", "speaker": "Jörg 中", "formula": "a=b"}
    with cluster.client() as client:
        o = client.bucket(BUCKET).object("o")
        o.get_writer().put_content(b"x")
        o.get_writer().set_custom_props(pairs, replace_existing=True)
        assert o.head("custom").custom_metadata == pairs
        assert o.get_reader().attributes.custom_metadata == pairs
