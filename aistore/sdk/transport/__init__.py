"""Connections, pool, HTTP/1.1 framing, redirects: how bytes travel. Internal to the SDK."""
