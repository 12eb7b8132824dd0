"""`/v1/daemon`, `/v1/cluster` and `/v1/reverse`: the nodes about themselves (protocol/12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import errors
from aistore.local.api.registry import Noun
from aistore.local.api.response import Response, json_response
from aistore.local.errors import InvalidRequest, LocalError

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.state import State


async def _daemon(req: Request) -> Response:
    what = req.query.get("what", "")
    if what == "smap":
        return json_response(req.state.nodes.smap())
    raise InvalidRequest(f"invalid '/v1/daemon' request: unrecognized 'what={what}' query")


async def _cluster(req: Request) -> Response:
    if req.method == "GET":
        what = req.query.get("what", "")
        handler = req.state.registry.cluster_what.get(what)
        if handler is None:
            raise InvalidRequest(f"unexpected query [what={what}]")
        return await handler(req)
    msg = await req.action()
    action = req.state.registry.cluster_actions.get(msg.action)
    if action is None:
        raise errors.invalid_action(msg.action)
    return await action(req, msg)


def register(state: State) -> None:
    """Add the routes."""
    state.registry.nouns["daemon"] = Noun(_daemon, "GET, PUT, POST")
    state.registry.nouns["cluster"] = Noun(_cluster, "DELETE, GET, POST, PUT")
    state.registry.cluster_what["smap"] = _daemon
