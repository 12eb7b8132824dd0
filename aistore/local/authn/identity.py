"""Who sent a request, and what the token grants: fixed when it was issued (protocol/08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aistore.local.names import Bck

ALL = 2**64 - 1
_SHOWN = 4

# The operations that errors name, in the order of their bits.
_NAMES = (
    *("GET", "HEAD-OBJECT", "PUT", "APPEND", "DELETE-OBJECT", "MOVE-OBJECT", "PROMOTE", "UPDATE-OBJECT"),
    *("HEAD-BUCKET", "LIST-OBJECTS", "PATCH", "SET-BUCKET-ACL", "LIST-BUCKETS", "SHOW-CLUSTER"),
    *("CREATE-BUCKET", "DESTROY-BUCKET", "MOVE-BUCKET", "ADMIN"),
)


def describe(bits: int) -> str:
    """The operations of a mask, as errors list them: the first four."""
    names = [name for bit, name in enumerate(_NAMES) if bits >> bit & 1]
    return ",".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def go_duration(seconds: float) -> str:
    """A duration as in `23h59m59s`."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


class BucketGrant(NamedTuple):
    """The bucket that an entry of a token is about."""

    cluster: str
    name: str
    provider: str
    namespace: str


class Identity(NamedTuple):
    """The bearer of a valid token.

    Attributes:
        user: Name of the user.
        expires: When the token does, Unix seconds.
        serial: Tells the user from one who had the name before.
        is_admin: May do everything.
        clusters: Masks by cluster; an empty ID stands for every other cluster.
        buckets: Masks by bucket.
    """

    user: str
    expires: float
    serial: str
    is_admin: bool
    clusters: dict[str, int]
    buckets: dict[BucketGrant, int]

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Identity:
        """Read the claims of a token that was issued here.

        Raises:
            ValueError: They are not such claims.
        """
        try:
            return cls(
                user=claims["sub"],
                expires=float(claims["exp"]),
                serial=str(claims["uid"]),
                is_admin=claims.get("admin") is True,
                clusters={str(entry["id"]): int(entry["perm"]) for entry in claims.get("clusters") or ()},
                buckets={grant_of(entry["bck"]): int(entry["perm"]) for entry in claims.get("buckets") or ()},
            )
        except (KeyError, TypeError, AttributeError) as err:
            raise ValueError("token has invalid claims") from err

    def granted(self, cluster: str, bck: Bck | None) -> int:
        """The mask for a bucket, or for the cluster where none is given.

        A bucket's own entry takes the place of its cluster's.
        """
        if self.is_admin:
            return ALL
        if bck is not None:
            own = self.buckets.get(BucketGrant(cluster, bck.name, bck.provider, bck.ns_name))
            if own is not None and bck.ns_uuid in {"", cluster}:
                return own
        return self.clusters.get(cluster, self.clusters.get("", 0))

    def expires_in(self, now: float) -> str:
        """`token expires in ...`, as errors say it."""
        return f"token expires in {go_duration(self.expires - now)}"


def grant_of(bck: dict[str, Any]) -> BucketGrant:
    """The bucket of an entry: its namespace's UUID is that of the cluster it is in."""
    namespace = bck.get("namespace") or {}
    provider = str(bck.get("provider") or "ais")
    return BucketGrant(
        str(namespace.get("uuid") or ""), str(bck["name"]), provider, str(namespace.get("name") or "")
    )


def union(masks: Iterable[tuple[Any, int]]) -> dict[Any, int]:
    """Masks by key, those of the same key together."""
    found: dict[Any, int] = {}
    for key, mask in masks:
        found[key] = found.get(key, 0) | mask
    return found


ROLE_MASKS = {
    "ClusterOwner": ("Admin access to {}", ALL),
    "BucketOwner": ("Full access to buckets in {}", int(AccessAttr.ACCESS_RW)),
    "Guest": ("Read-only access to buckets in {}", int(AccessAttr.ACCESS_RO)),
}
"""Roles that come with a cluster: what they are for, and their masks."""
