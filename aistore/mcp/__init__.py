"""Model Context Protocol server looking at a cluster (extra `mcp`): `python -m aistore.mcp.server`."""
