"""`/v1/health`: is the node up (protocol/01)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aistore.local.api.registry import Noun
from aistore.local.api.response import Response, json_response

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.state import State

HEALTHY = 6


def cluster_info(req: Request) -> dict[str, Any]:
    """State of a node as other nodes see it: versions of what the cluster agrees on."""
    state = req.state
    proxy = state.nodes.proxy
    url = req.url_of(proxy)
    uuid = state.nodes.uuid
    return {
        "smap": {
            "Primary": {"pub_url": url, "control_url": url, "id": proxy.id},
            "uuid": uuid,
            "version": str(state.nodes.version),
        },
        "bmd": {"uuid": uuid, "version": str(state.catalog.buckets.version)},
        "rmd": {"version": "0"},
        "config": {"version": "0"},
        "etlmd": {"version": "0"},
        "flags": HEALTHY,
    }


async def _health(req: Request) -> Response:
    wants_info = req.flag("cii") or req.flag("cii-apr")
    response = json_response(cluster_info(req)) if wants_info else Response()
    if req.node.is_proxy:
        uptime = str(time.time_ns() - req.state.started)
        response.headers += [("Ais-Cluster-Uptime", uptime), ("Ais-Node-Uptime", uptime)]
    return response


def register(state: State) -> None:
    """Add the route."""
    state.registry.nouns["health"] = Noun(_health, "GET, HEAD, POST")
