"""The list of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import buckets, daemon, easy, health, jobs, metrics, multiobj, objects, summary

if TYPE_CHECKING:
    from aistore.local.state import State

_ROUTERS = (health, metrics, daemon, buckets, summary, objects, easy, jobs, multiobj)


def register_all(state: State) -> None:
    """Let every router register what it answers."""
    for router in _ROUTERS:
        router.register(state)
