"""Clusters that the AuthN service knows."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistore.sdk.authn.errors import UnknownClusterError
from aistore.sdk.authn.paths import resource
from aistore.sdk.authn.types import ClusterInfo, ClusterList
from aistore.sdk.const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    URL_PATH_AUTHN_CLUSTERS,
)
from aistore.sdk.errors import InvalidArgument, SDKError
from aistore.sdk.lazy import lazy_names
from aistore.sdk.response_handler import AISResponseHandler

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient


class ClusterManager:
    """Registers clusters with the AuthN service.

    Args:
        client: The client that requests go through; `AuthNClient.cluster_manager()` fills it in.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    def list(self) -> ClusterList:
        """Return all registered clusters."""
        return self._client.request_deserialize(
            HTTP_METHOD_GET, path=URL_PATH_AUTHN_CLUSTERS, res_model=ClusterList
        )

    def get(self, cluster_id: str | None = None, cluster_alias: str | None = None) -> ClusterInfo:
        """Return a registered cluster.

        Args:
            cluster_id: Its id; it counts when both are given.
            cluster_alias: Its alias.

        Raises:
            InvalidArgument: Neither is given (also a `ValueError`).
            ErrClusterNotFound: No such cluster is registered.
            UnknownClusterError: The service named none (also a `RuntimeError`).
        """
        name = _id_or_alias(cluster_id, cluster_alias)
        found = self._client.request_deserialize(
            HTTP_METHOD_GET, path=resource(URL_PATH_AUTHN_CLUSTERS, "a cluster", name), res_model=ClusterList
        )
        for info in found.clusters.values():
            return info
        raise UnknownClusterError(f"No cluster found with ID or alias '{name}'")

    def register(self, cluster_alias: str, urls: Sequence[str]) -> ClusterInfo:
        """Register a cluster; its id is asked of the cluster itself, at the first URL.

        Args:
            cluster_alias: Alias to give it.
            urls: Its URLs, for instance `http://host:8080`.

        Raises:
            InvalidArgument: There is no URL, or no cluster at the first one (also a `ValueError`).
            ErrClusterAlreadyRegistered: The cluster or the alias is registered.
        """
        urls = _checked_urls(urls)
        if not urls:
            raise InvalidArgument("At least one URL must be provided")
        try:
            cluster = self._client.clone(base_url=urls[0], response_handler=AISResponseHandler())
            uuid = cluster.get_smap().uuid
        except SDKError as err:
            raise InvalidArgument(f"Failed to retrieve UUID for the provided URL {urls[0]}: {err}") from err
        if not uuid:
            raise InvalidArgument("Failed to retrieve UUID for the provided URL")
        info = ClusterInfo(id=uuid, alias=cluster_alias, urls=urls)
        self._client.request(HTTP_METHOD_POST, path=URL_PATH_AUTHN_CLUSTERS, json=info.model_dump())
        return self.get(uuid)

    def update(
        self, cluster_id: str, cluster_alias: str | None = None, urls: Sequence[str] | None = None
    ) -> ClusterInfo:
        """Change alias or URLs of a registered cluster.

        Args:
            cluster_id: Its id.
            cluster_alias: New alias. Default: as it was.
            urls: New URLs. Default: as they were.

        Raises:
            InvalidArgument: There is no id, or nothing to change (also a `ValueError`).
            ErrClusterNotFound: No such cluster is registered.
        """
        if not cluster_id:
            raise InvalidArgument("Cluster ID must be provided")
        if cluster_alias is None and urls is None:
            raise InvalidArgument("At least one of cluster_alias or urls must be provided")
        info = ClusterInfo(id=cluster_id, alias=cluster_alias, urls=_checked_urls(urls or ()))
        path = resource(URL_PATH_AUTHN_CLUSTERS, "cluster_id", cluster_id)
        self._client.request(HTTP_METHOD_PUT, path=path, json=info.model_dump())
        return self.get(cluster_id)

    def delete(self, cluster_id: str | None = None, cluster_alias: str | None = None) -> None:
        """Remove a registered cluster.

        Args:
            cluster_id: Its id; it counts when both are given.
            cluster_alias: Its alias.

        Raises:
            InvalidArgument: Neither is given (also a `ValueError`).
            ErrClusterNotFound: No such cluster is registered.
        """
        name = _id_or_alias(cluster_id, cluster_alias)
        self._client.request(HTTP_METHOD_DELETE, path=resource(URL_PATH_AUTHN_CLUSTERS, "a cluster", name))


def _id_or_alias(cluster_id: str | None, cluster_alias: str | None) -> str:
    name = cluster_id or cluster_alias
    if not name:
        raise InvalidArgument("At least one of cluster_id or cluster_alias must be provided")
    return name


def _checked_urls(urls: Sequence[str]) -> builtins.list[str]:
    if isinstance(urls, str):
        raise InvalidArgument(f"urls must be a list of URLs, such as [{urls!r}]")
    return [*urls]


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "get_logger", "logger")
