"""Checks that a request comes from the target, where an ETL server can be reached by others.

In a pod only the cluster reaches the server, and targets show nothing. `aistore.local` runs it as a process
that every program and every web page of the machine can connect to: it puts a secret into the process's
environment (`AIS_ETL_SECRET`) and shows it with every request. Without the variable nothing is checked.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from aistore.sdk.const import AIS_ETL_SECRET, HEADER_ETL_SECRET, QPARAM_ETL_SECRET, STATUS_FORBIDDEN
from aistore.wire.query import parameters, parse_query

_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
# The secret that the server shows to its target is a part of the target's URL.
_IN_TARGET_URL = re.compile(r"/etl/_object/[^/?]+/([^/?]+)")
_HEADER = HEADER_ETL_SECRET.lower().encode()
_WS_POLICY = 1008

Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
ASGIApplication = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_taken = ""


def take_secret() -> str:
    """Take the secret out of the environment: what the class starts does not inherit it.

    Returns:
        The secret of this process, "" if it has none; it stays known to `known_secret`.
    """
    global _taken
    _taken = os.environ.pop(AIS_ETL_SECRET, "") or _taken
    return _taken


def known_secret(env: Mapping[str, str]) -> str:
    """Return the secret of an environment, or the one that was taken out of this process's.

    Args:
        env: The environment.
    """
    return env.get(AIS_ETL_SECRET, "") or (_taken if env is os.environ else "")


def hide_secrets(text: str, host_target: str, secret: str) -> str:
    """Return a text without the secrets that it may repeat: the server's, and the one in its target's URL.

    Args:
        text: The text.
        host_target: URL of the target.
        secret: The server's own secret.
    """
    for known in filter(None, [secret, *_IN_TARGET_URL.findall(host_target)]):
        text = text.replace(known, "***")
    return text


def split_secret(url: str) -> tuple[str, str]:
    """Split the URL of a pipeline's stage into the URL without its secret, and the secret.

    In a header it cannot get into the message of an error or into a log, as a URL does.

    Args:
        url: The URL.
    """
    bare, _, query = url.partition("?")
    if f"{QPARAM_ETL_SECRET}=" not in query:
        return url, ""
    kept = [item for item in query.split("&") if next(parameters(item), ("",))[0] != QPARAM_ETL_SECRET]
    return f"{bare}?{'&'.join(kept)}" if kept else bare, parse_query(query).get(QPARAM_ETL_SECRET, "")


class CallerCheck:
    """The rule of one server.

    Args:
        secret: What requests must show; "" takes every request.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    @property
    def is_needed(self) -> bool:
        """Whether anything is checked."""
        return bool(self._secret)

    def refusal(self, method: str, path: str, query: str, host: str, shown: str) -> str:
        """Return why a request is refused, or "".

        The health check is free. A `Host` that is no loopback address is refused in any case: it is what a
        web page's request has whose name was made to lead here (DNS rebinding).

        Args:
            method: The request's method, "" for a websocket.
            path: The request's path.
            query: Its query, as sent.
            host: Its `Host`.
            shown: Value of the header `Ais-Etl-Secret`, or "".
        """
        if not self._secret:
            return ""
        if not _HOST.fullmatch(host):
            return "this ETL server is for programs of this machine: expected a loopback address as Host"
        if path == "/health" and method in {"GET", "HEAD"}:
            return ""
        given = shown or parse_query(query).get(QPARAM_ETL_SECRET, "")
        if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            return ""
        return "this ETL server is for its target only: the request does not show the target's secret"

    def around_asgi(self, app: Any) -> Any:
        """Put the check before an ASGI application: its websockets, and routes that the class added."""
        return _CheckedASGI(app, self) if self._secret else app

    def around_wsgi(self, app: Any) -> Any:
        """Put the check before a WSGI application."""
        if not self._secret:
            return app

        def checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            refusal = self.refusal(
                environ["REQUEST_METHOD"],
                environ.get("PATH_INFO", ""),
                environ.get("QUERY_STRING", ""),
                environ.get("HTTP_HOST", ""),
                environ.get("HTTP_AIS_ETL_SECRET", ""),
            )
            if not refusal:
                answer: Iterable[bytes] = app(environ, start_response)
                return answer
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(refusal)))]
            start_response("403 Forbidden", [*headers, ("Connection", "close")])
            return [refusal.encode()]

        return checked


class _CheckedASGI:
    """An application behind a check.

    Args:
        app: The application.
        check: The check.
    """

    def __init__(self, app: ASGIApplication, check: CallerCheck) -> None:
        self._app = app
        self._check = check

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        host = shown = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == _HEADER:
                shown = value.decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        refusal = self._check.refusal(scope.get("method", ""), scope["path"], query, host, shown)
        if not refusal:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before it is accepted: the response to the handshake is 403.
            await send({"type": "websocket.close", "code": _WS_POLICY, "reason": refusal})
        else:
            body = refusal.encode()
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": STATUS_FORBIDDEN, "headers": headers})
            await send({"type": "http.response.body", "body": body})
