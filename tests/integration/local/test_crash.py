"""SIGKILL at random moments of a mixed load: what was acknowledged is there and right, nothing is partial.

`AIS_TEST_KILLS` sets the number of kills (default 20).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import xxhash
from wire import Answer, Wire

from aistore.local import LocalCluster

KILLS = int(os.environ.get("AIS_TEST_KILLS", "20"))
WRITERS = 4
NAMES = 7
BUCKET = "crash"


def _content(name: str, version: int) -> bytes:
    """Bytes that tell which write they are of, of a size that depends on it."""
    seed = random.Random(f"{name}:{version}")
    return f"{name}:{version}:".encode() + seed.randbytes(seed.choice([0, 100, 5_000, 70_000, 600_000]))


class _Gone(Exception):
    """The server was killed."""


class _Known:
    """What is known of one object: which write it must have at least, which it may have.

    Attributes:
        least: Version of the newest write that was acknowledged; 0 if the object must not be there.
        newest: Version of the newest write that was begun.
        maybe_gone: A delete was begun and not acknowledged.
    """

    def __init__(self) -> None:
        self.least = 0
        self.newest = 0
        self.maybe_gone = True


class _Writer(threading.Thread):
    """Changes objects of its own, in all ways there are, until the server is gone."""

    def __init__(self, endpoint: str, number: int, version: int, known: dict[str, _Known]) -> None:
        super().__init__()
        self._wire = Wire(endpoint)
        self._number = number
        self._version = version
        self._known = known
        self._random = random.Random(f"{number}:{version}")
        self.changes = 0

    def run(self) -> None:
        ways = (self.put, self.put, self.multipart, self.append, self.copy, self.remove)
        try:
            while True:
                self._version += 1
                name = f"w{self._number}/o{self._random.randrange(NAMES)}"
                self._random.choice(ways)(name, self._known.setdefault(name, _Known()))
                self.changes += 1
        except _Gone:
            pass

    def send(self, method: str, name: str, body: object = None, query: str = "") -> Answer:
        try:
            answer = self._wire(method, f"/v1/objects/{BUCKET}/{name}{query}", body)
        except (OSError, http.client.HTTPException) as err:
            raise _Gone from err
        assert answer.status == 200 or (answer.status == 404 and method == "DELETE"), answer
        return answer

    def written(self, known: _Known) -> None:
        known.least = self._version
        known.maybe_gone = False

    def put(self, name: str, known: _Known) -> None:
        known.newest = self._version
        self.send("PUT", name, _content(name, self._version))
        self.written(known)

    def multipart(self, name: str, known: _Known) -> None:
        data = _content(name, self._version)
        upload = self.send("POST", name, {"action": "mpt-upload"}).body.decode()
        half = len(data) // 2
        self.send("PUT", name, data[half:], f"?uploadId={upload}&partNumber=2")
        self.send("PUT", name, data[:half], f"?uploadId={upload}&partNumber=1")
        known.newest = self._version
        parts = [{"part-number": 1, "etag": ""}, {"part-number": 2, "etag": ""}]
        self.send("POST", name, {"action": "mpt-complete", "value": parts}, f"?uploadId={upload}")
        self.written(known)

    def append(self, name: str, known: _Known) -> None:
        # Appending to an object that exists goes on after its bytes.
        self.remove(name, known)
        data = _content(name, self._version)
        handle = ""
        for start in range(0, len(data), 300_000):
            piece = data[start : start + 300_000]
            answer = self.send("PUT", name, piece, f"?append_type=append&append_handle={handle}")
            handle = quote(answer.headers["ais-append-handle"], safe="")
        known.newest = self._version
        self.send("PUT", name, b"", f"?append_type=flush&append_handle={handle}")
        self.written(known)

    def copy(self, name: str, known: _Known) -> None:
        source = f"w{self._number}/source"
        self.send("PUT", source, _content(name, self._version))
        known.newest = self._version
        self.send("PUT", source, None, f"?object_to=ais%2F%40%23%2F{BUCKET}%2F{name.replace('/', '%2F')}")
        self.written(known)

    def remove(self, name: str, known: _Known) -> None:
        known.maybe_gone = True
        self.send("DELETE", name)
        known.least = 0


def _kill_after(cluster: LocalCluster, seconds: float) -> None:
    assert cluster.pid is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(cluster.pid, signal.SIGKILL)


def _check(wire: Wire, everything: dict[str, _Known]) -> None:
    for name, known in everything.items():
        answer = wire("GET", f"/v1/objects/{BUCKET}/{name}")
        if answer.status == 404:
            assert known.maybe_gone, (name, known.least)
            known.least = known.newest = 0
            continue
        assert answer.status == 200, answer
        found = re.match(rb"([^:]+):(\d+):", answer.body)
        assert found, name
        assert found.group(1).decode() == name
        got = int(found.group(2))
        # A write that was cut off may have become visible, whole; never an older one than was acknowledged.
        assert max(1, known.least) <= got <= known.newest, (name, known.least, got, known.newest)
        assert answer.body == _content(name, got)
        assert answer.headers["ais-checksum-value"] == xxhash.xxh64_hexdigest(answer.body)
        known.least = known.newest = got
        known.maybe_gone = False


def _fsck(root: Path) -> None:
    command = [sys.executable, "-m", "aistore.local", "fsck", "--json", "--dir", root]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["problems"] == []


@pytest.mark.timeout(60 + 3 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_is_torn(tmp_path: Path) -> None:
    everything: dict[str, _Known] = {}
    moments = random.Random(3)
    changes = 0
    for round_number in range(KILLS):
        cluster = LocalCluster(targets=2, dir=tmp_path).start()
        try:
            wire = Wire(cluster.endpoint)
            wire.create(BUCKET)
            _check(wire, everything)
            first = (round_number + 1) * 100_000
            writers = [_Writer(cluster.endpoint, n, first, everything) for n in range(WRITERS)]
            for writer in writers:
                writer.start()
            _kill_after(cluster, moments.uniform(0.005, 0.15))
            for writer in writers:
                writer.join(30)
                assert not writer.is_alive()
                changes += writer.changes
        finally:
            cluster.stop()
        if round_number % 10 == 0:
            _fsck(tmp_path)
    assert changes > KILLS
    _fsck(tmp_path)
    # What crashes left behind goes away: in the end there are only files that the catalog names.
    with LocalCluster(targets=2, dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        _check(wire, everything)
    _fsck(tmp_path)
