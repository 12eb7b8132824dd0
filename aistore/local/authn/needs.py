"""A permission that a request needs, for the cluster or for one bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from aistore.local.names import Bck
    from aistore.local.state import State

READ_ALL = AccessAttr.GET | AccessAttr.OBJ_LIST


class Need(NamedTuple):
    """All of these bits, for this bucket; without one, for the cluster.

    Attributes:
        bits: The permissions.
        bck: The bucket.
        shown: What is refused in its place where that is not granted either, so that a refusal does not
            depend on whether there is a bucket.
    """

    bits: int
    bck: Bck | None = None
    shown: Need | None = None


def cluster(bits: AccessAttr) -> list[Need]:
    """What concerns no one bucket."""
    return [Need(int(bits))]


def on(bck: Bck, bits: AccessAttr) -> list[Need]:
    """What concerns one bucket."""
    return [Need(int(bits), bck)]


def write_to(state: State, bck: Bck) -> list[Need]:
    """Writing to a bucket that is made if it isn't there."""
    to_write = on(bck, AccessAttr.PUT)
    if state.catalog.buckets.find(bck) is None:
        return [Need(int(AccessAttr.CREATE_BUCKET), shown=to_write[0])]
    return to_write
