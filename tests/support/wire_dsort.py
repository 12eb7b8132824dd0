"""Runs of dSort by raw requests."""

from __future__ import annotations

import json
import time
from typing import Any

from wire import Wire
from wire_jobs import SECONDS


def info(wire: Wire, run_id: str) -> dict[str, Any]:
    """The state by target."""
    return json.loads(wire.ok("GET", f"/v1/sort?uuid={run_id}").body)


def over(wire: Wire, run_id: str) -> dict[str, Any]:
    """The state by target once the run is over."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = info(wire, run_id)
        if all(state["archived"] for state in found.values()):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
