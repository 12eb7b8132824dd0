"""SIGKILL at random moments of uploads: what was acknowledged is there and right, nothing is partial."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import threading
import time
from pathlib import Path

import xxhash
from wire import Wire

from aistore.local import LocalCluster

KILLS = 20
WRITERS = 4
BUCKET = "crash"


def _content(name: str, version: int) -> bytes:
    """Bytes that tell which write they are of, of a size that depends on it."""
    seed = random.Random(f"{name}:{version}")
    return f"{name}:{version}:".encode() + seed.randbytes(seed.choice([0, 100, 5_000, 70_000, 1_500_000]))


class _Writers:
    """Threads that write objects over and over, and remember which writes were acknowledged."""

    def __init__(self, endpoint: str, first_version: int) -> None:
        self.acknowledged: dict[str, int] = {}
        self.attempted: dict[str, int] = {}
        self._wire = Wire(endpoint)
        self._stop = threading.Event()
        self._version = first_version
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        version = self._version
        while not self._stop.is_set():
            version += 1
            name = f"w{number}/o{version % 7}"
            self.attempted[name] = version
            try:
                answer = self._wire("PUT", f"/v1/objects/{BUCKET}/{name}", _content(name, version))
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                self.acknowledged[name] = version

    def join(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def _kill_after(cluster: LocalCluster, seconds: float) -> None:
    assert cluster.pid is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(cluster.pid, signal.SIGKILL)


def _check(wire: Wire, acknowledged: dict[str, int], attempted: dict[str, int]) -> None:
    for name, version in acknowledged.items():
        answer = wire.ok("GET", f"/v1/objects/{BUCKET}/{name}")
        found = re.match(rb"([^:]+):(\d+):", answer.body)
        assert found, name
        assert found.group(1).decode() == name
        got = int(found.group(2))
        # A write that was cut off may have become visible, whole; never an older one than was acknowledged.
        assert version <= got <= attempted[name]
        assert answer.body == _content(name, got)
        assert answer.headers["ais-checksum-value"] == xxhash.xxh64_hexdigest(answer.body)


def test_nothing_acknowledged_is_lost_and_nothing_is_torn(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    attempted: dict[str, int] = {}
    moments = random.Random(3)
    for round_number in range(KILLS):
        cluster = LocalCluster(targets=2, dir=tmp_path).start()
        try:
            wire = Wire(cluster.endpoint)
            wire.create(BUCKET)
            _check(wire, acknowledged, attempted)
            writers = _Writers(cluster.endpoint, first_version=round_number * 100_000)
            _kill_after(cluster, moments.uniform(0.005, 0.12))
            writers.join()
            acknowledged |= writers.acknowledged
            attempted |= writers.attempted
        finally:
            cluster.stop()
    with LocalCluster(targets=2, dir=tmp_path) as cluster:
        _check(Wire(cluster.endpoint), acknowledged, attempted)
    assert len(acknowledged) > WRITERS
    # A clean stop leaves only files that the catalog names: what crashes left behind is gone.
    with LocalCluster(targets=2, dir=tmp_path) as cluster:
        deadline = time.monotonic() + 20
        while _files(tmp_path) != _objects(Wire(cluster.endpoint)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _files(tmp_path) == _objects(Wire(cluster.endpoint))


def _files(root: Path) -> int:
    return sum(1 for path in root.glob("t*/*/*/*") if path.is_file())


def _objects(wire: Wire) -> int:
    listing = wire.ok("GET", f"/v1/buckets/{BUCKET}", {"action": "list", "value": {"pagesize": 1000}})
    return listing.body.count(b'"name":')
