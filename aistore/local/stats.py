"""Counters of requests, errors, bytes and latencies, by node and kind of request."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aistore.local.api.request import Request

_OBJECT_KINDS = {
    "GET": "get",
    "PUT": "put",
    "HEAD": "head",
    "DELETE": "del",
    "POST": "post",
    "PATCH": "patch",
}


class Stats:
    """Counts since the start, named as in the cluster's trackers: `get.n`, `get.ns.total`, `err.get.n`."""

    def __init__(self) -> None:
        self._nodes: dict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def record(self, req: Request, status: int, elapsed_ns: int) -> None:
        """Count one answered request."""
        noun = req.parts[0] if req.parts else ""
        if req.path.startswith("/s3/"):
            noun = "objects" if any(req.parts[1:]) else "buckets"
        if noun == "objects":
            kind = _OBJECT_KINDS.get(req.method, "other")
        elif noun == "buckets" and req.method == "GET":
            kind = "lst"
        else:
            return
        counters = self._nodes[req.node.id]
        counters[f"{kind}.n"] += 1
        counters[f"{kind}.ns.total"] += elapsed_ns
        if status >= 400:
            counters[f"err.{kind}.n"] += 1

    def add(self, node_id: str, name: str, value: int) -> None:
        """Add to a counter."""
        self._nodes[node_id][name] += value

    def node(self, node_id: str) -> dict[str, int]:
        """A node's counters."""
        return dict(self._nodes[node_id])

    def reset(self, *, errors_only: bool = False) -> None:
        """Start counting again."""
        for counters in self._nodes.values():
            for name in list(counters):
                if not errors_only or name.startswith("err."):
                    del counters[name]
