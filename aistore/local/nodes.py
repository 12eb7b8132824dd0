"""The nodes as clients see them: one proxy, N targets, and the cluster map (protocol/12)."""

from __future__ import annotations

import secrets
import string
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aistore.local import hrw

if TYPE_CHECKING:
    from aistore.local.catalog import Catalog

_ALPHABET = string.ascii_letters + string.digits
_IC_MEMBER = 2
_KEPT_OWNERS = 4096


def new_id(length: int = 9) -> str:
    """A random ID as the cluster makes them: letters and digits, beginning with a letter."""
    return secrets.choice(string.ascii_letters) + "".join(
        secrets.choice(_ALPHABET) for _ in range(length - 1)
    )


class Node:
    """One node.

    Args:
        kind (str): `proxy` or `target`.
        id (str): Its ID, stable across restarts of the folder.
        index (int): Number of the target, 0 for the proxy.
    """

    def __init__(self, kind: str, id: str, index: int) -> None:
        self.kind = kind
        self.id = id
        self.index = index
        self.digest = hrw.digest(id)
        self.host = ""
        self.port = 0
        self.url = ""
        self._scheme = "http"

    @property
    def is_proxy(self) -> bool:
        """Whether this is the proxy."""
        return self.kind == "proxy"

    @property
    def label(self) -> str:
        """`p[ID]` or `t[ID]`, as in messages."""
        return f"{self.kind[0]}[{self.id}]"

    def bind(self, scheme: str, host: str, port: int) -> None:
        """Set the address by which programs of this machine reach the node."""
        self.host = host
        self.port = port
        self._scheme = scheme
        self.url = self.url_at(host)

    def url_at(self, host: str) -> str:
        """The node's URL for a client that reaches this machine as `host`."""
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def as_dict(self, host: str = "", *, in_map: bool = True) -> dict[str, Any]:
        """The node as in the cluster map; the same address three times, as there is one network.

        Args:
            host (str): The name by which the client reaches this machine. Default: the node's own.
            in_map (bool): As an entry of the map.
        """
        host = host or self.host
        net = {"node_ip_addr": host, "daemon_port": str(self.port), "direct_url": self.url_at(host)}
        return {
            "public_net": net,
            "intra_data_net": net,
            "intra_control_net": net,
            "daemon_type": self.kind,
            "daemon_id": self.id,
            "flags": _IC_MEMBER if in_map and self.is_proxy else 0,
            "id_digest": self.digest,
        }


class Nodes:
    """All nodes of the cluster.

    Args:
        catalog (Catalog): Keeps IDs and the cluster's UUID across restarts.
        targets (int): How many targets.
    """

    def __init__(self, catalog: Catalog, targets: int) -> None:
        self.uuid = catalog.meta("uuid", new_id())
        self.created = catalog.meta("created", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
        self.proxy = Node("proxy", catalog.meta("node:proxy", new_id(8)), 0)
        self.targets = [Node("target", catalog.meta(f"node:t{i}", new_id(8)), i) for i in range(targets)]
        self.version = targets + 3
        digests = [target.digest for target in self.targets]
        # A request asks several times for the owner of its object.
        self._owner_index = lru_cache(_KEPT_OWNERS)(lambda uname: hrw.owner(uname, digests))

    def place(self, uname: str) -> int:
        """Index of the target that owns an object's full name."""
        return self._owner_index(uname)

    def owner(self, uname: str) -> Node:
        """The target that owns an object's full name."""
        return self.targets[self._owner_index(uname)]

    def find(self, node_id: str) -> Node | None:
        """A node by its ID."""
        return next((node for node in (self.proxy, *self.targets) if node.id == node_id), None)

    def smap(self, host: str = "") -> dict[str, Any]:
        """The cluster map for a client that reaches this machine as `host`."""
        proxy = self.proxy.as_dict(host)
        return {
            "pmap": {self.proxy.id: proxy},
            "proxy_si": proxy,
            "tmap": {target.id: target.as_dict(host) for target in self.targets},
            "uuid": self.uuid,
            "creation_time": self.created,
            "version": str(self.version),
        }
