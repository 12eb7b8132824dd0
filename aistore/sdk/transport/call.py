"""A request, ready to be sent, and where an attempt at it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.sdk.const import USER_AGENT_BASE
from aistore.version import __version__
from aistore.wire.http1.write import encode_fields, encode_head, encode_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aistore.sdk.transport.body import Body
    from aistore.sdk.transport.url import Base, Origin

USER_AGENT = f"{USER_AGENT_BASE}/{__version__}"

_DEFAULTS = {
    "user-agent": f"User-Agent: {USER_AGENT}\r\n".encode(),
    # Object bytes are wanted as they are stored.
    "accept-encoding": b"Accept-Encoding: identity\r\n",
    "accept": b"Accept: */*\r\n",
}
_ALL_DEFAULTS = b"".join(_DEFAULTS.values())


def own_fields(headers: Mapping[str, Any] | None) -> bytes:
    """Write the header fields that all hops of a request share, defaults included.

    Args:
        headers: The caller's fields; they replace the defaults, None drops one, a list or tuple repeats it.

    Raises:
        InvalidArgument: A name or value that would break out of its line.
    """
    return encode_fields(headers, _DEFAULTS) if headers else _ALL_DEFAULTS


def shown_url(url: str, query: str) -> str:
    """Return a URL with another query.

    Args:
        url: The URL.
        query: The query, or "" for none.
    """
    path = url.partition("?")[0]
    return f"{path}?{query}" if query else path


class Call:
    """One request, ready to be sent.

    Attributes:
        method: Upper-case method.
        base: Where it goes first.
        target: Path and query as they go on the wire.
        headers: The caller's header fields.
        body: Request body, or None.
        token: Bearer token, or "".
        connect: Connect timeout in seconds, or None.
        read: Read timeout in seconds, or None: the longest wait for the next bytes.
        deadline: Monotonic time by which the head of the answer must be there, or None.
        total: Monotonic time by which the whole answer must be there, or None.
        stream: Whether the caller reads the body.
        redirects: Whether redirects are followed.
        idempotent: Whether it may be sent a second time without the first having failed for sure.
        object_body: Whether the body is an object's data, which must not go to a proxy.
        attempt: 1 for the first time that the request is sent.
        members_only: Field lines that, like the token, go to the cluster's own nodes only.
        query: The caller's own query: all that logs and errors may show of one.
    """

    __slots__ = (
        "attempt", "base", "body", "connect", "deadline", "headers", "idempotent", "members_only", "method",
        "object_body", "query", "read", "redirects", "stream", "target", "token", "total",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        base: Base,
        target: str,
        *,
        headers: Mapping[str, Any] | None = None,
        body: Body | None = None,
        token: str = "",
        connect: float | None = None,
        read: float | None = None,
        deadline: float | None = None,
        total: float | None = None,
        stream: bool = False,
        redirects: bool = True,
        idempotent: bool = True,
        object_body: bool = False,
        attempt: int = 1,
    ) -> None:
        self.method = method
        self.base = base
        self.target = target
        self.headers = headers
        self.body = body
        self.token = token
        self.connect = connect
        self.read = read
        self.deadline = deadline
        self.total = total
        self.stream = stream
        self.redirects = redirects
        self.idempotent = idempotent
        self.object_body = object_body
        self.attempt = attempt
        self.members_only = b""
        self.query = target.partition("?")[2]

    def to(self, base: Base, target: str) -> Call:
        """Return the same request for another server, whose redirects are not followed.

        Args:
            base: The server.
            target: Path and query there.
        """
        call = Call(
            self.method,
            base,
            target,
            headers=self.headers,
            body=self.body,
            token=self.token,
            connect=self.connect,
            read=self.read,
            deadline=self.deadline,
            total=self.total,
            stream=self.stream,
            redirects=False,
            idempotent=self.idempotent,
            attempt=self.attempt,
        )
        call.members_only = self.members_only
        call.query = self.query
        return call


class Hop:
    """Where one attempt at a call stands: changes from redirect to redirect.

    Args:
        call: The call.

    Attributes:
        url: Where the request goes, as responses, logs and errors show it: with the caller's own query, never
            with that of a redirect, which may have a signature.
    """

    __slots__ = ("auth", "body", "fields", "method", "origin", "target", "url")

    def __init__(self, call: Call) -> None:
        self.method = call.method
        self.origin: Origin = call.base.origin
        self.target = call.target
        self.url = shown_url(call.base.origin_text + call.target, call.query)
        self.body = call.body
        self.fields = own_fields(call.headers)
        self.auth = encode_token(call.token, call.headers) + call.members_only

    def head(self, framing: bytes, fields: bytes | None = None) -> bytes:
        """Write the head of the request.

        Args:
            framing: Field lines that frame the body.
            fields: Field lines in place of the call's own.
        """
        return encode_head(
            self.method, self.target, self.origin.netloc, (fields or self.fields) + self.auth, framing
        )
