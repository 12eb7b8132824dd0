"""AuthN, AIStore's authentication service: users, roles, clusters, tokens."""

from aistore.sdk.authn.authn_client import AuthNClient
from aistore.sdk.authn.cluster_manager import ClusterManager

__all__ = ["AuthNClient", "ClusterManager"]
