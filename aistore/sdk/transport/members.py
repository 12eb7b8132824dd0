"""Which hosts belong to a cluster: only they get the bearer token."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from aistore.sdk.errors import InvalidEndpoint, SDKError
from aistore.sdk.transport.url import Origin, parse_origin

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("aistore.sdk.transport")

FOREIGN_FOR = 60.0
"""How long a host that was not in the cluster map is not asked about again, in seconds."""

_NETS = ("public_net", "intra_data_net", "intra_control_net")


class Members:
    """The addresses of one cluster's nodes, learnt from its map when a redirect names another host.

    Args:
        endpoint: Where the client sends its requests: a member by definition.
    """

    def __init__(self, endpoint: Origin) -> None:
        self._known = frozenset({endpoint.key})
        self._foreign: dict[tuple[str, str, int], float] = {}

    def trusts(self, origin: Origin, load: Callable[[], Any]) -> bool:
        """Tell whether a host may be given the token.

        Args:
            origin: Where a redirect leads.
            load: Returns the decoded cluster map, or raises.

        Returns:
            True for the cluster's nodes; False for others, and when the map cannot be had.
        """
        if origin.key in self._known:
            return True
        now = time.monotonic()
        if self._foreign.get(origin.key, 0.0) > now:
            return False
        try:
            self._known |= map_origins(load())
        except (SDKError, ValueError, TypeError, AttributeError, RecursionError) as err:
            # Without a map no other host is trusted; the call itself goes on.
            log.debug("no cluster map to tell whether %s is a member: %s", origin.netloc, err)
            return False
        if origin.key in self._known:
            return True
        if len(self._foreign) > 1000:
            self._foreign.clear()
        self._foreign[origin.key] = now + FOREIGN_FOR
        return False


def map_origins(smap: Any) -> frozenset[tuple[str, str, int]]:
    """List the addresses in a decoded cluster map.

    Args:
        smap: The answer to `what=smap`.

    Returns:
        Keys of the nodes' public and intra-cluster addresses.
    """
    found = set()
    for nodes in ("pmap", "tmap"):
        for node in (smap.get(nodes) or {}).values():
            for net in _NETS:
                url = str((node.get(net) or {}).get("direct_url"))
                try:
                    found.add(parse_origin(url.rstrip("/")).key)
                except InvalidEndpoint:
                    continue
    return frozenset(found)
