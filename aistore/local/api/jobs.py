"""Jobs over HTTP: `what=` status, snapshots and running jobs; start and stop (protocol/06)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local.api.response import Response, json_response, text_response
from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.local.jobs.kinds import IDLE_KINDS, REMOTE_ONLY, normalize_kind
from aistore.local.jobs.upkeep import start_upkeep
from aistore.local.names import Bck, bck_from_dict

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.jobs import Job
    from aistore.local.state import State

_ID = re.compile(r"[A-Za-z0-9_-]{9,}|g\d+")


class _Query(NamedTuple):
    id: str = ""
    kind: str = ""
    node: str = ""
    bck: Bck | None = None
    active: bool = False

    def matches(self, job: Job) -> bool:
        if (self.id and job.id != self.id) or (self.kind and job.kind != self.kind):
            return False
        if self.active and not job.is_running:
            return False
        return self.bck is None or self.bck in {job.bck, job.src, job.dst}


def _parse(value: Any) -> _Query:
    """A query; its keys come in two spellings.

    Raises:
        InvalidRequest: It isn't one, or names an unknown kind.
    """
    if not isinstance(value, dict):
        raise InvalidRequest(f"expecting a job's id, kind or bucket, got {value!r}")
    keys = {key.lower(): part for key, part in value.items() if part}
    kind = str(keys.get("kind", ""))
    known = normalize_kind(kind) if kind else ""
    if known is None:
        raise InvalidRequest(f'invalid xaction (job) kind "{kind}"')
    return _Query(
        id=str(keys.get("id") or keys.get("uuid") or ""),
        kind=known,
        node=str(keys.get("daemonid") or keys.get("node") or ""),
        bck=bck_from_dict(keys["bck"]) if keys.get("bck", {}) else None,
        active=bool(keys.get("show_active") or keys.get("onlyrunning")),
    )


async def _read(req: Request) -> _Query:
    return _parse(req.decode(await req.body(), Any, "xact.QueryMsg"))


async def _status(req: Request) -> Response:
    query = await _read(req)
    if not query.id and not query.kind:
        raise InvalidRequest("invalid x-")
    found = [job for job in req.state.jobs.all() if query.matches(job)]
    if not found:
        job = req.state.jobs.get(query.id) if query.id else None
        if job is not None and query.kind:
            raise InvalidRequest(f"kind mismatch: {job.kind}[{job.id}] vs {query.kind}")
        raise NotFound(f"x-{query.kind}[{query.id}] does not exist", with_node=True)
    return json_response(found[-1].status(), content_type="text/plain; charset=utf-8", newline=False)


async def _status_all(req: Request) -> Response:
    query = await _read(req)
    found = [
        job.status() for job in req.state.jobs.all() if query.matches(job) and job.kind not in IDLE_KINDS
    ]
    return json_response(found or None, content_type="text/plain; charset=utf-8", newline=False)


async def _snapshots(req: Request) -> Response:
    query = await _read(req)
    if query.id and not _ID.fullmatch(query.id):
        raise InvalidRequest(f'invalid xaction (job) UUID "{query.id}"')
    found = [job for job in req.state.jobs.all() if query.matches(job)]
    if query.id and not found:
        raise NotFound(f'"x-{query.kind}[{query.id}]" not found')
    nodes = [target.id for target in req.state.nodes.targets]
    if query.node:
        if query.node not in nodes:
            raise NotFound(f'node "{query.node}" does not exist')
        nodes = [query.node]
    answer: dict[str, list[dict[str, Any]]] = {node: [] for node in nodes}
    for job in found:
        for node, snapshot in job.snapshots().items():
            if node in answer:
                answer[node].append(snapshot)
    return json_response({node: snapshots for node, snapshots in answer.items() if snapshots})


async def _running(req: Request) -> Response:
    query = await _read(req)
    running = [job for job in req.state.jobs.all() if job.is_running and query.matches(job)]
    return json_response([f"{job.kind}[{job.id}]" for job in running])


async def _start(req: Request, msg: ActionMsg) -> Response:
    query = _parse(msg.value)
    kind = query.kind
    if not kind:
        raise InvalidRequest("start: the job's kind is missing")
    buckets = req.state.catalog.buckets
    bucket = buckets.get(query.bck) if query.bck else None
    if kind in REMOTE_ONLY and bucket is not None:
        raise LocalError(f"{kind}: expecting remote bucket (have {bucket.bck})", tcode="ErrNotRemoteBck")
    job = await req.state.run(start_upkeep, req.state, kind, bucket, query.node)
    return text_response(job.id)


async def _stop(req: Request, msg: ActionMsg) -> Response:
    query = _parse(msg.value)
    if not query.id and not query.kind:
        raise InvalidRequest("cannot stop xaction given 'xa-[]' - expecting a valid kind and/or UUID")
    if query.id and not _ID.fullmatch(query.id):
        raise InvalidRequest(f'invalid xaction (job) UUID "{query.id}": xa-[{query.id}]')
    for job in req.state.jobs.all():
        if job.is_running and query.matches(job):
            req.state.jobs.abort(job, "user abort")
    return Response()


def register(state: State) -> None:
    """Add what is asked and done about jobs."""
    state.registry.cluster_what.update(
        {"status": _status, "status_all": _status_all, "qryxstats": _snapshots, "running_all": _running}
    )
    state.registry.cluster_actions.update({"start": _start, "stop": _stop})
