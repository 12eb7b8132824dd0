"""PATCH, DELETE and the small POST actions of an object at its target (protocol/03)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api.request import ActionMsg
from aistore.local.api.response import Response
from aistore.local.errors import InvalidRequest, LocalError, ObjectNotFound
from aistore.local.names import check_object_name

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State

_MAX_CUSTOM = 2048


async def patch(req: Request, bucket: Bucket, name: str) -> Response:
    """Merge or replace custom metadata."""
    msg = await req.action()
    custom = msg.value if msg.value is not None else {}
    if not isinstance(custom, dict) or not all(isinstance(value, str) for value in custom.values()):
        raise InvalidRequest(f"invalid custom metadata {custom!r}: expecting an object of strings")
    if any(not key or "\x01" in key + value for key, value in custom.items()):
        raise InvalidRequest("invalid custom metadata: empty keys and the byte 0x01 are not allowed")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in custom.items())
    if size > _MAX_CUSTOM:
        raise InvalidRequest(f"custom metadata is too long: {size} > {_MAX_CUSTOM} bytes")
    req.state.store.update(bucket, name, custom=custom, replace=req.flag("set-new-custom"))
    return Response()


async def delete(req: Request, bucket: Bucket, name: str) -> Response:
    """Delete the object, or abort a multipart upload of it."""
    if (await req.optional_action()).action == "mpt-abort" or "uploadId" in req.query:
        from aistore.local.api.multipart import abort

        return await abort(req, bucket, name)
    try:
        req.state.store.delete(bucket, name)
    except ObjectNotFound as err:
        raise LocalError(f"{bucket.bck}/{name} doesn't exist", status=404) from err
    return Response()


async def _rename(req: Request, bucket: Bucket, name: str, msg: ActionMsg) -> Response:
    if not msg.name:
        raise InvalidRequest(f"rename-obj {bucket.bck}/{name}: the new name is missing")
    if msg.name == name:
        raise InvalidRequest(f"cannot rename {bucket.bck}/{name} to itself")
    check_object_name(msg.name)
    req.state.store.rename(bucket, name, msg.name)
    return Response()


async def _check_lock(req: Request, bucket: Bucket, name: str, _msg: ActionMsg) -> Response:
    # Content files never change, so that nothing is ever locked.
    req.state.store.head(bucket, name)
    return Response()


def register(state: State) -> None:
    """Add the actions."""
    state.registry.object_actions.update({"rename-obj": _rename, "check-lock": _check_lock})
