"""The list of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import (
    append,
    archives,
    batch,
    buckets,
    daemon,
    dsort,
    easy,
    etl,
    health,
    inventory,
    jobs,
    metrics,
    multiobj,
    multipart,
    object_change,
    object_put,
    objects,
    promote,
    summary,
    upkeep,
)
from aistore.local.s3 import router as s3

if TYPE_CHECKING:
    from aistore.local.state import State

_ROUTERS = (
    *(health, metrics, daemon, buckets, summary, inventory, easy, jobs, upkeep, multiobj, dsort, batch, etl),
    *(objects, object_put, object_change, multipart, append, archives, promote, s3),
)


def register_all(state: State) -> None:
    """Let every router register what it answers; with AuthN, put the gate before all of it."""
    for router in _ROUTERS:
        router.register(state)
    if state.authn is not None:
        from aistore.local.authn.gate import protect

        protect(state, state.authn)
