"""The quota over SIGKILL and restarts, and for bytes that Get-Batch and dSort keep on the disk meanwhile."""

from __future__ import annotations

import http.client
import os
import signal
import time
from pathlib import Path

import pytest
from shards import make_shard
from wire import Wire
from wire_dsort import over
from wire_jobs import names

from aistore.local import LocalCluster

MIB = 1 << 20


def on_disk(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("t*/*/*/*"))


def fill(wire: Wire, size: int) -> int:
    """Put objects until the quota is used up; returns how many were acknowledged."""
    for number in range(1000):
        answer = wire("PUT", f"/v1/objects/b/fill-{number}", b"x" * size)
        if answer.status != 200:
            assert answer.error["tcode"] == "ErrCapExceeded", answer
            return number
    raise AssertionError("the quota was never used up")


def cut_off(cluster: LocalCluster, size: int) -> None:
    """Kill the server while it has some of an object's bytes on the disk."""
    root = Path(cluster.dir)
    before = on_disk(root)
    target = Wire(cluster.endpoint)("PUT", "/v1/objects/b/torn", b"", follow=False).headers["location"]
    host, _, path = target.removeprefix("http://").partition("/")
    conn = http.client.HTTPConnection(host, timeout=20)
    conn.putrequest("PUT", f"/{path}")
    conn.putheader("Content-Length", str(2 * size))
    conn.endheaders(b"x" * size)
    deadline = time.monotonic() + 20
    while on_disk(root) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert cluster.pid is not None
    os.kill(cluster.pid, signal.SIGKILL)
    conn.close()


def test_it_is_exact_after_kills_and_restarts(tmp_path: Path) -> None:
    quota = 8 * MIB
    for _ in range(4):
        with LocalCluster(dir=tmp_path, quota=quota) as cluster:
            wire = Wire(cluster.endpoint)
            wire.create("b")
            fill(wire, MIB)
            assert on_disk(tmp_path) <= quota
            for name in names(wire, "b"):
                wire.ok("DELETE", f"/v1/objects/b/{name}")
                wire.ok("PUT", "/v1/objects/b/other", b"y" * 1000)
            wire.ok("PUT", "/v1/objects/b/kept", b"k" * MIB)
            cut_off(cluster, 2 * MIB)
    with LocalCluster(dir=tmp_path, quota=quota) as cluster:
        wire = Wire(cluster.endpoint)
        for name in names(wire, "b"):
            wire.ok("DELETE", f"/v1/objects/b/{name}")
        # All of it can be had again, to the last byte: what the kills left is gone when this is answered.
        deadline = time.monotonic() + 20
        while wire("PUT", "/v1/objects/b/whole", b"x" * quota).status != 200:
            assert time.monotonic() < deadline
        assert wire("PUT", "/v1/objects/b/more", b"x").status == 507
        assert on_disk(tmp_path) == quota


def test_an_unstreamed_batch_has_no_more_room_than_an_object() -> None:
    with LocalCluster(quota=24 * MIB) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/o", b"x" * (10 * MIB))
        message = {"in": [{"objname": "o"}, {"objname": "o"}], "strm": False}
        answer = wire("GET", "/v1/ml/moss/b", message)
        assert answer.status == 507, answer.status
        assert answer.error["tcode"] == "ErrCapExceeded"
        # What does fit is served, and gives its room back.
        for _ in range(3):
            wire.ok("GET", "/v1/ml/moss/b", {"in": [{"objname": "o"}], "strm": False})
        wire.ok("PUT", "/v1/objects/b/more", b"x" * (14 * MIB))
        assert wire("PUT", "/v1/objects/b/p", b"x").status == 507


@pytest.mark.parametrize("memory", ["1KB", "80%"])
def test_dsort_has_no_more_room_than_an_object(memory: str) -> None:
    members = [(f"{number:04}.bin", bytes(64 << 10)) for number in range(100)]
    with LocalCluster(quota=4 * MIB) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/in-0.tgz", make_shard(".tgz", members))
        spec = {
            "input_bck": {"name": "b"},
            "input_format": {"template": "in-{0..0}"},
            "input_extension": ".tgz",
            "output_bck": {"name": "b"},
            "output_extension": ".tar",
            "output_format": "out-{00..99}",
            "output_shard_size": "1MB",
            "max_mem_usage": memory,
        }
        run_id = wire.ok("POST", "/v1/sort", spec).body.decode()
        [state] = over(wire, run_id).values()
        assert any("out of space" in error for error in state["Metrics"]["errors"]), state
        assert names(wire, "b") == ["in-0.tgz"]
        wire.ok("DELETE", "/v1/objects/b/in-0.tgz")
        wire.ok("PUT", "/v1/objects/b/whole", bytes(4 * MIB))
