"""Tokens of the AuthN service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.authn.types import TokenMsg
from aistore.sdk.const import HTTP_METHOD_DELETE, URL_PATH_AUTHN_TOKENS
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient


class TokenManager:
    """Revokes tokens.

    Args:
        client: The client that requests go through; `AuthNClient.token_manager()` fills it in.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    def revoke(self, token: str) -> None:
        """Make a token invalid.

        Raises:
            InvalidArgument: No token is given (also a `ValueError`).
        """
        if not token:
            raise InvalidArgument("Token must be provided to revoke.")
        message = TokenMsg(token=str(token)).model_dump()
        self._client.request(method=HTTP_METHOD_DELETE, path=URL_PATH_AUTHN_TOKENS, json=message)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "get_logger", "logger")
