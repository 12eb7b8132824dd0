"""Connections of an ETL server to its target and to the next hop.

Requests travel by the SDK's own transport. `requests` and `httpx` are there for programs that use or replace
a server's `session` or `client`: from then on these are obeyed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter

from aistore.sdk.const import (
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_LENGTH,
    HEADER_DIRECT_PUT_LENGTH,
    HEADER_ETL_RETRY_REASON,
    STATUS_OK,
    STATUS_SERVICE_UNAVAILABLE,
)
from aistore.sdk.errors import AISProtocolError
from aistore.sdk.etl.webserver.exchange import Gatherer, HopAnswer, ObjectTooLarge, check_size
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.call import Call, Hop, shown_url
from aistore.sdk.transport.exchange import exchange
from aistore.sdk.transport.pool import Pool
from aistore.sdk.transport.stream import BodyReader
from aistore.sdk.transport.tls import TLSConfig, context_for
from aistore.sdk.transport.url import Base, parse_origin, split_url
from aistore.wire.http1.parse import Headers, MalformedMessageError, response_length

if TYPE_CHECKING:
    import ssl

    from aistore.sdk.etl.webserver.base_etl_server import ETLServer
    from aistore.sdk.etl.webserver.settings import ServerSettings
    from aistore.sdk.transport.connection import Connection
    from aistore.wire.http1.parse import ResponseHead

_READ_BUFFER = 1 << 16
_READ_BYTES = 1 << 20


def token_for(settings: ServerSettings, url: str) -> str:
    """Return the token for a request, or "": it does not travel in the clear where the own target has TLS.

    Args:
        settings: The server's settings.
        url: Where the request goes.
    """
    exposed = url.startswith("http:") and settings.host_target.startswith("https:")
    return "" if exposed else settings.token or ""


def auth_headers(settings: ServerSettings, url: str) -> dict[str, str]:
    """Return the headers that identify the server to a peer.

    Args:
        settings: The server's settings.
        url: Where the request goes.
    """
    token = token_for(settings, url)
    return {HEADER_AUTHORIZATION: f"Bearer {token}"} if token else {}


def without_token(settings: ServerSettings, url: str) -> dict[str, str]:
    """Return what has a client that adds the token to every request leave it out, where it must.

    Args:
        settings: The server's settings.
        url: Where the request goes.
    """
    return {HEADER_AUTHORIZATION: ""} if settings.token and not token_for(settings, url) else {}


def own_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings of the environment, for clients other than `requests`."""
    return context_for(_tls_config())


def _tls_config() -> TLSConfig:
    from aistore.sdk.session_manager import resolve_ssl_config

    verify, cert = resolve_ssl_config()
    return TLSConfig(verify, cert)


def make_session(settings: ServerSettings) -> requests.Session:
    """Make the session for blocking calls: TLS from the environment, no proxies, no retries of its own."""
    from aistore.sdk.session_manager import resolve_ssl_config

    session = requests.Session()
    session.trust_env = False
    session.verify, session.cert = resolve_ssl_config()
    session.headers["Accept-Encoding"] = "identity"
    session.headers.update(auth_headers(settings, settings.host_target))
    adapter = HTTPAdapter(pool_connections=32, pool_maxsize=settings.max_conn)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def hop_answer(status: int, body: bytes, headers: Any) -> HopAnswer:
    """Take what matters from the next hop's answer; a length that is no number counts as none.

    Args:
        status: Its status.
        body: Its body.
        headers: Its headers, by name in any case.
    """
    try:
        length = int(headers.get(HEADER_DIRECT_PUT_LENGTH, 0))
    except (TypeError, ValueError):
        length = 0
    retry = status == STATUS_SERVICE_UNAVAILABLE and bool(headers.get(HEADER_ETL_RETRY_REASON))
    return HopAnswer(status, body, max(length, 0), str(headers.get("Content-Type") or ""), retry)


