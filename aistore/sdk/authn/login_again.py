"""Logging in again, as a function that a client can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.credentials import Secret

if TYPE_CHECKING:
    from aistore.sdk.authn.authn_client import AuthNClient


class LoginAgain:
    """Logs a user in, each time it is called, and returns the token.

    Args:
        authn: The client of the AuthN service.
        username: Name of the user.
        password: The password.
        expires_in: Seconds for which each token is valid. Default: the service's choice.
    """

    def __init__(
        self, authn: AuthNClient, username: str, password: str, expires_in: float | None = None
    ) -> None:
        self._authn = authn
        self._username = username
        self._password = Secret(password)
        self._expires_in = expires_in

    def __call__(self) -> str:
        """Log in, and return the token."""
        return self._authn.login(self._username, str(self._password), self._expires_in)

    def __repr__(self) -> str:
        return f"LoginAgain({self._authn!r}, {self._username!r})"
