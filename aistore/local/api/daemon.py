"""`/v1/daemon`, `/v1/cluster` and `/v1/reverse`: nodes and cluster about themselves (protocol/12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aistore.local import node_info
from aistore.local.api import errors
from aistore.local.api.health import cluster_info
from aistore.local.api.registry import Noun
from aistore.local.api.response import Response, json_response, text_response
from aistore.local.cluster_config import nested
from aistore.local.errors import InvalidRequest, LocalError, Unsupported
from aistore.local.node_log import SEVERITIES

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.nodes import Node
    from aistore.local.state import State

View = Callable[["Request", "Node"], Any]


def _bmd(req: Request, _node: Node) -> Any:
    state = req.state
    providers: dict[str, dict[str, dict[str, Any]]] = {}
    for bucket in state.catalog.buckets.all():
        names = providers.setdefault(bucket.bck.provider, {}).setdefault(bucket.bck.namespace, {})
        names[bucket.bck.name] = bucket.props
    version = str(state.catalog.buckets.version)
    return {"providers": providers, "uuid": state.nodes.uuid, "version": version}


def _cluster_wide(req: Request) -> dict[str, Any]:
    state = req.state
    config = state.config.current(req.url_of(state.nodes.proxy))
    if state.authn is not None:
        config["auth"] |= {"enabled": True}
    config["net"]["http"] |= {"use_https": state.tls.pair is not None}
    return config


def _config(req: Request, node: Node) -> Any:
    state = req.state
    is_target = not node.is_proxy
    port = str(node.port)
    own = {
        "fspaths": {state.store.files.mountpath(node.index): ""} if is_target else {},
        "confdir": str(state.root),
        "log_dir": str(state.root),
        "test_fspaths": {"root": "", "count": 0, "instance": node.index},
        "host_net": {
            "hostname": req.host,
            "hostname_intra_control": req.host,
            "hostname_intra_data": req.host,
            "port": port,
            "port_intra_control": port,
            "port_intra_data": port,
        },
    }
    return own | _cluster_wide(req)


def _smapvote(req: Request, _node: Node) -> Any:
    info = cluster_info(req)
    return {"smap": req.state.nodes.smap(req.host), "bmd": info["bmd"], "flags": info["flags"]}


_VIEWS: dict[str, View] = {
    "smap": lambda req, _node: req.state.nodes.smap(req.host),
    "bmd": _bmd,
    "snode": lambda req, node: node.as_dict(req.host, in_map=False),
    "smapvote": _smapvote,
    "config": _config,
    "node_stats": lambda req, node: node_info.node_stats(req.state, node, req.host),
    "node_status": lambda req, node: node_info.node_status(req.state, node, cluster_info(req), req.host),
    "sysinfo": lambda req, node: node_info.sysinfo(req.state, node),
    "metrics": lambda _req, _node: node_info.METRIC_KINDS,
}
_TARGET_VIEWS: dict[str, View] = {
    "mountpaths": lambda req, node: node_info.mountpaths(req.state, node),
    "disk": lambda req, node: node_info.disk(req.state, node),
    "remote": lambda _req, _node: {"a": [], "ver": 0},
}


async def _daemon(req: Request) -> Response:
    return await _answer_node(req, req.node)


async def _answer_node(req: Request, node: Node) -> Response:
    if req.method != "GET":
        return await _change_node(req)
    what = req.query.get("what", "")
    view = _VIEWS.get(what) or (None if node.is_proxy else _TARGET_VIEWS.get(what))
    if view is not None:
        return json_response(view(req, node))
    if what == "software_version":
        return text_response(node_info.SOFTWARE_VERSION)
    if what == "log":
        severity = req.query.get("severity", "")
        if severity not in SEVERITIES:
            raise InvalidRequest(f'unknown log severity "{severity}"')
        if req.flag("all"):
            packed = await req.state.run(req.state.log.archive, node, severity)
            return Response(body=packed, content_type="application/x-gzip")
        return text_response(req.state.log.text(severity))
    if what == "tls_certificate":
        raise LocalError("no TLS certificate loaders configured", status=404)
    raise InvalidRequest(f"invalid '/v1/daemon' request: unrecognized 'what={what}' query")


async def _change_node(req: Request) -> Response:
    if len(req.parts) > 1 and req.parts[-1] == "set-config":
        return _set_config_by_query(req)
    msg = await req.action()
    action = {"set-config": _set_config, "reset-config": _reset_config}.get(msg.action)
    if action is None:
        raise errors.invalid_action(msg.action)
    return await action(req, msg)


async def _reverse(req: Request) -> Response:
    if len(req.parts) < 2 or req.parts[1] != "daemon":
        raise errors.invalid_uri(req)
    # What follows is answered, and named in errors, as if it had been sent to the node.
    req.path = req.path.replace("/reverse/", "/", 1)
    node_id = req.headers.get("ais-node-id", "")
    if not node_id:
        raise InvalidRequest("missing node ID")
    node = req.state.nodes.find(node_id)
    if node is None:
        text = f"node {node_id} not present in Smap v{req.state.nodes.version}"
        message = f"{req.node.label}: cannot forward request to node {text}"
        raise LocalError(message, status=404, tcode="errNodeNotFound")
    req.node = node
    return await _answer_node(req, node)


async def _cluster(req: Request) -> Response:
    if not req.node.is_proxy:
        raise errors.invalid_uri(req)
    if req.method == "GET":
        what = req.query.get("what", "")
        handler = req.state.registry.cluster_what.get(what)
        if handler is None:
            raise InvalidRequest(f"unexpected query [what={what}]")
        return await handler(req)
    if len(req.parts) > 1 and req.parts[1] == "set-config":
        return _set_config_by_query(req)
    if len(req.parts) > 1 and req.parts[1]:
        raise Unsupported(f"{req.method} {'/'.join(req.parts)} on a local cluster")
    msg = await req.action()
    action = req.state.registry.cluster_actions.get(msg.action)
    if action is None:
        raise errors.invalid_action(msg.action)
    return await action(req, msg)


async def _cluster_view(req: Request) -> Response:
    view = _VIEWS[req.query["what"]]
    return json_response(view(req, req.node))


async def _per_node(req: Request) -> Response:
    what = req.query["what"]
    nodes = req.state.nodes
    view = _VIEWS[what]
    # The cluster leaves the only proxy out of `sysinfo`.
    proxy = {} if what == "sysinfo" else view(req, nodes.proxy)
    return json_response({"proxy": proxy, "target": {t.id: view(req, t) for t in nodes.targets}})


async def _mountpaths(req: Request) -> Response:
    state = req.state
    return json_response({"targets": {t.id: node_info.mountpaths(state, t) for t in state.nodes.targets}})


async def _cluster_config(req: Request) -> Response:
    return json_response(_cluster_wide(req))


async def _backends(_req: Request) -> Response:
    return json_response([])


async def _remote(_req: Request) -> Response:
    return json_response({"a": None, "ver": 0})


async def _target_ips(req: Request) -> Response:
    return text_response(",".join(req.host for _ in req.state.nodes.targets for _ in range(3)))


def _set_config_by_query(req: Request) -> Response:
    pairs = {key: value for key, value in req.query.items() if key != "transient"}
    req.state.config.change(nested(pairs), keep=not req.flag("transient"))
    return Response()


async def _set_config(req: Request, msg: ActionMsg) -> Response:
    req.state.config.change(msg.value, keep=not req.flag("transient"))
    return Response()


async def _reset_config(req: Request, _msg: ActionMsg) -> Response:
    req.state.config.reset()
    return Response()


async def _reset_stats(req: Request, msg: ActionMsg) -> Response:
    req.state.stats.reset(errors_only=msg.value is True)
    return Response()


async def _nothing(_req: Request, _msg: ActionMsg) -> Response:
    # There is nothing to rotate, to clear or to reload here: done.
    return Response()


async def _refuse(_req: Request, msg: ActionMsg) -> Response:
    raise Unsupported(f"{msg.action} on a local cluster: stop the process instead")


def register(state: State) -> None:
    """Add the routes."""
    registry = state.registry
    registry.nouns["daemon"] = Noun(_daemon, "GET, POST, PUT", "DELETE")
    registry.nouns["reverse"] = Noun(_reverse, "DELETE, GET, POST, PUT")
    registry.nouns["cluster"] = Noun(_cluster, "DELETE, GET, POST, PUT")
    for what in ("smap", "bmd", "snode", "smapvote"):
        registry.cluster_what[what] = _cluster_view
    for what in ("node_stats", "sysinfo"):
        registry.cluster_what[what] = _per_node
    registry.cluster_what["mountpaths"] = _mountpaths
    registry.cluster_what["cluster_config"] = _cluster_config
    registry.cluster_what["backends"] = _backends
    registry.cluster_what["remote"] = _remote
    registry.cluster_what["target_ips"] = _target_ips
    registry.cluster_actions["set-config"] = _set_config
    registry.cluster_actions["reset-config"] = _reset_config
    registry.cluster_actions["reset-stats"] = _reset_stats
    for action in ("rotate-logs", "clear-lcache", "reload-creds"):
        registry.cluster_actions[action] = _nothing
    for action in ("shutdown", "decommission", "start-maintenance", "stop-maintenance", "decommission-node"):
        registry.cluster_actions[action] = _refuse
    for action in ("shutdown-node", "rm-unsafe", "attach", "detach"):
        registry.cluster_actions[action] = _refuse
