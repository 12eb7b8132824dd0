"""Jobs in whose middle the server is killed: they are aborted, and what they only began is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from shards import make_shard
from wire import Wire
from wire_dsort import info
from wire_jobs import get, names, put

from aistore.local import LocalCluster


@pytest.fixture
def stuck() -> Iterator[tuple[str, socket.socket]]:
    """Give a URL where somebody takes calls and never says anything, and where one sees who called."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(15)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/map", listening


def _begin(wire: Wire, url: str, listening: socket.socket) -> tuple[str, socket.socket]:
    """Start a sort that has made its bucket and waits for its key map."""
    wire.create("in")
    put(wire, "in", {"s-0.tar": make_shard(".tar", [("a.txt", b"1")])})
    spec = {
        "input_bck": {"name": "in"},
        "output_bck": {"name": "out"},
        "input_format": {"template": "s-{0..0}"},
        "input_extension": ".tar",
        "output_shard_size": "1KB",
        "ekm_file": url,
    }
    run = wire.ok("POST", "/v1/sort", spec).body.decode()
    return run, listening.accept()[0]


def _is_aborted(wire: Wire, run: str) -> bool:
    assert all(state["Metrics"]["aborted"] for state in info(wire, run).values())
    return bool(json.loads(wire.ok("GET", "/v1/cluster?what=status", {"id": run}).body)["aborted"])


def test_a_bucket_that_only_the_job_knew_is_gone(tmp_path: Path, stuck: tuple[str, socket.socket]) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        run, caller = _begin(wire, *stuck)
        assert wire("HEAD", "/v1/buckets/out").status == 200
        os.kill(cluster.pid, signal.SIGKILL)
    caller.close()
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert wire("HEAD", "/v1/buckets/out").status == 404
        assert _is_aborted(wire, run)
        assert names(wire, "in") == ["s-0.tar"]
        wire.create("out")
    with LocalCluster(dir=tmp_path) as cluster:
        assert Wire(cluster.endpoint)("HEAD", "/v1/buckets/out").status == 200


@pytest.mark.parametrize("hand", ["put", "create", "patch"])
def test_a_bucket_that_somebody_uses_stays(
    tmp_path: Path, stuck: tuple[str, socket.socket], hand: str
) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        _, caller = _begin(wire, *stuck)
        if hand == "put":
            put(wire, "out", {"mine": b"bytes"})
        elif hand == "create":
            assert wire("POST", "/v1/buckets/out", {"action": "create-bck"}).status == 409
        else:
            props = {"action": "set-bprops", "value": {"versioning": {"enabled": False}}}
            wire.ok("PATCH", "/v1/buckets/out", props)
        os.kill(cluster.pid, signal.SIGKILL)
    caller.close()
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert wire("HEAD", "/v1/buckets/out").status == 200
        if hand == "put":
            assert get(wire, "out", "mine") == b"bytes"


def test_results_of_a_finished_job_stay(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        with cluster.client() as client:
            empty = client.bucket("empty").create()
            assert client.job(empty.copy(client.bucket("copied"))).wait(timeout=15)
        os.kill(cluster.pid, signal.SIGKILL)
    with LocalCluster(dir=tmp_path) as cluster:
        assert Wire(cluster.endpoint)("HEAD", "/v1/buckets/copied").status == 200
