"""The server; it talks over standard input and output. The cluster is the one at `AIS_ENDPOINT`."""

from __future__ import annotations

import os
from functools import lru_cache

from aistore.mcp.tools.buckets import register_bucket_tools
from aistore.mcp.tools.cluster import register_cluster_tools
from aistore.mcp.tools.jobs import register_job_tools
from aistore.mcp.tools.registry import of_mcp
from aistore.sdk.client import AIS_ENDPOINT, Client

DEFAULT_ENDPOINT = "http://localhost:8080"

mcp = of_mcp(("mcp.server", "MCPServer"), ("mcp.server.fastmcp", "FastMCP"))("aistore")


@lru_cache(maxsize=1)
def _client() -> Client:
    return Client(os.environ.get(AIS_ENDPOINT) or DEFAULT_ENDPOINT)


register_cluster_tools(mcp, _client)
register_bucket_tools(mcp, _client)
register_job_tools(mcp, _client)


def main() -> None:
    """Serve until the other side closes its end."""
    mcp.run()


if __name__ == "__main__":
    main()
