"""Roles of the AuthN service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.cluster_manager import ClusterManager
from aistore.sdk.authn.errors import ErrRoleNotFound
from aistore.sdk.authn.paths import resource
from aistore.sdk.authn.types import BucketPermission, ClusterPermission, RoleInfo, RolesList
from aistore.sdk.const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    URL_PATH_AUTHN_ROLES,
)
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider
from aistore.sdk.types import BucketModel

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient


class RoleManager:
    """Makes and changes roles: permissions for a cluster or a bucket, under a name.

    Args:
        client: The client that requests go through; `AuthNClient.role_manager()` fills it in.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    def list(self) -> RolesList:
        """Return all roles."""
        return self._client.request_deserialize(
            HTTP_METHOD_GET, path=URL_PATH_AUTHN_ROLES, res_model=RolesList
        )

    def get(self, role_name: str) -> RoleInfo:
        """Return a role.

        Raises:
            ErrRoleNotFound: There is no such role.
        """
        return self._client.request_deserialize(HTTP_METHOD_GET, path=_path(role_name), res_model=RoleInfo)

    def create(
        self,
        name: str,
        desc: str,
        cluster_alias: str,
        perms: Sequence[AccessAttr],
        bucket_name: str | None = None,
    ) -> RoleInfo:
        """Make a role.

        Args:
            name: Name of the role.
            desc: Description.
            cluster_alias: Cluster that the permissions are for.
            perms: The permissions.
            bucket_name: AIS bucket of the cluster that they are for. Default: the whole cluster.

        Raises:
            ErrClusterNotFound: No such cluster is registered.
            ErrRoleAlreadyExists: There is such a role.
        """
        _path(name)
        role = RoleInfo(name=name, desc=desc)
        self._permit(role, cluster_alias, perms, bucket_name)
        self._client.request(HTTP_METHOD_POST, path=URL_PATH_AUTHN_ROLES, json=role.model_dump())
        return self.get(name)

    def update(
        self,
        name: str,
        desc: str | None = None,
        cluster_alias: str | None = None,
        perms: Sequence[AccessAttr] | None = None,
        bucket_name: str | None = None,
    ) -> None:
        """Change a role.

        New permissions for a cluster replace all those for clusters that the role had; the same for buckets.

        Args:
            name: Name of the role.
            desc: New description. Default: as it was.
            cluster_alias: Cluster that the new permissions are for. Default: permissions as they were.
            perms: The new permissions.
            bucket_name: AIS bucket of the cluster that they are for. Default: the whole cluster.

        Raises:
            InvalidArgument: Nothing to change, or cluster without permissions or the reverse.
            ErrRoleNotFound: There is no such role.
        """
        if not desc and not perms and not bucket_name and not cluster_alias:
            raise InvalidArgument(
                "You must change either the description or permissions for a bucket or cluster."
            )
        if perms and not cluster_alias:
            raise InvalidArgument("Cluster alias must be provided when permissions are specified.")
        if bucket_name and not cluster_alias:
            raise InvalidArgument("Cluster alias must be provided when bucket_name is specified.")
        if cluster_alias and not perms:
            raise InvalidArgument(
                "Permissions must be provided when cluster alias or bucket name is specified."
            )
        role = self.get(name)
        if desc:
            role.desc = desc
        if cluster_alias and perms:
            self._permit(role, cluster_alias, perms, bucket_name)
        self._client.request(HTTP_METHOD_PUT, path=_path(name), json=role.model_dump())

    def delete(self, name: str, missing_ok: bool = False) -> None:
        """Remove a role.

        Args:
            name: Name of the role.
            missing_ok: Don't complain if it isn't there. Default: `False`.

        Raises:
            ErrRoleNotFound: There is no such role.
        """
        try:
            self._client.request(HTTP_METHOD_DELETE, path=_path(name))
        except ErrRoleNotFound:
            if not missing_ok:
                raise

    def _permit(
        self, role: RoleInfo, cluster_alias: str, perms: Sequence[AccessAttr], bucket_name: str | None
    ) -> None:
        cluster_id = ClusterManager(self._client).get(cluster_alias=cluster_alias).id
        perm = str(int(reduce(or_, perms, AccessAttr(0))))
        if bucket_name:
            bucket = BucketModel(
                name=bucket_name, provider=Provider.AIS.value, namespace=Namespace(uuid=cluster_id)
            )
            role.buckets = [BucketPermission(bck=bucket, perm=perm)]
        else:
            role.clusters = [ClusterPermission(id=cluster_id, perm=perm)]


def _path(name: str) -> str:
    return resource(URL_PATH_AUTHN_ROLES, "a role", name)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "get_logger", "logger")
