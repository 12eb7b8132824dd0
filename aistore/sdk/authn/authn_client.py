"""The client of the AuthN service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aistore.sdk.authn.cluster_manager import ClusterManager
from aistore.sdk.authn.login_again import LoginAgain
from aistore.sdk.authn.paths import resource
from aistore.sdk.authn.response_handler import AuthNResponseHandler
from aistore.sdk.authn.role_manager import RoleManager
from aistore.sdk.authn.token_manager import TokenManager
from aistore.sdk.authn.types import LoginMsg, TokenMsg
from aistore.sdk.authn.user_manager import UserManager
from aistore.sdk.client import resolve_timeout, set_ones
from aistore.sdk.closing import ClosesConnections
from aistore.sdk.const import AIS_AUTHN_TOKEN, HTTP_METHOD_POST, URL_PATH_AUTHN_USERS
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.request_client import RequestClient
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.session_manager import UNSET_FALSE, SessionManager

if TYPE_CHECKING:
    from urllib3 import Retry


class AuthNClient(ClosesConnections):
    """A client of the AuthN service. Making one makes no request.

    Args:
        endpoint: URL of the service, for instance `http://localhost:52001`.
        skip_verify: Don't check the server's certificate. Default: `AIS_SKIP_VERIFY_CRT`, else `False`.
        ca_cert: Path of a file with certificate authorities. Default: `AIS_CLIENT_CA`, else the system's.
        timeout: Seconds for everything, or a pair for connecting and reading; 0: none. Default:
            `AIS_CONNECT_TIMEOUT` and `AIS_READ_TIMEOUT`, else (3, 20).
        retry: When to send a request again. Default: as for `Client`.
        token: Token of the user. Default: `AIS_AUTHN_TOKEN`, else none; see `login`.
        client_cert: Path of a client certificate with its key, or a pair of paths. Default: `AIS_CRT` and
            `AIS_CRT_KEY`, else none.
    """

    def __init__(
        self,
        endpoint: str,
        skip_verify: bool = UNSET_FALSE,
        ca_cert: str | None = None,
        timeout: float | tuple[float, float] | None = None,
        retry: Retry | None = None,
        token: str | None = None,
        client_cert: str | tuple[str, str] | None = None,
    ) -> None:
        retry_config = None
        if retry is not None:
            retry_config = RetryConfig.default()
            retry_config.http_retry = retry
        self._request_client = RequestClient(
            endpoint=endpoint,
            session_manager=SessionManager(
                retry=retry,
                ca_cert=ca_cert,
                skip_verify=skip_verify,
                **set_ones(client_cert=client_cert),
            ),
            timeout=resolve_timeout(timeout),
            token=token or os.environ.get(AIS_AUTHN_TOKEN) or None,
            response_handler=AuthNResponseHandler(),
            **set_ones(retry_config=retry_config),
        )

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._request_client

    def __repr__(self) -> str:
        return f"AuthNClient({self._request_client.base_url.removesuffix('/v1')!r})"

    def login(self, username: str, password: str, expires_in: float | None = None) -> str:
        """Get a token, and use it from now on.

        Args:
            username: Name of the user.
            password: The password.
            expires_in: Seconds for which the token is valid. Default: the service's choice.

        Returns:
            The token, for `Client(..., token=token)`.

        Raises:
            InvalidArgument: The password is blank, or `expires_in` is negative (also a `ValueError`).
            ErrUserInvalidCredentials: User or password is wrong.
        """
        if not password.strip():
            raise InvalidArgument("Password cannot be empty or spaces only")
        if expires_in is not None and expires_in < 0:
            raise InvalidArgument(f"expires_in must be a number of seconds from 0 on, not {expires_in!r}")
        token = self._request_client.request_deserialize(
            HTTP_METHOD_POST,
            path=resource(URL_PATH_AUTHN_USERS, "username", username),
            res_model=TokenMsg,
            json=LoginMsg(password=password, expires_in=expires_in).as_dict(),
        ).token
        self._request_client.token = token
        return token

    def token_refresh(self, username: str, password: str, expires_in: float | None = None) -> LoginAgain:
        """Return a function that logs in and returns the token: `Client(..., token_refresh=...)`.

        Args:
            username: Name of the user.
            password: The password; it is pickled with the function, and never shown.
            expires_in: Seconds for which each token is valid. Default: the service's choice.
        """
        return LoginAgain(self, username, password, expires_in)

    def logout(self) -> None:
        """Make the token in use invalid, and use none from now on.

        Raises:
            InvalidArgument: There is none (also a `ValueError`).
        """
        if not self._request_client.token:
            raise InvalidArgument("Must be logged in first (no token)")
        self.token_manager().revoke(self._request_client.token)
        self._request_client.token = None

    def cluster_manager(self) -> ClusterManager:
        """Return what registers clusters."""
        return ClusterManager(self._request_client)

    def role_manager(self) -> RoleManager:
        """Return what makes and changes roles."""
        return RoleManager(self._request_client)

    def user_manager(self) -> UserManager:
        """Return what makes and changes users."""
        return UserManager(self._request_client)

    def token_manager(self) -> TokenManager:
        """Return what revokes tokens."""
        return TokenManager(self._request_client)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Retry", "get_logger", "logger")
