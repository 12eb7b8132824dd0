"""Running the server: the access log, nodes' logs, a graceful stop, folders of before."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wire import Wire

from aistore.local import LocalCluster

SECONDS = 20.0


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], Wire]]:
    """A server in the foreground, as from a shell."""
    command = [sys.executable, "-m", "aistore.local", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield process, Wire(process.stdout.readline().decode().strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def lines_of(file: Path, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SECONDS
    while file.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.02)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_access_log(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    with serving("--access-log", str(file)) as (_, wire):
        wire.create("b")
        secret = {"Authorization": "Bearer token-of-mine"}
        wire("PUT", "/v1/objects/b/o?X-Amz-Signature=signature-of-mine", b"12345", secret)
        wire("GET", "/v1/objects/b/o", None, secret)
        wire("GET", "/v1/objects/b/absent")
        found = lines_of(file, 7)
    assert "of-mine" not in file.read_text()
    assert all(
        set(line) == {"time", "node", "method", "path", "status", "bytes", "ms", "peer"} for line in found
    )
    assert [(line["method"], line["path"], line["status"]) for line in found] == [
        ("POST", "/v1/buckets/b", 200),
        ("PUT", "/v1/objects/b/o", 307),
        ("PUT", "/v1/objects/b/o", 200),
        ("GET", "/v1/objects/b/o", 301),
        ("GET", "/v1/objects/b/o", 200),
        ("GET", "/v1/objects/b/absent", 301),
        ("GET", "/v1/objects/b/absent", 404),
    ]
    assert found[4]["bytes"] == 5
    assert found[0]["node"].startswith("p[")
    assert found[2]["node"].startswith("t[")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[0]["time"])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", found[0]["peer"])
    assert found[0]["ms"] >= 0


def test_secrets_of_etls_are_not_logged(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    with serving("--access-log", str(file)) as (_, wire):
        wire("GET", "/v1/etl/_object/upper/secret-of-mine/ais/@%23/b/o")
        found = lines_of(file, 1)
    assert [line["path"] for line in found] == ["/v1/etl/_object/upper/***/ais/@%23/b/o"]


def test_access_log_on_standard_output() -> None:
    with serving("--access-log", "-") as (process, wire):
        wire("GET", "/v1/health")
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["path"] == "/v1/health"


def test_an_access_log_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aistore.local", "--port", "0", "--access-log", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1
    assert "the access log" in done.stderr


@contextmanager
def half_sent(wire: Wire) -> Iterator[socket.socket]:
    """A PUT of ten bytes that the server has begun to read and that lacks the last five."""
    smap = json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)
    [target] = [node["public_net"] for node in smap["tmap"].values()]
    address = (target["node_ip_addr"], int(target["daemon_port"]))
    with socket.create_connection(address, timeout=SECONDS) as sock:
        head = f"PUT /v1/objects/b/slow?pid=p&utm=1 HTTP/1.1\r\nHost: {address[0]}\r\nContent-Length: 10\r\n"
        sock.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(b"01234")
        yield sock


def test_requests_in_progress_end_before_the_server_does(tmp_path: Path) -> None:
    with serving("--dir", str(tmp_path)) as (process, wire):
        wire.create("b")
        with half_sent(wire) as sock:
            os.kill(process.pid, signal.SIGTERM)
            wait_until_refused(wire)
            sock.sendall(b"56789")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        assert process.wait(SECONDS) == 0
    with LocalCluster(dir=tmp_path) as cluster:
        assert Wire(cluster.endpoint).ok("GET", "/v1/objects/b/slow").body == b"0123456789"


def test_a_request_that_hangs_does_not_keep_the_server(tmp_path: Path) -> None:
    with serving("--dir", str(tmp_path)) as (process, wire):
        wire.create("b")
        with half_sent(wire):
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(SECONDS) == 0
    with LocalCluster(dir=tmp_path) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/objects/b/slow").status == 404


def wait_until_refused(wire: Wire) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            wire("GET", "/v1/health")
        except (OSError, http.client.HTTPException):
            return
        time.sleep(0.01)
    raise AssertionError("the server still takes requests")


def test_nodes_tell_their_log(wire: Wire) -> None:
    smap = json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)
    node = {"Ais-Node-Id": next(iter(smap["tmap"]))}
    text = wire("GET", "/v1/reverse/daemon?what=log&severity=info", None, node).body.decode()
    assert re.search(r"^I \d\d:\d\d:\d\d\.\d{6} server:\d+ aistore\.local .* at http://", text, re.MULTILINE)
    assert "I " not in wire("GET", "/v1/reverse/daemon?what=log&severity=error", None, node).body.decode()
    packed = wire("GET", "/v1/reverse/daemon?what=log&severity=info&all=true", None, node)
    assert packed.headers["content-type"] == "application/x-gzip"
    with tarfile.open(fileobj=io.BytesIO(packed.body)) as archive:
        [member] = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        assert file.read().decode().startswith(text[:20])


def test_a_folder_of_before_is_brought_up_to_date(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/o", b"kept")
    _make_older(tmp_path)
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert wire.ok("GET", "/v1/objects/b/o").body == b"kept"
        wire.ok("PUT", "/v1/objects/b/new", b"new")
        assert wire.ok("HEAD", "/s3/b/o").status == 200
        deadline = time.monotonic() + SECONDS
        while not list((tmp_path / "journal").glob("*.base")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    # From then on the catalog can be made again, old objects included.
    (tmp_path / "catalog.sqlite").unlink()
    command = [sys.executable, "-m", "aistore.local", "fsck", "--dir", str(tmp_path), "--repair"]
    assert subprocess.run(command, capture_output=True, timeout=SECONDS).returncode == 1
    with LocalCluster(dir=tmp_path) as cluster:
        assert Wire(cluster.endpoint).ok("GET", "/v1/objects/b/o").body == b"kept"


def _make_older(root: Path) -> None:
    """Take away what later versions added: columns of the catalog, and the journal."""
    conn = sqlite3.connect(root / "catalog.sqlite")
    for table, column in (("objects", "etag"), ("uploads", "custom"), ("parts", "md5")):
        conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    conn.execute("PRAGMA user_version = 1")
    conn.commit()
    conn.close()
    for file in (root / "journal").iterdir():
        file.unlink()


def test_connections_leave_files_to_those_that_are_connected() -> None:
    code = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
sys.argv = ["aistore.local", "--port", "0"]
runpy.run_module("aistore.local", run_name="__main__")
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().decode().strip()
        wire = Wire(endpoint)
        wire.create("b")
        first = wire("PUT", "/v1/objects/b/o", b"", follow=False).headers["location"]
        parts = urlsplit(first)
        host = (parts.hostname, parts.port)
        connection = http.client.HTTPConnection(*host, timeout=SECONDS)
        connection.connect()
        others = []
        for _ in range(250):
            other = socket.create_connection(host, timeout=SECONDS)
            others.append(other)
        connection.request("PUT", f"{parts.path}?{parts.query}", b"bytes")
        assert connection.getresponse().status == 200
        for other in others:
            other.close()
        connection.close()
        process.terminate()
        assert process.wait(SECONDS) == 0
