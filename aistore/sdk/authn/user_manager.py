"""Users of the AuthN service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistore.sdk.authn.errors import ErrUserNotFound
from aistore.sdk.authn.paths import resource
from aistore.sdk.authn.role_manager import RoleManager
from aistore.sdk.authn.types import RolesList, UserInfo, UserMap
from aistore.sdk.const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    URL_PATH_AUTHN_USERS,
)
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient


class UserManager:
    """Makes and changes users.

    Args:
        client: The client that requests go through; `AuthNClient.user_manager()` fills it in.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client
        self._roles = RoleManager(client)

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    def list(self) -> UserMap:
        """Return all users, by name."""
        return self._client.request_deserialize(HTTP_METHOD_GET, path=URL_PATH_AUTHN_USERS, res_model=UserMap)

    def get(self, username: str) -> UserInfo:
        """Return a user.

        Raises:
            ErrUserNotFound: There is no such user.
        """
        return self._client.request_deserialize(HTTP_METHOD_GET, path=_path(username), res_model=UserInfo)

    def create(self, username: str, roles: Sequence[str], password: str) -> UserInfo:
        """Make a user.

        Args:
            username: Name of the user.
            roles: Names of the user's roles.
            password: The password.

        Raises:
            ErrRoleNotFound: There is no such role.
            ErrUserAlreadyExists: There is such a user.
        """
        _path(username)
        user = UserInfo(id=username, password=password, roles=self._roles_of(roles))
        self._client.request(HTTP_METHOD_POST, path=URL_PATH_AUTHN_USERS, json=user.dict())
        return self.get(username)

    def update(
        self, username: str, password: str | None = None, roles: Sequence[str] | None = None
    ) -> UserInfo:
        """Change a user.

        Args:
            username: Name of the user.
            password: New password. Default: as it was.
            roles: Names of all roles that the user then has. Default: as they were.

        Raises:
            InvalidArgument: Nothing to change (also a `ValueError`).
            ErrRoleNotFound: There is no such role.
            ErrUserNotFound: There is no such user.
        """
        if not password and roles is None:
            raise InvalidArgument("You must change either the password or roles for a user.")
        # The service takes roles that are not sent for roles to be removed.
        kept = self.get(username).roles if roles is None else self._roles_of(roles)
        user = UserInfo(id=username, password=password, roles=kept)
        self._client.request(HTTP_METHOD_PUT, path=_path(username), json=user.dict())
        return self.get(username)

    def delete(self, username: str, missing_ok: bool = False) -> None:
        """Remove a user.

        Args:
            username: Name of the user.
            missing_ok: Don't complain if there is none. Default: `False`.

        Raises:
            ErrUserNotFound: There is no such user.
        """
        try:
            self._client.request(HTTP_METHOD_DELETE, path=_path(username))
        except ErrUserNotFound:
            if not missing_ok:
                raise

    def _roles_of(self, names: Sequence[str]) -> RolesList:
        if isinstance(names, str):
            raise InvalidArgument(f"roles must be a list of names, such as [{names!r}]")
        return RolesList([self._roles.get(name) for name in names])


def _path(name: str) -> str:
    return resource(URL_PATH_AUTHN_USERS, "a user", name)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "get_logger", "logger")
