"""`aistore cluster`: nodes, health and load."""

from __future__ import annotations

from typing import Any

import click

from aistore.cli.command import Group
from aistore.cli.exits import FAILURE, CliError
from aistore.cli.session import Session, pass_session
from aistore.cli.text import human_size


@click.group(
    name="cluster",
    cls=Group,
    examples=("aistore cluster info", "aistore cluster health && echo ready", "aistore cluster performance"),
)
def command() -> None:
    """Show nodes, health and load."""


@command.command(examples=("aistore cluster info", "aistore cluster info --json"))
@pass_session
def info(session: Session) -> None:
    """Show the cluster and its nodes."""
    smap = session.client.cluster().get_info()
    nodes = [_node(node, smap.proxy_si.daemon_id) for node in [*smap.pmap.values(), *smap.tmap.values()]]
    if session.json:
        session.out.document({"uuid": smap.uuid, "version": smap.version, "nodes": nodes})
        return
    session.out.pairs(
        [("cluster", smap.uuid), ("created", smap.creation_time), ("map version", smap.version)]
    )
    session.out.table(("NODE", "ROLE", "URL", "STATE"), [tuple(node.values()) for node in nodes])


def _node(node: Any, primary: str) -> dict[str, str]:
    role = "primary" if node.daemon_id == primary else node.daemon_type
    url = node.public_net.direct_url if node.public_net else ""
    state = "maintenance" if node.in_maint_or_decomm() else "active"
    return {"node": node.daemon_id, "role": role, "url": url, "state": state}


@command.command(examples=("aistore cluster health && echo ready",))
@pass_session
def health(session: Session) -> None:
    """Tell whether the cluster is up and done with rebalancing; exit code 1 if not."""
    ready = session.client.cluster().is_ready()
    if session.json:
        session.out.document({"ready": ready})
    elif ready:
        session.out.line("ready")
    if not ready:
        raise CliError("the cluster is not ready", FAILURE)


@command.command(examples=("aistore cluster performance", "aistore cluster performance --json"))
@pass_session
def performance(session: Session) -> None:
    """Show what each target has done, and how full it is."""
    found = session.client.cluster().get_performance()
    if session.json:
        session.out.document(found)
        return
    rows = []
    for target, stats in found.items():
        tracker, capacity = stats.get("tracker", {}), stats.get("capacity", {})
        rows.append(
            (
                target,
                tracker.get("get.n", 0),
                human_size(int(tracker.get("get.size", 0))),
                tracker.get("put.n", 0),
                human_size(int(tracker.get("put.size", 0))),
                human_size(int(capacity.get("total_used", 0))),
                f"{capacity.get('pct_avg', 0)}%",
            )
        )
    session.out.table(("TARGET", "GETS", "BYTES OUT", "PUTS", "BYTES IN", "DISK USED", "FULL"), rows)


@command.command(examples=("aistore cluster smap",))
@pass_session
def smap(session: Session) -> None:
    """Write the cluster map as JSON."""
    session.out.document(session.client.cluster().get_info().model_dump())
