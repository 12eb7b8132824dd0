"""The cluster map: nodes, their networks, and which target owns an object."""

from collections.abc import Mapping

from aistore.sdk.errors import NoTargetError
from aistore.sdk.hrw import get_digest, xoshiro256_hash
from aistore.sdk.models.base import Model

# Bits of `Snode.flags` (1: non-electable, 2: keeps job statuses, 16: rebalance after maintenance).
_IN_MAINTENANCE = 1 << 2
_DECOMMISSIONED = 1 << 3


class NetInfo(Model):
    """Address of a node in one of its networks."""

    node_hostname: str = ""
    daemon_port: str = ""
    direct_url: str = ""


class Snode(Model):
    """A node of the cluster: proxy or target."""

    daemon_id: str
    daemon_type: str
    public_net: NetInfo | None = None
    intra_control_net: NetInfo | None = None
    intra_data_net: NetInfo | None = None
    flags: int = 0
    id_digest: int = 0

    def in_maint_or_decomm(self) -> bool:
        """Return whether the node is in maintenance or being decommissioned: it owns no objects then."""
        return bool(self.flags & (_IN_MAINTENANCE | _DECOMMISSIONED))


class Smap(Model):
    """Cluster map: targets and proxies by id, the primary proxy, and the map's own version."""

    tmap: Mapping[str, Snode]
    pmap: Mapping[str, Snode]
    proxy_si: Snode
    version: int = 0
    uuid: str = ""
    creation_time: str = ""

    def get_target_for_object(self, uname: str) -> Snode:
        """Return the target that owns an object: highest random weight (AIStore, "HRW").

        The first target wins a tie. Targets in maintenance own nothing.

        Args:
            uname: `provider/@uuid#namespace/bucket/object`, for instance `ais/@#/images/cat.jpg`.

        Raises:
            NoTargetError: The map has no target that could own it.
        """
        digest = get_digest(uname)
        owners = (node for node in self.tmap.values() if not node.in_maint_or_decomm())
        owner = max(owners, key=lambda node: xoshiro256_hash(node.id_digest ^ digest), default=None)
        if owner is None:
            raise NoTargetError(len(self.tmap))
        return owner
