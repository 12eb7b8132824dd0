"""`/v1/etl`: the ETLs of the cluster, and the objects that their servers read and write (protocol-ml/02)."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from aistore.local.api import errors
from aistore.local.api.etl_inline import transform_inline
from aistore.local.api.etl_objects import serve_pod
from aistore.local.api.guard import is_loopback
from aistore.local.api.multiobj import bck_to, check_destination, refuse_onto_itself, to_bck
from aistore.local.api.registry import Noun
from aistore.local.api.response import Response, json_response, text_response
from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.local.etl.offline import EtlChain, find_chain, transform_bucket, transform_selected
from aistore.local.jobs.selection import parse_selection
from aistore.local.jobs.transfer import parse_options

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.etl.instance import Etl
    from aistore.local.state import State

A = TypeVar("A")
T = TypeVar("T")

_ALLOW = "DELETE, GET, POST, PUT"
_MAX_INIT = 16 << 20


async def _etl(req: Request) -> Response:
    if len(req.parts) > 1 and req.parts[1] == "_object":
        return await serve_pod(req)
    if not req.node.is_proxy:
        raise InvalidRequest(f"{req.node.label}: {req.method} {req.path} is for the proxy")
    names = [part for part in req.parts[1:] if part]
    if req.method == "PUT":
        return await _init(req)
    if req.method == "GET":
        return await _get(req, names)
    if not names:
        raise errors.too_short(req, 3)
    room = req.state.etl
    if req.method == "DELETE" and len(names) == 1:
        await room.stopping.run(req.client, partial(room.delete, names[0]))
        return Response()
    if req.method == "POST" and len(names) == 2:
        return await _post(req, *names)
    raise errors.invalid_uri(req)


async def _init(req: Request) -> Response:
    if req.state.authn is None and not is_loopback(req.remote.rpartition(":")[0]):
        raise LocalError(
            "an ETL runs code: it can be started from this machine only, or by admins (--auth)", status=403
        )
    message = req.decode(await req.body(_MAX_INIT), Any, "etl.InitMsg")
    room = req.state.etl
    return text_response(await req.run(room.starting, room.init, message, req.is_abandoned))


async def _post(req: Request, name: str, action: str) -> Response:
    room = req.state.etl
    room.get(name)
    if action == "start":
        return text_response(await room.starting.run(req.client, partial(room.start, name)))
    if action == "stop":
        await room.stopping.run(req.client, partial(room.stop, name))
        return Response()
    raise InvalidRequest(f'invalid action "invalid operation: {action}"')


async def _get(req: Request, names: list[str]) -> Response:
    room = req.state.etl
    if not names:
        return json_response([etl.info() for etl in room.all()])
    name, *rest = names
    if not rest:
        return json_response(_details(req, room.get(name)))
    room.get(name)
    if rest[0] == "logs" and len(rest) <= 2:
        return _logs(req, name, rest[1] if len(rest) == 2 else "")
    if rest == ["health"]:
        return json_response(
            [
                {"target_id": node, "health_status": "Running" if pod.is_alive else "Failed"}
                for node, pod in sorted(_running(req, name).pods.items())
            ]
        )
    if rest == ["metrics"]:
        found = []
        for node, pod in sorted(_running(req, name).pods.items()):
            cpu, memory = await req.state.run(pod.usage)
            found.append({"target_id": node, "cpu": cpu, "mem": memory})
        return json_response(found)
    raise errors.invalid_uri(req)


def _running(req: Request, name: str) -> Etl:
    etl = req.state.etl.find_running(name)
    if etl is None:
        raise NotFound(f"{req.state.nodes.targets[0].label}: {name} does not exist")
    return etl


def _details(req: Request, etl: Etl) -> dict[str, Any]:
    failed = etl.errors()
    job_id = req.query.get("uuid", "")
    if job_id:
        job = req.state.jobs.get(job_id)
        failed = job.object_errors if job is not None and etl.name in job.etls else []
    return {"init_msg": etl.spec.message, **({"obj_errors": failed} if failed else {})}


def _logs(req: Request, name: str, node: str) -> Response:
    if node and all(target.id != node for target in req.state.nodes.targets):
        raise InvalidRequest(f'unknown target "{node}"')
    pods = sorted(_running(req, name).pods.items())
    found = [
        {"target_id": target, "logs": base64.b64encode(pod.logs()).decode()}
        for target, pod in pods
        if not node or target == node
    ]
    return json_response(found)


# ---- offline


def _chain(req: Request, msg: ActionMsg) -> EtlChain:
    value = msg.value if isinstance(msg.value, dict) else {}
    name, pipeline = value.get("id") or "", value.get("pipeline") or []
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"{msg.action}: the name of the ETL (id) is missing")
    if not isinstance(pipeline, list) or not all(isinstance(part, str) for part in pipeline):
        raise InvalidRequest(f"{msg.action}: pipeline must be a list of names of ETLs")
    return find_chain(req.state.etl, name, pipeline)


async def _transform_bucket(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    destination = bck_to(req)
    options = parse_options(msg.value, msg.action)
    chain = _chain(req, msg)
    refuse_onto_itself(msg.action, bucket.bck, destination, dry_run=options.dry_run)
    check_destination(req, destination)
    state = req.state
    return text_response(
        (await state.run(transform_bucket, state, state.etl, chain, bucket, destination, options)).id
    )


async def _transform_selected(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    chain = _chain(req, msg)
    destination = to_bck(msg.value)
    options = parse_options(msg.value, msg.action)
    selection = parse_selection(msg.value, msg.action)
    check_destination(req, destination)
    state = req.state
    job = await state.run(
        transform_selected, state, state.etl, chain, bucket, destination, selection, options
    )
    return text_response(job.id)


def register(state: State) -> None:
    """Add the routes."""
    registry = state.registry
    registry.nouns["etl"] = Noun(_etl, _ALLOW, "HEAD")
    registry.transform = transform_inline
    registry.bucket_actions["POST", "etl-bck"] = _transform_bucket
    registry.bucket_actions["POST", "etl-listrange"] = _transform_selected
