"""What raw requests about objects and jobs have in common."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from wire import Wire

RUN_MARK = f"of-test-run-{os.getpid()}"
"""In the command lines of this run's processes: other runs on this machine start the same commands."""
COMMAND = [sys.executable, str(Path(__file__).with_name("command_server.py")), "0.0.0.0:8000", RUN_MARK]
"""Starts a small ETL server that is no class of this package."""
SECONDS = 20.0


def quote_bck(name: str) -> str:
    return f"ais%2F%40%23%2F{name}%2F"


def put(wire: Wire, bucket: str, objects: dict[str, bytes]) -> None:
    for name, data in objects.items():
        wire.ok("PUT", f"/v1/objects/{bucket}/{name}", data)


def names(wire: Wire, bucket: str) -> list[str]:
    body = wire.ok(
        "GET", f"/v1/buckets/{bucket}", {"action": "list", "value": {}}, {"Accept": "application/json"}
    ).body
    return [entry["name"] for entry in json.loads(body)["entries"] or []]


def get(wire: Wire, bucket: str, name: str) -> bytes:
    return wire.ok("GET", f"/v1/objects/{bucket}/{name}").body


def act(wire: Wire, method: str, bucket: str, action: str, value: Any, query: str = "") -> Any:
    return wire(method, f"/v1/buckets/{bucket}{query}", {"action": action, "value": value})


def ended(wire: Wire, job_id: str) -> dict[str, Any]:
    """The job's status once it has ended."""
    deadline = time.monotonic() + SECONDS
    while True:
        status = json.loads(wire.ok("GET", "/v1/cluster?what=status", {"id": job_id}).body)
        if status["end_time"]:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


def run(wire: Wire, method: str, bucket: str, action: str, value: Any, query: str = "") -> dict[str, Any]:
    answer = act(wire, method, bucket, action, value, query)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return ended(wire, answer.body.decode())
