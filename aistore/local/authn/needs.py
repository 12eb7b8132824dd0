"""A permission that a request needs, for the cluster or for one bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from aistore.local.names import Bck
    from aistore.local.state import State

READ_ALL = AccessAttr.GET | AccessAttr.OBJ_LIST


class Need(NamedTuple):
    """All of these bits, for this bucket; without one, for the cluster."""

    bits: int
    bck: Bck | None = None


def cluster(bits: AccessAttr) -> list[Need]:
    """What concerns no one bucket."""
    return [Need(int(bits))]


def on(bck: Bck, bits: AccessAttr) -> list[Need]:
    """What concerns one bucket."""
    return [Need(int(bits), bck)]


def write_to(state: State, bck: Bck) -> list[Need]:
    """Writing to a bucket that is made if it isn't there."""
    if state.catalog.buckets.find(bck) is None:
        return cluster(AccessAttr.CREATE_BUCKET)
    return on(bck, AccessAttr.PUT)
