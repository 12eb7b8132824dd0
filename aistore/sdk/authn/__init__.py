"""AuthN, AIStore's authentication service: users, roles, clusters, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.sdk.authn.authn_client import AuthNClient
    from aistore.sdk.authn.cluster_manager import ClusterManager

__all__ = ["AuthNClient", "ClusterManager"]

_MODULES = {
    "AuthNClient": "authn_client",
    "ClusterManager": "cluster_manager",
}

__getattr__ = lazy_exports(__name__, _MODULES)
