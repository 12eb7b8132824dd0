"""The bounds of what requests may take: memory, connections, requests that wait."""

from __future__ import annotations

import json
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire import Wire

from aistore.local import LocalCluster

SECONDS = 20.0
MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def wire(cluster: LocalCluster) -> Wire:
    wire = Wire(cluster.endpoint)
    wire.create("b")
    wire.ok("PUT", "/v1/objects/b/o", b"bytes")
    return wire


def peak(cluster: LocalCluster) -> int:
    """The most memory that the server has had so far, in bytes."""
    status = Path(f"/proc/{cluster.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


VALUES = b"[" + b"[]," * 5_000_000 + b"[]]"  # 15 MB, of which lists would take 300


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/v1/buckets/b", b'{"action":"list","value":' + VALUES + b"}"),
        ("DELETE", "/v1/buckets/b", b'{"action":"delete-listrange","value":' + VALUES + b"}"),
        ("GET", "/v1/ml/moss/b", b'{"in":' + VALUES.replace(b"[],", b"{},") + b"}"),
        ("POST", "/v1/sort", VALUES),
        ("PUT", "/v1/etl", VALUES),
        ("PUT", "/v1/cluster", b'{"action":"set-config","value":' + VALUES + b"}"),
    ],
)
def test_json_that_is_small_and_takes_much_memory(
    cluster: LocalCluster, wire: Wire, method: str, target: str, body: bytes
) -> None:
    before = peak(cluster)
    answer = wire(method, target, body)
    assert answer.status == 413
    assert "values" in answer.error["message"]
    assert peak(cluster) - before < 100 * MIB


@pytest.mark.parametrize("target", ["/v1/buckets/b", "/v1/ml/moss/b", "/v1/cluster?what=status"])
def test_long_json(cluster: LocalCluster, wire: Wire, target: str) -> None:
    answer = wire("GET", target, b'{"action":"' + b"x" * (20 * MIB) + b'"}')
    assert answer.status == 413
    assert "the limit is 16777216 bytes" in answer.error["message"]


def test_readers_that_stall_take_little_memory(cluster: LocalCluster, wire: Wire) -> None:
    wire.ok("PUT", "/v1/objects/b/large", bytes(64 * MIB))
    moved = urlsplit(wire("GET", "/v1/objects/b/large", follow=False).headers["location"])
    head = f"GET {moved.path}?{moved.query} HTTP/1.1\r\nHost: {moved.netloc}\r\n\r\n".encode()
    before = peak(cluster)
    count = 150
    with ExitStack() as stack:
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((moved.hostname, moved.port), SECONDS))
            sock.sendall(head)
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        assert len(wire.ok("GET", "/v1/objects/b/large").body) == 64 * MIB
        assert peak(cluster) - before < count * MIB


def test_documents_that_stall_take_little_memory() -> None:
    target, length, count, most = "POST /s3/b?delete", 8 * MIB - 1000, 60, 240 * MIB
    with LocalCluster() as cluster, ExitStack() as stack:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        before = peak(cluster)
        address = urlsplit(cluster.endpoint)
        head = f"{target} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {8 * MIB}\r\n\r\n".encode()
        left: dict[socket.socket, int] = {}
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((address.hostname, address.port), SECONDS))
            sock.sendall(head)
            sock.setblocking(False)
            left[sock] = length
        # Until everything is sent, or the server reads no more.
        while ready := select.select([], [sock for sock in left if left[sock]], [], 0.5)[1]:
            for sock in ready:
                left[sock] -= sock.send(bytes(min(left[sock], MIB)))
        wire.ok("PUT", "/v1/objects/b/o", b"bytes")
        assert peak(cluster) - before < most


def test_batches_that_nobody_fetches_block_nobody(wire: Wire) -> None:
    request = {"in": [{"objname": "o"}], "mime": ".tar", "strm": True}
    moved = [wire("GET", "/v1/ml/moss/b", request, follow=False) for _ in range(300)]
    assert {answer.status for answer in moved} == {307}
    assert b"bytes" in wire.ok("GET", "/v1/ml/moss/b", request).body
    # The oldest were forgotten, the newest not.
    for answer, status in ((moved[0], 404), (moved[-1], 200)):
        parts = urlsplit(answer.headers["location"])
        fetched = wire("GET", f"{parts.path}?{parts.query}", base=f"http://{parts.netloc}")
        assert fetched.status == status


# ---- connections


def connect(url: str, source: str = "127.0.0.1") -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), SECONDS, source_address=(source, 0))


def test_tls_connections_count_before_they_say_anything() -> None:
    with LocalCluster(tls=True, max_connections=5) as cluster, ExitStack() as silent:
        for _ in range(5):
            silent.enter_context(connect(cluster.endpoint))
        with connect(cluster.endpoint) as refused:
            assert refused.recv(1) == b""
        silent.close()
        wire = Wire(cluster.endpoint, cluster.ca_file)
        deadline = SECONDS
        while deadline > 0:  # until the server has seen that they are closed
            try:
                assert wire("GET", "/v1/health").status == 200
            except (ssl.SSLError, OSError):
                deadline -= 0.01
            else:
                break


