"""The bearer token of a client, and how it is renewed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from aistore.sdk.errors import InvalidArgumentType

TokenRefresh = Callable[[], str]
"""Gets a new token, as by logging in again."""


class Secret(str):
    """A text that does not show itself in a `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class Credentials:
    """A token, shared by a client and its clones, that is renewed when the cluster no longer accepts it.

    Args:
        token: Bearer token, or "" or None.
        refresh: Gets a new one. Default: none, the token stays.
    """

    def __init__(self, token: str | None = "", refresh: TokenRefresh | None = None) -> None:
        if refresh is not None and not callable(refresh):
            raise InvalidArgumentType(
                f"token_refresh of type {type(refresh).__name__}: expected a function that returns a token"
            )
        self.token = token
        self.refresh = refresh
        self._start()

    def _start(self) -> None:
        # One a process: a lock that another thread held during a fork is never released in the child.
        self._locks: dict[int, threading.Lock] = {}
        self._failed_at = float("-inf")

    @property
    def token(self) -> str | None:
        """Bearer token; "" or None, whichever was set, for none."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._token = None if token is None else Secret(token)

    def renew(self, stale: str | None) -> bool:
        """Replace a token that was refused; threads that ask at once share one renewal.

        Args:
            stale: The token that was refused.

        Returns:
            Whether there is another one now.

        Raises:
            InvalidArgumentType: The function returned something other than text.
        """
        if self.refresh is None:
            return False
        asked_at = time.monotonic()
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._token != stale:
                return True
            if self._failed_at >= asked_at:  # while this thread waited for the lock
                return False
            try:
                token = self.refresh()
                if not isinstance(token, str):
                    raise InvalidArgumentType(
                        f"token_refresh returned {type(token).__name__}: expected a token as str"
                    )
            except BaseException:
                self._failed_at = time.monotonic()
                raise
            self.token = token
            return bool(token) and token != stale

    def __getstate__(self) -> dict[str, Any]:
        return {"_token": self._token, "refresh": self.refresh}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()
