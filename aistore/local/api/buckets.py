"""`/v1/buckets`: create, destroy, properties, list; other actions by registration (protocol/02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local import bucket_props
from aistore.local.api import errors
from aistore.local.api.listing import list_objects
from aistore.local.api.registry import Noun
from aistore.local.api.request import ActionMsg
from aistore.local.api.response import Response, json_response
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.names import normalize_provider, parse_namespace

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.names import Bck
    from aistore.local.state import State

_ALLOW = "DELETE, GET, HEAD, PATCH, POST"


def missing_backend(provider: str) -> LocalError:
    """A bucket of a cloud provider, of which there is none."""
    return LocalError(
        f"{provider.upper()} backend is missing in the cluster configuration", tcode="ErrMissingBackend"
    )


async def _buckets(req: Request) -> Response:
    names = [part for part in req.parts[1:] if part]
    if not req.node.is_proxy:
        raise InvalidRequest(f"{req.node.label}: {req.method}(buckets) is expected to be sent to the proxy")
    if req.method == "HEAD":
        return await _head(req, names)
    if req.method == "GET":
        return await _get(req, names)
    msg = await req.action()
    if len(names) > 1:
        raise InvalidRequest(f'invalid request URI "{req.path}"')
    if not names:
        raise errors.too_short(req, 3)
    if req.method == "POST" and msg.action == "create-bck":
        return _create(req, names[0], msg)
    bck = req.bck(names[0])
    if req.method == "DELETE" and msg.action == "evict-remote-bck" and bck.provider != "ais":
        return Response()
    return await _dispatch(req, req.state.catalog.buckets.get(bck), msg)


async def _dispatch(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    handler = req.state.registry.bucket_actions.get((req.method, msg.action))
    if handler is None:
        raise errors.invalid_action(msg.action)
    return await handler(req, bucket, msg)


async def _get(req: Request, names: list[str]) -> Response:
    body = await req.body()
    msg = (
        req.decode(body, ActionMsg, "apc.ActMsg")
        if body.strip()
        else ActionMsg("list", value={} if names else None)
    )
    if msg.action == "list":
        if msg.value is None or not names:
            normalize_provider(req.query.get("provider", ""))
            if names:
                req.bucket(names[0])
            return list_buckets(req)
        return await list_objects(req, req.bucket(names[0]), msg)
    handler = req.state.registry.any_bucket_actions.get(msg.action)
    if handler is not None:
        return await handler(req, req.bucket(names[0]) if names else None, msg)
    if names and ("GET", msg.action) in req.state.registry.bucket_actions:
        return await _dispatch(req, req.bucket(names[0]), msg)
    raise errors.invalid_action(msg.action)


def list_buckets(req: Request) -> Response:
    """The buckets of the query's provider and namespace; both are optional."""
    provider = req.query.get("provider", "")
    wanted = normalize_provider(provider) if provider else ""
    if wanted and wanted != "ais":
        raise missing_backend(wanted)
    namespace = parse_namespace(req.query.get("namespace", ""))
    found = [
        b.bck for b in req.state.catalog.buckets.all() if namespace == ("", "") or b.bck[2:] == namespace
    ]
    return json_response([bck.as_dict() for bck in found])


async def _head(req: Request, names: list[str]) -> Response:
    if not names:
        raise errors.too_short(req, 3)
    bck = req.bck(names[0])
    bucket = req.state.catalog.buckets.find(bck)
    if bucket is None and bck.provider != "ais":
        missing = missing_backend(bck.provider).message
        text = f"{req.node.label}: failed to lookup bucket {bck}, err: {missing}"
        raise LocalError(text, status=404, tcode="ErrFailedTo")
    bucket = bucket or req.state.catalog.buckets.get(bck)
    summary = req.state.registry.head_summary
    if "bsumm_remote" in req.query and summary is not None:
        return await summary(req, bucket, "/".join(names[1:]))
    if len(names) > 1:
        raise InvalidRequest(f'invalid request URI "{req.path}"')
    return Response(headers=[("Ais-Bucket-Props", msgspec.json.encode(bucket.props).decode())])


def _create(req: Request, name: str, msg: ActionMsg) -> Response:
    bck = req.bck(name)
    check_creatable(bck)
    buckets = req.state.catalog.buckets
    props = bucket_props.merge_props(
        bucket_props.new_props(bck.provider), msg.value, req.state.options.targets
    )
    buckets.create(bck, props)
    return Response()


def check_creatable(bck: Bck) -> None:
    """Refuse to create buckets that live elsewhere.

    Raises:
        LocalError: A cloud or a remote cluster's bucket.
    """
    if bck.provider != "ais":
        raise LocalError(
            f'{bck.provider} bucket "{bck}" does not exist (a local cluster has no cloud backends)',
            status=501,
            tcode="ErrRemoteBckNotFound",
        )
    if bck.ns_uuid:
        raise LocalError(
            f'bucket "{bck}" does not exist: there is no remote cluster {bck.ns_uuid!r}', status=404
        )


async def _destroy(req: Request, bucket: Bucket, _msg: ActionMsg) -> Response:
    buckets = req.state.catalog.buckets
    buckets.drop(bucket.bck)
    req.state.jobs.abort_of(
        bucket.bck, f"[post-bmd] receive BMD v{buckets.version}: remove bucket {bucket.bck}"
    )
    return Response()


async def _evict(_req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    raise LocalError(f"{msg.action}: expecting remote bucket (have {bucket.bck})", tcode="ErrNotRemoteBck")


async def _set_props(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    if msg.value is None:
        raise InvalidRequest("invalid set-bucket-props request (msg=actm[set-bprops]): no properties")
    props = bucket_props.merge_props(bucket.props, msg.value, req.state.options.targets)
    req.state.catalog.buckets.update(bucket.bck, props)
    return Response()


async def _reset_props(req: Request, bucket: Bucket, _msg: ActionMsg) -> Response:
    req.state.catalog.buckets.update(bucket.bck, bucket_props.reset_props(bucket.props))
    return Response()


def register(state: State) -> None:
    """Add the routes."""
    state.registry.nouns["buckets"] = Noun(_buckets, _ALLOW, "PUT")
    actions: dict[tuple[str, str], Any] = {
        ("DELETE", "destroy-bck"): _destroy,
        ("DELETE", "evict-remote-bck"): _evict,
        ("PATCH", "set-bprops"): _set_props,
        ("PATCH", "reset-bprops"): _reset_props,
    }
    state.registry.bucket_actions.update(actions)
