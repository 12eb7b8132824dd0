"""Get-Batch, as raw requests."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import tarfile
import time
import zipfile
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire import Answer, Wire
from wire_jobs import put

BUCKET = "batch"
OBJECTS = {"a.txt": b"alpha", "d/b.bin": bytes(range(256)), "empty": b"", "big": b"0123456789" * 100_000}


def shard(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("in/x", b"inside-zip")
    else:
        with tarfile.open(fileobj=out, mode="w:gz" if kind == "tgz" else "w") as archive:
            info = tarfile.TarInfo("in/x")
            info.size = len(kind) + 7
            archive.addfile(info, io.BytesIO(b"inside-" + kind.encode()))
    return out.getvalue()


@pytest.fixture
def wire(wire: Wire) -> Wire:
    if wire("HEAD", f"/v1/buckets/{BUCKET}").status == 404:
        wire.create(BUCKET)
        wire.create("other")
        put(wire, BUCKET, OBJECTS | {f"s.{kind}": shard(kind) for kind in ("tar", "tgz", "zip")})
        put(wire, "other", {"a.txt": b"of the other"})
    return wire


def ask(
    wire: Wire, entries: list[dict[str, Any]], path: str = f"/v1/ml/moss/{BUCKET}", **rest: Any
) -> Answer:
    return wire("GET", path, {"in": entries, "strm": True, **rest})


def untar(data: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(info.name, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]


def parts(answer: Answer) -> tuple[dict[str, Any], bytes]:
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    _, first, second, end = answer.body.split(b"--" + boundary)
    assert end == b"--\r\n"
    assert second.startswith(b'\r\nContent-Disposition: form-data; name="archive"; filename="get-batch[gbt-')
    return json.loads(first.partition(b"\r\n\r\n")[2]), second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


ENTRIES = [
    {"objname": "big"},
    {"objname": "a.txt"},
    {"objname": "empty"},
    {"objname": "a.txt"},
    {"objname": "big", "start": 5, "length": 10},
    {"objname": "s.tar", "archpath": "in/x"},
    {"objname": "s.tgz", "archpath": "in/x", "start": 7, "length": 3},
    {"objname": "s.zip", "archpath": "/in/x"},
    {"objname": "a.txt", "bucket": "other", "provider": "ais"},
]
EXPECTED = [
    ("batch/big", OBJECTS["big"]),
    ("batch/a.txt", b"alpha"),
    ("batch/empty", b""),
    ("batch/a.txt", b"alpha"),
    ("batch/big", b"5678901234"),
    ("batch/s.tar/in/x", b"inside-tar"),
    ("batch/s.tgz/in/x", b"tgz"),
    ("batch/s.zip/in/x", b"inside-zip"),
    ("other/a.txt", b"of the other"),
]


def test_a_stream_has_every_entry_in_order(wire: Wire) -> None:
    answer = ask(wire, ENTRIES)
    assert answer.headers["content-type"] == "application/x-tar"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert untar(answer.body) == EXPECTED


def test_the_multipart_form_says_what_each_entry_is(wire: Wire) -> None:
    opaque = base64.b64encode(b"\0\xff").decode()
    entries = [*ENTRIES[:-1], {**ENTRIES[-1], "opaque": opaque}, {"objname": "nope"}]
    about, archive = parts(ask(wire, entries, strm=False, coer=True))
    assert untar(archive) == [*EXPECTED, ("__404__/batch/nope", b"")]
    assert about["uuid"].startswith("gbt-")
    assert [out["size"] for out in about["out"]] == [len(data) for _, data in EXPECTED] + [0]
    assert about["out"][5] == {
        "objname": "s.tar",
        "archpath": "in/x",
        "bucket": "batch",
        "provider": "ais",
        "size": 10,
    }
    assert about["out"][8]["opaque"] == opaque
    assert "ais://batch/nope does not exist" in about["out"][-1]["err_msg"]


@pytest.mark.parametrize(
    ("mime", "content_type"),
    [(".tgz", "application/gzip"), (".zip", "application/zip"), (".tar.lz4", "application/x-lz4")],
)
def test_the_other_formats(wire: Wire, mime: str, content_type: str) -> None:
    answer = ask(wire, ENTRIES[1:3], mime=mime, onob=True)
    assert answer.headers["content-type"] == content_type
    if mime == ".zip":
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            found = [(name, archive.read(name)) for name in archive.namelist()]
    elif mime == ".tgz":
        found = untar(gzip.decompress(answer.body))
    else:
        found = untar(pytest.importorskip("lz4.frame").decompress(answer.body))
    assert found == [("a.txt", b"alpha"), ("empty", b"")]


def test_entries_name_their_buckets_when_the_path_does_not(wire: Wire) -> None:
    entries = [{"objname": "a.txt", "uname": "ais/@#/other/"}, {"objname": "a.txt", "bucket": BUCKET}]
    assert untar(ask(wire, entries, "/v1/ml/moss").body) == [
        ("other/a.txt", b"of the other"),
        ("batch/a.txt", b"alpha"),
    ]
    assert ask(wire, [{"objname": "a.txt"}], "/v1/ml/moss").status == 400


def test_what_is_missing_is_marked_and_shifts_nothing(wire: Wire) -> None:
    entries = [
        {"objname": "nope"},
        {"objname": "a.txt"},
        {"objname": "s.tar", "archpath": "nope"},
        {"objname": "nope.tar", "archpath": "x"},
        {"objname": "a.txt", "archpath": "x"},
        {"objname": "a.txt"},
    ]
    names = [name for name, _ in untar(ask(wire, entries, coer=True).body)]
    assert names == [
        "__404__/batch/nope",
        "batch/a.txt",
        "__404__/batch/s.tar/nope",
        "__404__/batch/nope.tar/x",
        "__404__/batch/a.txt/x",
        "batch/a.txt",
    ]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"objname": "nope"}, 404),
        ({"objname": "s.tar", "archpath": "nope"}, 404),
        ({"objname": "a.txt", "archpath": "x"}, 400),
        ({"objname": "a.txt", "start": 3, "length": 3}, 416),
        ({"objname": "a.txt", "start": 5, "length": -1}, 416),
    ],
)
def test_a_strict_request_fails_whatever_target_has_the_object(
    wire: Wire, streaming: bool, entry: dict[str, Any], status: int
) -> None:
    for _ in range(2):  # once at each target
        assert ask(wire, [{"objname": "a.txt"}, entry], strm=streaming).status == status


def test_not_like_the_cluster_a_range_out_of_bounds_is_never_the_whole_object(wire: Wire) -> None:
    entries = [{"objname": "a.txt", "start": 3, "length": 30}, {"objname": "a.txt"}]
    assert untar(ask(wire, entries, coer=True).body) == [
        ("__404__/batch/a.txt", b""),
        ("batch/a.txt", b"alpha"),
    ]


def test_a_failure_after_the_first_byte_cuts_the_connection(wire: Wire) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(wire, [{"objname": "big"}, {"objname": "nope"}])


def test_more_than_eight_missing_entries_fail_the_request(wire: Wire) -> None:
    missing = [{"objname": f"nope-{n}"} for n in range(9)]
    assert ask(wire, missing[:8], coer=True).status == 200
    for streaming in (True, False):
        answer = ask(wire, missing, coer=True, strm=streaming)
        assert answer.status == 400
        assert "soft-errors limit: 9 (max: 8)" in answer.error["message"]


def test_the_redirect_is_for_one_use(wire: Wire) -> None:
    body = {"in": [{"objname": "a.txt"}], "strm": True}
    first = wire("GET", f"/v1/ml/moss/{BUCKET}?provider=ais", body, follow=False)
    assert first.status == 307
    url = urlsplit(first.headers["location"])
    path, base = f"{url.path}?{url.query}", f"{url.scheme}://{url.netloc}"
    assert wire("GET", path, body, base=base).status == 200
    assert wire("GET", path, body, base=base).status == 404
    direct = url.path.rpartition("/gbt-")[0]
    assert wire("GET", direct, body, base=base).status == 401


def test_a_colocated_batch_goes_to_the_target_that_owns_the_most(wire: Wire) -> None:
    body = {"in": [{"objname": "a.txt"}]}
    owner = urlsplit(wire("GET", f"/v1/objects/{BUCKET}/a.txt", follow=False).headers["location"]).netloc
    for _ in range(3):
        answer = wire("GET", f"/v1/ml/moss/{BUCKET}?coloc=1", body, follow=False)
        assert urlsplit(answer.headers["location"]).netloc == owner
    assert wire("GET", f"/v1/ml/moss/{BUCKET}?coloc=3", body).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/ml/moss/batch", {"in": [{"objname": "a.txt"}]}, 405),
        ("GET", "/v1/ml/moss/batch", {"in": []}, 400),
        ("GET", "/v1/ml/moss/batch", b"{", 400),
        ("GET", "/v1/ml/moss/batch", {"in": [{"objname": "a.txt"}], "mime": "foo"}, 400),
        ("GET", "/v1/ml/moss/nosuch", {"in": [{"objname": "a.txt"}]}, 404),
        ("GET", "/v1/ml/other", {"in": [{"objname": "a.txt"}]}, 400),
        ("GET", "/v1/ml", None, 400),
    ],
)
def test_wrong_requests(wire: Wire, method: str, path: str, body: Any, status: int) -> None:
    assert wire(method, path, body).status == status


def test_requests_are_counted_in_a_job(wire: Wire) -> None:
    about, _ = parts(ask(wire, [{"objname": "a.txt"}], strm=False))
    found = json.loads(wire.ok("GET", "/v1/cluster?what=qryxstats", {"id": about["uuid"]}).body)
    snapshots = [snapshot for node in found.values() for snapshot in node]
    assert {snapshot["kind"] for snapshot in snapshots} == {"get-batch"}
    assert all(snapshot["is_idle"] for snapshot in snapshots)
    assert sum(int(snapshot["stats"]["loc-objs"]) for snapshot in snapshots) >= 1


def begin(wire: Wire, **request: Any) -> http.client.HTTPConnection:
    """Send a batch request to the target that is to answer it, and read nothing."""
    answer = wire("GET", f"/v1/ml/moss/{BUCKET}", request, follow=False)
    parts = urlsplit(answer.headers["location"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}", json.dumps(request))
    return connection


def batch_job(wire: Wire) -> dict[str, Any]:
    """The state of the job that batches are counted in, over all targets."""
    query = {"kind": "get-batch", "show_active": True}
    answer = json.loads(wire.ok("GET", "/v1/cluster?what=qryxstats", query).body)
    found = [snapshot for snapshots in answer.values() for snapshot in snapshots]
    objects = sum(int(snapshot["stats"]["loc-objs"]) for snapshot in found)
    return {"idle": all(snapshot["is_idle"] for snapshot in found), "objects": objects}


@pytest.mark.parametrize("form", [{"strm": True}, {"strm": False}, {"strm": True, "mime": ".tgz"}])
def test_a_client_that_goes_away_ends_the_reading(wire: Wire, form: dict[str, Any]) -> None:
    count = 3000
    wire.ok("PUT", f"/v1/objects/{BUCKET}/zeros", bytes(1 << 20))
    ask(wire, [{"objname": "a.txt"}])
    before = batch_job(wire)["objects"]
    connection = begin(wire, **form, **{"in": [{"objname": "zeros"}] * count})
    deadline = time.monotonic() + 20
    while batch_job(wire)["objects"] == before:
        assert time.monotonic() < deadline
    connection.close()
    while not (state := batch_job(wire))["idle"]:
        assert time.monotonic() < deadline, state
    assert state["objects"] < before + count