@pytest.mark.parametrize("tls", [False, True])
def test_one_client_does_not_get_all_connections(tls: bool) -> None:
    with LocalCluster(max_connections=6, tls=tls) as cluster, ExitStack() as greedy:
        held = [greedy.enter_context(connect(cluster.endpoint)) for _ in range(6)]
        with connect(cluster.endpoint, "127.0.0.2") as other:
            if tls:
                context = ssl.create_default_context(cafile=cluster.ca_file)
                other = context.wrap_socket(other, server_hostname="localhost")
            other.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200")
            assert held[0].recv(1) == b""  # the oldest of the client that has the most
            other.close()


# ---- dSort


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("^r$\tout-{0..9}\n" * 20_001, "more than 20000 rules"),
        ("^r$\tout-{0..9}\n" * 300_000, "longer than 4194304 bytes"),
        (f"^{'x' * 5000}$\tout-{{0..9}}\n", "at most 4096 are compiled"),
    ],
)
def test_key_maps(wire: Wire, lines: str, message: str) -> None:
    wire.ok("PUT", "/v1/objects/b/map", lines.encode())
    wire.ok("PUT", "/v1/objects/b/in-0.tar", bytes(1024))
    spec = {
        "input_bck": {"name": "b"},
        "input_format": {"template": "in-{0..0}"},
        "input_extension": ".tar",
        "output_shard_size": "1KB",
        "ekm_file": f"{wire.endpoint}/v1/objects/b/map",
        "ekm_file_sep": "\t",
    }
    run = wire.ok("POST", "/v1/sort", spec).body.decode()
    query = {"id": run, "kind": "dsort"}
    while not (status := json.loads(wire.ok("GET", "/v1/cluster?what=status", query).body))["end_time"]:
        pass
    assert message in status["err"]


# ---- numbers and texts that are kept

LONG = "9" * 5000


def message(action: str, **value: str) -> str:
    return json.dumps({"action": action, "value": value})


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "status"),
    [
        ("GET", "/v1/buckets/b", message("list", flags="²"), {}, 400),
        ("DELETE", "/v1/buckets/b", message("delete-listrange", template=f"{{0..{LONG}}}"), {}, 400),
        ("DELETE", "/v1/buckets/b", message("delete-listrange", template="{0..1}" * 20_000), {}, 400),
        ("DELETE", "/v1/buckets/b", message("delete-listrange", template="{0..0}" * 20_000), {}, 400),
        ("PATCH", "/v1/buckets/b", message("set-bprops", features=LONG), {}, 400),
        ("POST", "/v1/buckets/b", json.dumps({"action": "make-n-copies", "value": LONG}), {}, 400),
        ("GET", "/v1/objects/b/o", "", {"Range": f"bytes=0-{LONG}"}, 206),
        ("GET", "/v1/objects/b/o", "", {"Range": f"bytes=-{LONG}"}, 206),
        ("GET", "/v1/objects/b/o", "", {"Range": f"bytes={LONG}-"}, 416),
        ("PUT", "/v1/objects/b/n.tar?archpath=m", "x", {"Ais-Pine": "\xb2"}, 400),
        ("PUT", "/v1/objects/b/n", "x", {"Ais-Custom-Md": b"k=\xb2"}, 400),
        ("DELETE", "/s3/b/o?uploadId=%ff", "", {}, 404),
        ("GET", "/s3/b?uploads&key-marker=a&upload-id-marker=%ff", "", {}, 200),
    ],
)
def test_odd_numbers_and_bytes_have_their_response(
    wire: Wire, method: str, target: str, body: str, headers: dict[str, Any], status: int
) -> None:
    answer = wire(method, target, body.encode(), headers)
    assert answer.status == status, answer.body[:200]


@pytest.mark.parametrize(
    ("method", "target", "action", "value"),
    [
        ("PATCH", "/v1/buckets/b", "set-bprops", {"extra": {"aws": {"endpoint": "x" * 40_000}}}),
        ("PATCH", "/v1/buckets/b", "set-bprops", {"lru": {"dont_evict_time": "x" * 40_000}}),
        ("PUT", "/v1/cluster", "set-config", {"log": {"level": "x" * 40_000}}),
        ("POST", "/v1/buckets/c?namespace=%23" + "n" * 40_000, "create-bck", None),
    ],
)
def test_what_is_kept_in_memory_is_short(
    wire: Wire, method: str, target: str, action: str, value: object
) -> None:
    answer = wire(method, target, {"action": action, "value": value})
    assert answer.status == 400, answer.body[:200]
    assert b"too long" in answer.body[-200:]
