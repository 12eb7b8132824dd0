"""Connections of an ETL server to its target and to the next hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter

from aistore.sdk.const import HEADER_AUTHORIZATION

if TYPE_CHECKING:
    import ssl

    from aistore.sdk.etl.webserver.settings import ServerSettings


def auth_headers(settings: ServerSettings) -> dict[str, str]:
    """Return the headers that identify the server to its peers."""
    return {HEADER_AUTHORIZATION: f"Bearer {settings.token}"} if settings.token else {}


def own_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings of the environment, for clients other than `requests`."""
    import ssl

    from aistore.sdk.session_manager import resolve_ssl_config

    verify, cert = resolve_ssl_config()
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    return context


def make_session(settings: ServerSettings) -> requests.Session:
    """Make the session for blocking calls: TLS from the environment, no proxies, no retries of its own."""
    from aistore.sdk.session_manager import resolve_ssl_config

    session = requests.Session()
    session.trust_env = False
    session.verify, session.cert = resolve_ssl_config()
    session.headers["Accept-Encoding"] = "identity"
    session.headers.update(auth_headers(settings))
    adapter = HTTPAdapter(pool_connections=32, pool_maxsize=settings.max_conn)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
