"""What one client asks for holds up no other, ends with its client, and never the server's stop."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bombs import bomb
from etl_classes import Hangs, UpperThreaded
from wire import Wire

from aistore.local import LocalCluster
from aistore.sdk.etl import ETLConfig

SECONDS = 20.0
MANY = 20
"""More than there are threads for work of one kind."""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def target_of(wire: Wire) -> str:
    smap = json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)
    [node] = smap["tmap"].values()
    return str(node["public_net"]["direct_url"])


@contextmanager
def asking(
    url: str, target: str, body: bytes = b"", count: int = MANY, method: str = "GET"
) -> Iterator[list[socket.socket]]:
    """Clients that have sent a request and wait."""
    parts = urlsplit(url)
    head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n"
    head += "Ais-Pine: 1\r\n\r\n"  # an archive is appended to, not replaced
    with ExitStack() as stack:
        socks = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((parts.hostname, parts.port), SECONDS))
            sock.sendall(head.encode() + body)
            socks.append(sock)
        yield socks


def small_tgz() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("member")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"bytes"))
    return out.getvalue()


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def wire(cluster: LocalCluster) -> Wire:
    wire = Wire(cluster.endpoint)
    wire.create("b")
    wire.ok("PUT", "/v1/objects/b/bomb.tgz", bomb())
    wire.ok("PUT", "/v1/objects/b/grows.tgz", bomb())
    wire.ok("PUT", "/v1/objects/b/small.tgz", small_tgz())
    wire.create("listed")
    wire.ok("PUT", "/v1/objects/listed/bomb.tgz", bomb())
    return wire


LISTING = json.dumps({"action": "list", "value": {"flags": "8"}}).encode()
BATCH = {"in": [{"objname": "bomb.tgz", "archpath": "missing"}], "mime": ".tar"}

SLOW = {
    "a member that is not there": ("GET", "/v1/objects/b/bomb.tgz?archpath=missing", b""),
    "members that match": ("GET", "/v1/objects/b/bomb.tgz?archmode=prefix&archregx=missing", b""),
    "a listing with members": ("GET", "/v1/buckets/listed", LISTING),
    "an append": ("PUT", "/v1/objects/b/grows.tgz?archpath=new&pid=p&utm=1", b"member"),
}


@pytest.mark.parametrize("what", SLOW)
def test_long_work_holds_up_nobody_else(wire: Wire, what: str) -> None:
    method, target, body = SLOW[what]
    url = wire.endpoint if target.startswith("/v1/buckets") else target_of(wire)
    with asking(url, target, body, method=method):
        # What needs a thread of the disk's.
        wire.ok("PUT", "/v1/objects/b/large", bytes(3 << 20))
        assert len(wire.ok("GET", "/v1/objects/b/large").body) == 3 << 20
    # The clients are gone; with their work ended, archives are read again.
    assert wire.ok("GET", "/v1/objects/b/small.tgz?archpath=member").body == b"bytes"


@pytest.mark.parametrize("streaming", [True, False])
def test_a_batch_holds_up_nobody_else(wire: Wire, streaming: bool) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            request = json.dumps({**BATCH, "strm": streaming}).encode()
            moved = wire("GET", "/v1/ml/moss/b", request, follow=False).headers["location"]
            parts = urlsplit(moved)
            stack.enter_context(asking(moved, f"{parts.path}?{parts.query}", count=1))
        wire.ok("PUT", "/v1/objects/b/large", bytes(3 << 20))
        assert wire.ok("GET", "/v1/objects/b/small.tgz?archpath=member").body == b"bytes"
    batch = {"in": [{"objname": "small.tgz", "archpath": "member"}], "mime": ".tar", "strm": streaming}
    assert b"bytes" in wire.ok("GET", "/v1/ml/moss/b", batch).body


def test_readers_of_batches_that_stall_hold_no_thread(wire: Wire) -> None:
    wire.ok("PUT", "/v1/objects/b/wide", bytes(32 << 20))
    request = json.dumps({"in": [{"objname": "wide"}], "mime": ".tar", "strm": True}).encode()
    with ExitStack() as stack:
        for _ in range(MANY):
            moved = urlsplit(wire("GET", "/v1/ml/moss/b", request, follow=False).headers["location"])
            sent = asking(f"http://{moved.netloc}", f"{moved.path}?{moved.query}", count=1)
            [sock] = stack.enter_context(sent)
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        batch = {"in": [{"objname": "small.tgz", "archpath": "member"}], "mime": ".tar", "strm": True}
        assert b"bytes" in wire.ok("GET", "/v1/ml/moss/b", batch).body


def test_a_client_that_has_closed_its_half_gets_its_response(wire: Wire) -> None:
    with asking(target_of(wire), "/v1/objects/b/small.tgz?archpath=member", count=1) as [sock]:
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while data := sock.recv(1000):
            received += data
    assert received.endswith(b"\r\n\r\nbytes")


# ---- ETLs


@pytest.fixture(scope="module")
def etls(cluster: LocalCluster, wire: Wire) -> Iterator[Wire]:
    client = cluster.client()
    for name, kind in (("hanging", Hangs), ("shouting", UpperThreaded)):
        client.etl(name).init_class()(kind)
    wire.ok("PUT", "/v1/objects/b/o", b"text")
    yield wire
    for name in ("hanging", "shouting"):
        client.etl(name).delete()


def test_an_etl_that_hangs_holds_up_neither_others_nor_its_own_stop(
    cluster: LocalCluster, etls: Wire
) -> None:
    client = cluster.client()
    obj = client.bucket("b").object("o")
    with asking(target_of(etls), "/v1/objects/b/o?etl_name=hanging", count=70) as socks:
        assert obj.get_reader(etl=ETLConfig("shouting")).read_all() == b"TEXT"
        jobs = [
            client.bucket("b").transform("hanging", client.bucket(f"to{n}"), prefix_filter="o")
            for n in range(3)
        ]
        made = client.bucket("b").copy(client.bucket("copied"), prefix_filter="o")
        client.job(made).wait(SECONDS)
        shouted = client.bucket("b").transform("shouting", client.bucket("shouted"), prefix_filter="o")
        client.job(shouted).wait(SECONDS)
        assert client.bucket("shouted").object("o").get_reader().read_all() == b"TEXT"
        client.etl("hanging").stop()
        for job in jobs:
            wait_until(lambda job=job: client.job(job).status().aborted)  # type: ignore[misc]
        assert all(sock.recv(100).startswith(b"HTTP/1.1 500") for sock in socks)


# ---- stopping


@contextmanager
def serving(*options: str, code: str = "") -> Iterator[tuple[subprocess.Popen[bytes], Wire]]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "aistore.local"]
    process = subprocess.Popen(
        [*command, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        yield process, Wire(process.stdout.readline().decode().strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_stop_waits_for_no_long_work(tmp_path: Path) -> None:
    with serving("--dir", str(tmp_path)) as (process, wire):
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/bomb.tgz", bomb())
        with asking(target_of(wire), "/v1/objects/b/bomb.tgz?archpath=missing"):
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(SECONDS) == 0


STUCK = """
import sys, threading
from aistore.local import __main__, state

state.State.close = lambda self: threading.Event().wait()
sys.exit(__main__.main())
"""


def test_a_stop_that_hangs_ends_all_the_same() -> None:
    """As when a system call of a thread never returns; a temporary folder goes all the same."""
    with serving(code=STUCK) as (process, wire):
        folder = Path(json.loads(wire.ok("GET", "/v1/daemon?what=config").body)["confdir"])
        assert folder.is_dir()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        wait_until(lambda: not folder.exists())
