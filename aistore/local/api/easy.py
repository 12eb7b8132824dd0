"""Easy URLs: `/ais/BUCKET/OBJECT` and the like for `/v1/...` (protocol/01)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import errors
from aistore.local.api.registry import Noun

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Response
    from aistore.local.state import State

_ALLOW = "DELETE, GET, HEAD, POST, PUT"
_PROVIDERS = {"ais": "ais", "gs": "gcp", "az": "azure", "oc": "oci"}


async def _easy(req: Request) -> Response:
    """Answer as if the request had been for buckets or objects of the provider."""
    scheme, bucket, name = (*req.path.lstrip("/").split("/", 2), "", "")[:3]
    noun = "objects" if name else "buckets"
    if req.method == "PUT" and not name:
        raise errors.too_short(req, 4)
    _, _, raw_rest = req.raw_path.lstrip("/").partition("/")
    req.raw_path = f"/v1/{noun}/{raw_rest}"
    req.path = f"/v1/{noun}/{bucket}{'/' if name else ''}{name}"
    req.parts = req.path.split("/")[2:]
    provider = f"provider={_PROVIDERS[scheme]}"
    req.set_query(f"{req.raw_query}&{provider}" if req.raw_query else provider)
    return await req.state.registry.nouns[noun].handler(req)


def register(state: State) -> None:
    """Add the routes."""
    for scheme in _PROVIDERS:
        state.registry.roots[scheme] = Noun(_easy, _ALLOW)
