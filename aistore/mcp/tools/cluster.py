"""Tools that look at the cluster as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aistore.mcp.tools.registry import reading_tool, to_json
from aistore.sdk.errors import SDKError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from aistore.sdk.client import Client
    from aistore.sdk.models.cluster import Snode


def register_cluster_tools(mcp: MCPServer, get_client: Callable[[], Client]) -> None:
    """Add the tools for health, map and load of the cluster.

    Args:
        mcp: The server.
        get_client: Returns the client to use.
    """

    @reading_tool(mcp)
    def ais_cluster_health() -> str:
        """Whether the cluster is healthy: readiness, version of its map, targets, proxies, primary."""
        cluster = get_client().cluster()
        ready = cluster.is_ready()
        try:
            smap = cluster.get_info()
        except SDKError as err:
            return to_json({"status": "unhealthy", "ready": ready, "error": str(err)})
        return to_json(
            {
                "status": "healthy" if ready else "unhealthy",
                "ready": ready,
                "uuid": smap.uuid,
                "version": smap.version,
                "targets": _nodes(smap.tmap),
                "proxies": _nodes(smap.pmap),
                "primary_proxy": _node(smap.proxy_si),
            }
        )

    @reading_tool(mcp)
    def ais_cluster_info() -> str:
        """The whole cluster map: every node with its networks and flags."""
        return to_json(get_client().cluster().get_info())

    @reading_tool(mcp)
    def ais_cluster_performance() -> str:
        """Statistics and state of every target: throughput, latency, errors, capacity."""
        return to_json(get_client().cluster().get_performance())

    @reading_tool(mcp)
    def ais_is_ready() -> str:
        """Whether the cluster is up and done with rebalancing, and at which endpoint it was asked."""
        client = get_client()
        answer: dict[str, Any] = {"ready": False, "endpoint": client.cluster().client.base_url}
        try:
            answer["ready"] = client.cluster().is_ready()
        except Exception as err:  # noqa: BLE001 - as in 2.0.0, every failure is in the JSON
            answer["error"] = str(err)
        return to_json(answer)


def _nodes(nodes: Mapping[str, Snode]) -> dict[str, Any]:
    return {"count": len(nodes), "nodes": [_node(node) for node in nodes.values()]}


def _node(node: Snode | None) -> dict[str, str] | None:
    if node is None:
        return None
    return {"id": node.daemon_id, "url": node.public_net.direct_url if node.public_net else ""}
