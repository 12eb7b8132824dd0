"""TLS, pool and process: what all requests of a client share."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter

from aistore.sdk.const import (
    AIS_CLIENT_CA,
    AIS_CLIENT_CRT,
    AIS_CLIENT_KEY,
    AIS_SKIP_VERIFY,
    AIS_SKIP_VERIFY_CRT,
    HTTP,
    HTTPS,
)
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.lazy import lazy_names
from aistore.sdk.transport.tls import TLSConfig
from aistore.sdk.transport.transport import Transport
from aistore.sdk.utils import parse_bool

if TYPE_CHECKING:
    from urllib3 import Retry

DEFAULT_POOL_SIZE = 10

_UNVERIFIED = "TLS certificates are not verified: anyone on the way can read and change what is sent"


class _Unset(int):
    """A False that can be told from one that the caller wrote."""

    def __repr__(self) -> str:
        return "False"

    def __reduce__(self) -> str:
        return "UNSET_FALSE"


UNSET_FALSE = cast("bool", _Unset(0))


def resolve_ssl_config(
    skip_verify: bool = UNSET_FALSE,
    ca_cert: str | None = None,
    client_cert: str | tuple[str, str] | None = None,
) -> tuple[bool | str, str | tuple[str, str] | None]:
    """Decide how TLS peers are checked: argument, else environment, else verification on.

    Args:
        skip_verify: True for no check, False for a check whatever the environment says. Default: environment
            variable `AIS_SKIP_VERIFY_CRT` (else `AIS_SKIP_VERIFY`), else False.
        ca_cert: Path of a CA file. Default: `AIS_CLIENT_CA`, else the public authorities.
        client_cert: PEM file with certificate and key, or the two files. Default: `AIS_CRT` and
            `AIS_CRT_KEY`.

    Returns:
        `verify` and `cert` as `requests` takes them.
    """
    if skip_verify is UNSET_FALSE:
        newer = os.environ.get(AIS_SKIP_VERIFY_CRT)
        skip_verify = parse_bool(newer if newer is not None else os.environ.get(AIS_SKIP_VERIFY))
    verify: bool | str = not skip_verify and (ca_cert or os.environ.get(AIS_CLIENT_CA) or True)
    if client_cert is None:
        crt, key = os.environ.get(AIS_CLIENT_CRT), os.environ.get(AIS_CLIENT_KEY)
        client_cert = (crt, key) if crt and key else None
    return verify, client_cert


class _OwnAdapter(HTTPAdapter):
    """An adapter made here: any other in a session was mounted by the program."""


class SessionManager:
    """Owns the connections of a client, and a `requests.Session` with the same settings.

    Safe to share between threads; a child process starts with connections of its own. Pickles without them.

    Args:
        retry: Retry policy of the `requests` session. Default: none.
        ca_cert: Path of a CA file. Default: environment variable `AIS_CLIENT_CA`, else the public
            authorities.
        skip_verify: True for no check of certificates. Default: `AIS_SKIP_VERIFY_CRT` or `AIS_SKIP_VERIFY`,
            else False.
        client_cert: PEM file with client certificate and key, or the two files. Default: `AIS_CRT` and
            `AIS_CRT_KEY`.
        max_pool_size: How many idle connections to one server are kept after a burst; with 0, a few seconds
            later none is. Default: 10.
    """

    def __init__(
        self,
        retry: Retry | None = None,
        ca_cert: str | None = None,
        skip_verify: bool = UNSET_FALSE,
        client_cert: str | tuple[str, str] | None = None,
        max_pool_size: int = DEFAULT_POOL_SIZE,
    ) -> None:
        if not isinstance(max_pool_size, int) or isinstance(max_pool_size, bool):
            raise InvalidArgumentType(f"max_pool_size of type {type(max_pool_size).__name__}: expected int")
        if max_pool_size < 0:
            raise InvalidArgument(f"invalid max_pool_size {max_pool_size}: expected 0 or more")
        verify, cert = resolve_ssl_config(skip_verify, ca_cert, client_cert)
        self._retry = retry
        self._ca_cert = ca_cert
        self._client_cert = cert
        self._max_pool_size = max_pool_size
        self._tls = TLSConfig(verify, cert if cert is None or isinstance(cert, str) else (cert[0], cert[1]))
        self._start()
        if self.skip_verify:
            given: object = skip_verify
            hint = "; `skip_verify` is a text: is it a token?" if isinstance(given, str) else ""
            warnings.warn(f"{_UNVERIFIED}{hint}", UserWarning, stacklevel=2)

    def _start(self) -> None:
        self._transport = Transport(self._max_pool_size, self._tls)
        self._sessions: dict[int, requests.Session] = {}
        self._own_session: requests.Session | None = None

    @property
    def retry(self) -> Retry:
        """Retry policy of the `requests` session."""
        return cast("Retry", self._retry)

    @property
    def ca_cert(self) -> str | None:
        """CA file given as an argument."""
        return self._ca_cert

    @property
    def client_cert(self) -> str | tuple[str, str] | None:
        """Client certificate from the argument or the environment."""
        return self._client_cert

    @property
    def skip_verify(self) -> bool:
        """Whether certificates are not checked."""
        return self._tls.verify is False

    @property
    def transport(self) -> Transport:
        """What carries the SDK's own requests."""
        return self._transport

    @property
    def session(self) -> requests.Session:
        """A `requests.Session` of this process with the same TLS, retry and pool settings."""
        if self._own_session is not None:
            return self._own_session
        pid = os.getpid()
        session = self._sessions.get(pid)
        if session is None:
            session = self._sessions.setdefault(pid, self._make_session())
        return session

    @session.setter
    def session(self, session: requests.Session) -> None:
        self._own_session = session

    def _make_session(self) -> requests.Session:
        session = requests.Session()
        # Otherwise `REQUESTS_CA_BUNDLE` would override `verify`, and proxies and netrc would apply.
        session.trust_env = False
        session.verify = self._tls.verify
        session.cert = self._tls.cert
        adapter = _OwnAdapter(
            max_retries=self._retry if self._retry is not None else 0,
            pool_connections=self._max_pool_size or 1,
            pool_maxsize=self._max_pool_size or 1,
        )
        session.mount(HTTP, adapter)
        session.mount(HTTPS, adapter)
        return session

    def replaced_session(self) -> requests.Session | None:
        """Return the session that a program has put in place of ours, or whose class it has changed.

        Requests then go through that session instead of the transport, so that what a program counts on
        (recorded answers, adapters of its own) keeps working.
        """
        if self._own_session is not None:
            return self._own_session
        if type(self).session is not _SESSION_PROPERTY or _hooks() != _HOOKS:
            return self.session
        session = self._sessions.get(os.getpid()) if self._sessions else None
        if session is not None and any(type(a) is not _OwnAdapter for a in session.adapters.values()):
            return session
        return None

    def close(self) -> None:
        """Close the idle connections; a later request opens new ones."""
        self._transport.close()
        for session in list(self._sessions.values()):
            session.close()
        self._sessions.clear()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for name in ("_transport", "_sessions", "_own_session"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()


_SESSION_PROPERTY = SessionManager.session


def _hooks() -> tuple[Any, ...]:
    """Where test tools such as `responses` and `requests_mock` hook themselves in."""
    session = requests.Session
    return session.request, session.send, session.get_adapter, HTTPAdapter.send


_HOOKS = _hooks()


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Retry", "Session")