class Courier:
    """Fetches objects and delivers results over kept-alive connections.

    Args:
        settings: Time limits, token, TLS and how many connections are kept.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._pool = Pool(settings.max_keepalive_conn, _tls_config(), settings.keepalive_expiry)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def fetch(self, url: str) -> bytes | HopAnswer:
        """Get an object whole; a `HopAnswer` is a refusal.

        Raises:
            AISNetworkError: No usable answer came.
            ObjectTooLarge: It does not fit into the memory allowed for it.
        """
        conn, head, hop = self._ask("GET", url, None, None)
        length = self._framing(conn, head, hop)
        if head.status != STATUS_OK:
            conn.close()
            return HopAnswer(head.status)
        limit = self._settings.max_buffered
        try:
            check_size(limit, max(length, 0))
        except ObjectTooLarge:
            conn.close()
            raise
        if length == len(conn.buffer):
            return self._buffered(conn, head)
        with BodyReader(conn, self._pool, head, length, "GET", shown_url(hop.url, "")) as reader:
            if length >= 0:
                return reader.read()
            return _joined(iter(lambda: reader.read(_READ_BYTES), b""), limit)

    def open(self, url: str) -> BinaryIO | HopAnswer:
        """Start to get an object; a `HopAnswer` is a refusal.

        Raises:
            AISNetworkError: No usable answer came.
        """
        conn, head, hop = self._ask("GET", url, None, None)
        length = self._framing(conn, head, hop)
        if head.status != STATUS_OK:
            conn.close()
            return HopAnswer(head.status)
        return io.BufferedReader(
            BodyReader(conn, self._pool, head, length, "GET", shown_url(hop.url, "")), _READ_BUFFER
        )

    def put(self, url: str, data: bytes | Iterable[bytes], headers: Mapping[str, str]) -> HopAnswer:
        """Deliver a result; redirects are not followed.

        Args:
            url: Where to.
            data: The result, or its chunks; what their iteration raises ends the request and is raised.
            headers: Further headers.

        Raises:
            AISNetworkError: No usable answer came.
        """
        conn, head, hop = self._ask("PUT", url, Body(data), headers)
        length = self._framing(conn, head, hop)
        if 0 <= length == len(conn.buffer):
            body = self._buffered(conn, head)
        else:
            with BodyReader(conn, self._pool, head, length, "PUT", shown_url(hop.url, "")) as reader:
                body = reader.read()
        return hop_answer(head.status, body, Headers(head.fields))

    def _ask(
        self, method: str, url: str, body: Body | None, headers: Mapping[str, str] | None
    ) -> tuple[Connection, ResponseHead, Hop]:
        settings = self._settings
        origin_text, target = split_url(url)
        call = Call(
            method,
            _base_of(origin_text),
            target,
            headers=headers,
            body=body,
            token=token_for(settings, url),
            connect=settings.connect_timeout,
            read=settings.read_timeout,
            # What is sent is the same each time, but an iterator cannot be sent twice.
            idempotent=body is None or body.view is not None,
        )
        hop = Hop(call)
        conn, head = exchange(self._pool, call, hop, body)
        return conn, head, hop

    @staticmethod
    def _framing(conn: Connection, head: ResponseHead, hop: Hop) -> int:
        try:
            return response_length(head, hop.method)
        except MalformedMessageError as exc:
            conn.close()
            raise AISProtocolError(str(exc)) from exc

    def _buffered(self, conn: Connection, head: ResponseHead) -> bytes:
        """Take an answer's body that has arrived together with its head."""
        body, conn.buffer = conn.buffer, b""
        if head.keep_alive:
            self._pool.give(conn)
        else:
            conn.close()
        return body


@lru_cache(maxsize=1024)
def _base_of(origin_text: str) -> Base:
    return Base(parse_origin(origin_text), origin_text, "")


def _joined(chunks: Iterable[bytes], limit: int) -> bytes:
    gatherer = Gatherer(limit)
    for chunk in chunks:
        gatherer.add(chunk)
    return gatherer.joined()


class SessionCourier:
    """Fetches and delivers by a server's `session`, which its program has in its hands.

    Args:
        server: The server.
    """

    def __init__(self, server: ETLServer) -> None:
        self._server = server

    def fetch(self, url: str) -> bytes | HopAnswer:
        """As `Courier.fetch`."""
        response = self._get(url)
        if isinstance(response, HopAnswer):
            return response
        limit = self._server.settings.max_buffered
        try:
            check_size(limit, response.headers.get(HEADER_CONTENT_LENGTH))
            if isinstance(response, requests.Response):
                return _joined(response.iter_content(_READ_BYTES), limit)
            content: bytes = response.content  # of a stand-in
            return content
        finally:
            response.close()

    def open(self, url: str) -> BinaryIO | HopAnswer:
        """As `Courier.open`."""
        response = self._get(url)
        if isinstance(response, HopAnswer):
            return response
        return io.BufferedReader(_ResponseReader(response), _READ_BUFFER)

    def put(self, url: str, data: bytes | Iterable[bytes], headers: Mapping[str, str]) -> HopAnswer:
        """As `Courier.put`."""
        headers = {**headers, **without_token(self._server.settings, url)}
        response = self._server.client_put(url, data, headers)
        return hop_answer(response.status_code, response.content, response.headers)

    def _get(self, url: str) -> Any:
        """Return the answer, or a `HopAnswer` that is a refusal."""
        server = self._server
        limits = server.settings.timeout
        # `Any`: a program's stand-in may be less than a `requests.Response`.
        response: Any = server.session.get(url, timeout=limits, stream=True, allow_redirects=False)
        try:
            response.raise_for_status()
        except requests.HTTPError as exc:
            response.close()
            return HopAnswer(response.status_code if exc.response is None else exc.response.status_code)
        if isinstance(response.status_code, int) and response.status_code != STATUS_OK:
            response.close()
            return HopAnswer(response.status_code)
        return response


class _ResponseReader(io.RawIOBase):
    """The body of a `requests` answer as a binary file."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end."""
        data = self._response.raw.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.close()
        super().close()
