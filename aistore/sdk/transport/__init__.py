"""Connections, pool, HTTP/1.1 framing, redirects: how bytes travel. Internal to the SDK."""

from aistore.sdk.transport.body import Body
from aistore.sdk.transport.call import Call
from aistore.sdk.transport.response import Response
from aistore.sdk.transport.stream import BodyReader
from aistore.sdk.transport.tls import TLSConfig
from aistore.sdk.transport.transport import Transport
from aistore.sdk.transport.url import encode_params, parse_base

__all__ = [
    "Body",
    "BodyReader",
    "Call",
    "Response",
    "TLSConfig",
    "Transport",
    "encode_params",
    "parse_base",
]
