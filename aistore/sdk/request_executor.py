"""Turn a method, a path and keyword arguments into a request, and have it carried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.sdk.const import HEADER_AUTHORIZATION, HEADER_CONTENT_TYPE, HEADER_USER_AGENT, JSON_CONTENT_TYPE
from aistore.sdk.credentials import Credentials
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.lazy import lazy_names
from aistore.sdk.session_manager import SessionManager
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.call import USER_AGENT, Call
from aistore.sdk.transport.retry import is_idempotent
from aistore.sdk.transport.url import Base, encode_params, encode_path, parse_base, parse_origin, split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from aistore.sdk.transport.routing import Router

TimeoutArg = float | tuple[float | None, ...] | None

_OBJECT = re.compile(r"[^?]*/objects/[^?/]+/[^?]")
_OWN = frozenset({"deadline", "total", "attempt"})  # what `RetryManager` adds
_KNOWN = frozenset({"params", "json", "data", "timeout", "stream", "allow_redirects"}) | _OWN


class Timeouts(NamedTuple):
    """Limits in seconds; None is no limit.

    Attributes:
        connect: For a connection to be made.
        read: For each wait for the next bytes.
        total: For the whole call with its retries, the body of a call that is not streamed included.
    """

    connect: float | None
    read: float | None
    total: float | None


def parse_timeout(value: Any) -> Timeouts:
    """Read a timeout argument.

    Args:
        value: A number for both connect and read, `(connect, read)`, `(connect, read, total)`, or None for no
            limit; 0 and None in a tuple are no limit.

    Returns:
        The limits.

    Raises:
        InvalidArgument: Negative, not a number, or a tuple of another length.
    """
    if value is None:
        return Timeouts(None, None, None)
    parts = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if not 2 <= len(parts) <= 3:
        raise InvalidArgument(f"invalid timeout {value!r}: expected a number or (connect, read)")
    checked = []
    for part in parts:
        if part is not None and (
            isinstance(part, bool) or not isinstance(part, (int, float)) or not part >= 0
        ):
            raise InvalidArgument(
                f"invalid timeout {value!r}: expected numbers of seconds from 0 on, or None"
            )
        checked.append(float(part) if part else None)
    return Timeouts(checked[0], checked[1], checked[2] if len(checked) == 3 else None)


class RequestExecutor:
    """Sends single requests: no retries, no mapping of error statuses.

    Args:
        base_url: Where paths are joined to, with the API version: `http://host:port/v1`.
        session_manager: TLS settings and connections.
        token: Bearer token, or "" or None.
        timeout: Limits of each call in seconds (`parse_timeout`). Default: none.
    """

    def __init__(
        self,
        base_url: str,
        session_manager: SessionManager,
        token: str | None = "",
        timeout: TimeoutArg = None,
    ) -> None:
        self._base = parse_base(base_url)
        self.session_manager = session_manager
        self.credentials = Credentials(token)
        """The token; clones of a client share it."""
        self.timeout = timeout
        self.router: Router | None = None
        """Sends what it can straight to the targets; None leaves everything to the proxy."""

    @property
    def base_url(self) -> str:
        """Where paths are joined to."""
        return self._base.url

    @property
    def session_manager(self) -> SessionManager:
        """TLS settings and connections."""
        return self._session_manager

    @session_manager.setter
    def session_manager(self, session_manager: SessionManager) -> None:
        self._session_manager = session_manager

    @property
    def token(self) -> str | None:
        """Bearer token; "" or None, whichever was set, for none."""
        return self.credentials.token

    @token.setter
    def token(self, token: str | None) -> None:
        self.credentials.token = token

    @property
    def timeout(self) -> TimeoutArg:
        """Limits of each call, as they were given."""
        return self._timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutArg) -> None:
        self._limits = parse_timeout(timeout)
        self._timeout = timeout

    def limits(self, kwargs: Mapping[str, Any]) -> Timeouts:
        """Return the limits of a call with these keyword arguments."""
        return parse_timeout(kwargs["timeout"]) if "timeout" in kwargs else self._limits

    def request(
        self, method: str, path: str, headers: dict[str, Any] | None = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path of the API.

        Args:
            method: HTTP method, in any case.
            path: Path after the API version, quoted: `objects/bucket/name`.
            headers: Header fields.
            **kwargs: As `request_absolute`.

        Returns:
            The answer, whatever its status.
        """
        target = f"{self._base.prefix}/{encode_path(path.lstrip('/'), safe='?')}"
        return self._send(method, self._base, target, headers, kwargs)

    def request_absolute(
        self, method: str, url: str, headers: dict[str, Any] | None = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a URL.

        Args:
            method: HTTP method, in any case.
            url: Absolute http or https URL.
            headers: Header fields.
            **kwargs: `params` (query), `json` or `data` (body), `timeout`, `stream`, `allow_redirects`.

        Returns:
            The answer, whatever its status.
        """
        origin_text, target = split_url(url)
        base = Base(parse_origin(origin_text), origin_text, "/v1")
        return self._send(method, base, target, headers, kwargs)

    def _send(
        self, method: str, base: Base, target: str, headers: dict[str, Any] | None, kwargs: dict[str, Any]
    ) -> requests.Response:
        manager = self._session_manager
        # By `type`: a mock made with `spec=SessionManager` is an instance of it, too, and has `session` only.
        own = issubclass(type(manager), SessionManager)
        replaced = manager.replaced_session() if own else manager.session
        if replaced is not None:
            return self._send_by_session(replaced, method, base.origin_text + target, headers, kwargs)
        if not kwargs.keys() <= _KNOWN:
            unknown = ", ".join(sorted(kwargs.keys() - _KNOWN))
            raise InvalidArgumentType(
                f"unknown arguments {unknown}: expected {', '.join(sorted(_KNOWN - _OWN))} and headers"
            )
        call = self._prepare(method, base, target, headers, kwargs)
        # Other servers than the client's own endpoint are not this cluster's proxy.
        if self.router is not None and base is self._base:
            return self.router.send(manager.transport, call)
        return manager.transport.send(call)

    def _prepare(
        self, method: str, base: Base, target: str, headers: dict[str, Any] | None, kwargs: dict[str, Any]
    ) -> Call:
        get = kwargs.get
        params = get("params")
        if params:
            query = params if isinstance(params, str) else encode_params(params)
            if query:
                target = f"{target}{'&' if '?' in target else '?'}{query}"
        body = get("data")
        is_object = False
        if body is not None:
            body = Body.of(body)
            is_object = _OBJECT.match(target) is not None
        elif get("json") is not None:
            body = Body(encode_json(kwargs["json"]))
            if not headers or not any(key.lower() == "content-type" for key in headers):
                headers = {**(headers or {}), HEADER_CONTENT_TYPE: JSON_CONTENT_TYPE}
        method = method.upper()
        connect, read, _ = self.limits(kwargs)
        return Call(
            method,
            base,
            target,
            headers=headers,
            body=body,
            token=self.credentials.token or "",
            connect=connect,
            read=read,
            deadline=get("deadline"),
            stream=get("stream", False),
            redirects=get("allow_redirects", True),
            total=get("total"),
            idempotent=is_idempotent(method, target),
            object_body=is_object,
            attempt=get("attempt", 1),
        )

    def _send_by_session(
        self,
        session: requests.Session,
        method: str,
        url: str,
        headers: dict[str, Any] | None,
        kwargs: dict[str, Any],
    ) -> requests.Response:
        """Send through a session that a program has put in the place of the transport."""
        fields = dict(headers or {})
        if kwargs.get("json") is not None:
            fields.setdefault(HEADER_CONTENT_TYPE, JSON_CONTENT_TYPE)
        fields[HEADER_USER_AGENT] = USER_AGENT
        if self.token:
            fields[HEADER_AUTHORIZATION] = f"Bearer {self.token}"
        rest = {key: value for key, value in kwargs.items() if key not in _OWN}
        if isinstance(rest.get("data"), Body):
            rest["data"].touched = True
            rest["data"] = rest["data"].source
        if self._timeout is not None:
            rest.setdefault("timeout", self._timeout)
        return session.request(method, url, headers=fields, **rest)


def encode_json(value: Any) -> bytes:
    """Encode a JSON body.

    Args:
        value: Plain data, or models.

    Raises:
        InvalidArgument: A text has a surrogate that stands for no byte.
        InvalidArgumentType: It has something that JSON has not.
    """
    from aistore.wire import serialization  # slow to import: a program that only moves bytes needs none

    try:
        return serialization.encode_json(value)
    except TypeError as err:
        raise InvalidArgumentType(f"cannot be sent as JSON: {err}") from err


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Response")
