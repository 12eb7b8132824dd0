"""AuthN, AIStore's authentication service: users, roles, clusters, tokens."""

from aistore.sdk.authn.authn_client import AuthNClient
from aistore.sdk.authn.cluster_manager import ClusterManager
from aistore.sdk.lazy import lazy_modules

__all__ = ["AuthNClient", "ClusterManager"]

__getattr__ = lazy_modules(__name__)
