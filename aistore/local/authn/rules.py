"""What each request needs permission for (protocol/06 and 08).

A route that has no rule here is for admins: whoever adds one can't forget it. Names and messages are read by
the functions that the routes themselves use, so that both always mean the same bucket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aistore.local.api.request import ActionMsg
from aistore.local.authn import rules_s3
from aistore.local.authn.needs import READ_ALL, Need, cluster, on, write_to
from aistore.local.batch.request import named_buckets
from aistore.local.dsort.key_map import key_map_bucket
from aistore.local.jobs.kinds import normalize_kind
from aistore.local.names import bck_from_dict, parse_uname
from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from aistore.local.api.request import Request

Rule = Callable[["Request"], Awaitable[list[Need]]]

_SUMMARY = AccessAttr.OBJ_LIST | AccessAttr.BCK_HEAD

_OBJECT = {
    "GET": AccessAttr.GET,
    "HEAD": AccessAttr.OBJ_HEAD,
    "PUT": AccessAttr.PUT,
    "DELETE": AccessAttr.OBJ_DELETE,
    "PATCH": AccessAttr.OBJ_UPDATE,
}
_OBJECT_ACTIONS = {
    "promote": AccessAttr.PROMOTE,
    "rename-obj": AccessAttr.OBJ_MOVE,
    "check-lock": AccessAttr.OBJ_HEAD,
    "mpt-upload": AccessAttr.ACCESS_RW,
    "mpt-complete": AccessAttr.ACCESS_RW,
    "mpt-abort": AccessAttr.ACCESS_RW,
    "blob-download": AccessAttr.ACCESS_RW,
}
_BUCKET_ACTIONS = {
    "delete-listrange": AccessAttr.OBJ_DELETE,
    "evict-listrange": AccessAttr.OBJ_DELETE,
    "evict-remote-bck": AccessAttr.OBJ_DELETE,
    "prefetch-listrange": AccessAttr.ACCESS_RW,
    "reset-bprops": AccessAttr.PATCH | AccessAttr.BCK_SET_ACL,
    "summary-shard": _SUMMARY,
}
_CLUSTER_ACTIONS = {
    "create-bck": AccessAttr.CREATE_BUCKET,
    "destroy-bck": AccessAttr.DESTROY_BUCKET,
    "move-bck": AccessAttr.MOVE_BUCKET,
}
# Jobs that those who may write to their bucket may start.
_WRITERS_JOBS = frozenset({"ec-encode", "make-n-copies", "prefetch-listrange"})


async def needs(req: Request) -> list[Need]:
    """What a request needs; nothing beyond a token where it names too little to be carried out.

    Raises:
        LocalError: It is malformed; what the route itself would answer.
    """
    root = req.path.split("/", 2)[1]
    rule = _RULES.get(req.parts[0]) if root == "v1" else _ROOTS.get(root)
    return await rule(req) if rule is not None else cluster(AccessAttr.ADMIN)


# ---- objects


async def _objects(req: Request) -> list[Need]:
    parts = req.parts
    if len(parts) < 2 or not parts[1]:
        return []
    bck = req.bck(parts[1])
    if req.method == "POST":
        action = (await req.action()).action
        return on(bck, _OBJECT_ACTIONS.get(action, AccessAttr.ACCESS_RW))
    bits = _OBJECT[req.method]
    aborts = req.method == "DELETE" and (await req.optional_action()).action == "mpt-abort"
    if aborts or ("uploadId" in req.query and req.method in {"PUT", "DELETE"}):
        bits = AccessAttr.ACCESS_RW
    elif "append_type" in req.query and req.method == "PUT":
        bits = AccessAttr.APPEND
    if "object_to" in req.query and req.method == "PUT":
        to_bck, _ = parse_uname(req.query["object_to"])
        return on(bck, AccessAttr.GET) + on(to_bck, AccessAttr.PUT | bits)
    return on(bck, bits)


# ---- buckets


async def _buckets(req: Request) -> list[Need]:
    names = [part for part in req.parts[1:] if part]
    if req.method == "GET":
        return await _read_buckets(req, names)
    if not names:
        return []
    bck = req.bck(names[0])
    if req.method == "HEAD":
        return on(bck, _SUMMARY if "bsumm_remote" in req.query else AccessAttr.BCK_HEAD)
    msg = await req.action()
    action = msg.action
    if action in _CLUSTER_ACTIONS:
        return cluster(_CLUSTER_ACTIONS[action])
    if action in _BUCKET_ACTIONS:
        return on(bck, _BUCKET_ACTIONS[action])
    if action in {"copy-bck", "etl-bck"}:
        target = req.query.get("bck_to", "")
        return on(bck, READ_ALL) + (write_to(req.state, parse_uname(target)[0]) if target else [])
    if action in {"copy-listrange", "etl-listrange", "archive"}:
        to = msg.value.get("tobck") if isinstance(msg.value, dict) else None
        return on(bck, READ_ALL) + write_to(req.state, bck_from_dict(to) if to else bck)
    if action == "set-bprops":
        changes = msg.value if isinstance(msg.value, dict) else {}
        return on(bck, AccessAttr.PATCH | (AccessAttr.BCK_SET_ACL if "access" in changes else AccessAttr(0)))
    return cluster(AccessAttr.ADMIN)


async def _read_buckets(req: Request, names: list[str]) -> list[Need]:
    body = await req.body()
    msg = req.decode(body, ActionMsg, "apc.ActMsg") if body.strip() else ActionMsg("list", value={})
    if msg.action == "list":
        if not names or msg.value is None:
            return cluster(AccessAttr.LIST_BUCKETS)
        return on(req.bck(names[0]), AccessAttr.OBJ_LIST)
    if msg.action in {"summary-bck", "summary-shard", "show-inventory"}:
        return on(req.bck(names[0]), _SUMMARY) if names else cluster(_SUMMARY)
    return cluster(AccessAttr.ADMIN)


# ---- the cluster


async def _daemon(req: Request) -> list[Need]:
    return cluster(AccessAttr.SHOW_CLUSTER if req.method == "GET" else AccessAttr.ADMIN)


async def _cluster(req: Request) -> list[Need]:
    if req.method == "GET":
        return cluster(AccessAttr.SHOW_CLUSTER)
    if req.method == "PUT" and len([part for part in req.parts if part]) == 1:
        msg = await req.action()
        value: dict[str, Any] = msg.value if isinstance(msg.value, dict) else {}
        keys = {key.lower(): part for key, part in value.items()}
        kind = normalize_kind(str(keys.get("kind", "")))
        if msg.action == "start" and kind in _WRITERS_JOBS and keys.get("bck"):
            return on(bck_from_dict(keys["bck"]), AccessAttr.ACCESS_RW)
    return cluster(AccessAttr.ADMIN)


async def _metrics(_req: Request) -> list[Need]:
    return cluster(AccessAttr.SHOW_CLUSTER)


# ---- batches and dsort


async def _batch(req: Request) -> list[Need]:
    if not req.node.is_proxy:
        # What it is about was told to the proxy, which signs where it sends the client.
        return cluster(AccessAttr.ADMIN)
    default = req.bck(req.parts[2]) if len(req.parts) == 3 and req.parts[2] else None
    named = named_buckets(await req.body(), default)
    return [Need(int(AccessAttr.GET), bck) for bck in sorted(named)]


async def _sort(req: Request) -> list[Need]:
    if req.method == "GET":
        return cluster(AccessAttr.SHOW_CLUSTER)
    if req.method != "POST":
        return cluster(AccessAttr.ADMIN)
    spec = req.decode(await req.body(), dict[str, Any], "dsort.RequestSpec")
    source = bck_from_dict(spec.get("input_bck"))
    to = spec.get("output_bck")
    url = str(spec.get("ekm_file") or "")
    key_map = on(key_map_bucket(url), AccessAttr.GET) if url else []
    return on(source, READ_ALL) + write_to(req.state, bck_from_dict(to) if to else source) + key_map


async def _s3(req: Request) -> list[Need]:
    return rules_s3.needs(req)


_RULES: dict[str, Rule] = {
    "objects": _objects,
    "buckets": _buckets,
    "cluster": _cluster,
    "daemon": _daemon,
    "reverse": _daemon,
    "ml": _batch,
    "sort": _sort,
}
_ROOTS: dict[str, Rule] = {"metrics": _metrics, "s3": _s3}
