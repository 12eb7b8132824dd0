"""`/metrics` in the Prometheus text format, at every node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local import node_info
from aistore.local.api.registry import Noun
from aistore.local.api.response import Response

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.state import State

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SUFFIXES = {".n": "count", ".size": "bytes_total", ".ns.total": "ns_total"}
_HELP = {"count": "number of requests", "bytes_total": "bytes", "ns_total": "nanoseconds spent on requests"}


def _name(counter: str, kind: str) -> tuple[str, str]:
    """(metric name, help text) of a counter."""
    for suffix, unit in _SUFFIXES.items():
        if counter.endswith(suffix):
            base = counter.removesuffix(suffix)
            return f"ais_{kind}_{base.replace('.', '_')}_{unit}", f"{base}: {_HELP[unit]}"
    return f"ais_{kind}_{counter.replace('.', '_')}", counter


async def _metrics(req: Request) -> Response:
    node = req.node
    lines = []
    for counter, value in node_info.tracker(req.state, node).items():
        name, text = _name(counter, node.kind)
        kind = "gauge" if counter in {"state.flags", "up.ns.time"} else "counter"
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f'{name}{{node_id="{node.id}"}} {value}']
    return Response(200, ("\n".join(lines) + "\n").encode(), content_type=_TYPE)


def register(state: State) -> None:
    """Add the route."""
    state.registry.roots["metrics"] = Noun(_metrics, "GET, HEAD")
