"""The list of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import buckets, daemon, health, objects

if TYPE_CHECKING:
    from aistore.local.state import State

_ROUTERS = (health, daemon, buckets, objects)


def register_all(state: State) -> None:
    """Let every router register what it answers."""
    for router in _ROUTERS:
        router.register(state)
