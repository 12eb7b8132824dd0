"""`/v1/objects`: checks and redirects at the proxy, and who answers at the target (protocol/03)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import access, errors, object_change, object_get, object_put
from aistore.local.api.object_get import check_archive_query
from aistore.local.api.redirect import redirect, was_redirected
from aistore.local.api.registry import Noun
from aistore.local.api.request import ActionMsg
from aistore.local.errors import InvalidRequest, LocalError, ObjectNotFound
from aistore.local.names import check_object_name

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Response
    from aistore.local.catalog import Bucket
    from aistore.local.nodes import Node
    from aistore.local.state import State

_ALLOW = "DELETE, GET, HEAD, POST, PUT"
_ACCESS = {
    "GET": access.GET,
    "HEAD": access.HEAD,
    "PUT": access.PUT,
    "DELETE": access.DELETE,
    "PATCH": access.UPDATE,
    "POST": access.PUT,
}
_ACTION_ACCESS = {"rename-obj": access.MOVE, "check-lock": access.HEAD}


async def _objects(req: Request) -> Response:
    parts = req.parts
    if len(parts) < 2 or not parts[1]:
        raise errors.too_short(req, 4)
    name = "/".join(parts[2:])
    if not name:
        if req.method == "POST" and req.node.is_proxy:
            return await _named(req, req.bucket(parts[1]))
        raise errors.too_short(req, 4)
    if req.node.is_proxy:
        return await _at_proxy(req, name)
    return await _at_target(req, name)


async def _named(req: Request, bucket: Bucket) -> Response:
    """Actions that name their object in the message; the proxy runs them."""
    msg = await req.action()
    handler = req.state.registry.named_actions.get(msg.action)
    if handler is None:
        raise errors.invalid_action(msg.action)
    return await handler(req, bucket, msg.name, msg)


async def _at_proxy(req: Request, name: str) -> Response:
    bck = req.bck(req.parts[1])
    if bck.provider != "ais" and req.state.catalog.buckets.find(bck) is None:
        raise LocalError(
            f"{bck.provider.upper()} backend is missing in the cluster configuration", status=404
        )
    bucket = req.state.catalog.buckets.get(bck)
    check_object_name(name, allow_trailing_slash=req.method == "HEAD")
    bit = _ACCESS[req.method]
    if req.method == "POST":
        action = (await req.action()).action
        if action not in req.state.registry.object_actions:
            raise errors.invalid_action(action)
        bit = _ACTION_ACCESS.get(action, bit)
    elif req.method == "GET":
        check_archive_query(req)
    elif "append_type" in req.query:
        bit = access.APPEND
    access.check_access(bucket, bit)
    return await redirect(req, _target(req, bucket, name))


def _target(req: Request, bucket: Bucket, name: str) -> Node:
    handle = req.query.get("append_handle")
    if handle and req.method == "PUT":
        node_id, bar, _ = handle.partition("|")
        if not bar:
            raise InvalidRequest(f'invalid APPEND handle: "{handle}"')
        target = req.state.nodes.find(node_id)
        if target is None or target.is_proxy:
            text = f"node {node_id} not present in Smap v{req.state.nodes.version}"
            raise LocalError(f"failed to find {text}", tcode="errNodeNotFound")
        return target
    return req.state.nodes.targets[req.state.store.place(bucket.bck, name)]


async def _at_target(req: Request, name: str) -> Response:
    bucket = req.bucket(req.parts[1])
    check_object_name(name, allow_trailing_slash=req.method == "HEAD")
    if not was_redirected(req):
        if req.method not in {"GET", "HEAD"}:
            raise InvalidRequest(f"{req.node.label}: {req.method}(obj) is expected to be redirected")
        if req.state.store.place(bucket.bck, name) != req.node.index:
            raise ObjectNotFound(bucket.bck, name)
    if req.method == "POST":
        return await _post(req, bucket, name)
    handler = {
        "GET": object_get.get_object,
        "HEAD": object_get.head_object,
        "PUT": object_put.put,
        "PATCH": object_change.patch,
        "DELETE": object_change.delete,
    }[req.method]
    return await handler(req, bucket, name)


async def _post(req: Request, bucket: Bucket, name: str) -> Response:
    msg: ActionMsg = await req.action()
    handler = req.state.registry.object_actions.get(msg.action)
    if handler is None:
        raise errors.invalid_action(msg.action)
    return await handler(req, bucket, name, msg)


def register(state: State) -> None:
    """Add the routes."""
    state.registry.nouns["objects"] = Noun(_objects, _ALLOW, "PATCH")
