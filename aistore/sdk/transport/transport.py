"""The one transport: sends a request, follows the proxy's redirect, returns the answer.

How a body travels (never through a proxy): the redirect is learnt with an empty request, then the body goes
once, to the target. Where `Location` is signed for the length of the body, the redirect is asked for again
with the real `Content-Length` and `Expect: 100-continue`. A single-node server that does not redirect gets
the body directly. Which of these a cluster wants is remembered.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.sdk.errors import (
    AISConnectionError,
    AISNetworkError,
    AISProtocolError,
    AISReadTimeout,
    AISTooManyRedirects,
    ErrInvalidResponse,
)
from aistore.sdk.transport.body import BodyError
from aistore.sdk.transport.connection import Connection, DeadConnectionError
from aistore.sdk.transport.encode import encode_fields, encode_head, encode_token
from aistore.sdk.transport.framing import LAST_CHUNK, encode_chunk
from aistore.sdk.transport.head import Head, MalformedAnswerError, body_length
from aistore.sdk.transport.members import Members
from aistore.sdk.transport.pool import Pool
from aistore.sdk.transport.redirect import REDIRECTS, SIGNED, TooManyHopsError, follow
from aistore.sdk.transport.response import Response, Sent
from aistore.sdk.transport.stream import BodyReader
from aistore.sdk.transport.url import Base, Origin, parse_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aistore.sdk.transport.body import Body
    from aistore.sdk.transport.tls import TLSConfig
    from aistore.sdk.transport.url import Base as BaseURL

log = logging.getLogger("aistore.sdk.transport")

_PROBE, _EXPECT, _DIRECT = range(3)
_CONTINUE_WAIT = 1.0
_DRAIN = 64 * 1024
_INLINE = 64 * 1024
_NO_BODY = b"Content-Length: 0\r\n"
_CHECKSUM = "ais-checksum-"


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
    """

    __slots__ = (
        "base", "body", "connect", "deadline", "headers", "idempotent", "method", "object_body", "read",
        "redirects", "stream", "target", "token", "total",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        base: BaseURL,
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


class _Hop:
    """Where one attempt stands: changes from redirect to redirect."""

    __slots__ = ("auth", "body", "fields", "method", "origin", "target", "url")

    def __init__(self, call: Call) -> None:
        self.method = call.method
        self.origin: Origin = call.base.origin
        self.target = call.target
        self.url = call.base.origin_text + call.target
        self.body = call.body
        self.fields = encode_fields(call.headers)
        self.auth = encode_token(call.token, call.headers)

    def head(self, framing: bytes, fields: bytes | None = None) -> bytes:
        return encode_head(
            self.method, self.target, self.origin.netloc, (fields or self.fields) + self.auth, framing
        )


class Transport:
    """Sends requests over a pool of connections.

    Args:
        pool_size: How many idle connections to one server are kept.
        tls: TLS settings.
    """

    def __init__(self, pool_size: int, tls: TLSConfig) -> None:
        self.pool = Pool(pool_size, tls)
        self._members: dict[tuple[Base, str], Members] = {}
        self._modes: dict[tuple[str, str, int], int] = {}

    def close(self) -> None:
        """Close the idle connections; a later request opens new ones."""
        self.pool.close()

    def send(self, call: Call) -> Response:
        """Send a request once, redirects included.

        Args:
            call: The request.

        Returns:
            The answer, whatever its status.

        Raises:
            AISNetworkError: No usable answer came; its `may_have_run` tells whether the server may have
                acted.
            ErrInvalidResponse: A redirect that leads nowhere.
        """
        started = time.monotonic()
        hop = _Hop(call)
        try:
            conn, head, hops = self._travel(call, hop)
            seconds = time.monotonic() - started
            length = self._framing(conn, head, hop)
            return self._respond(call, hop, conn, head, length, seconds, tuple(hops))
        except AISNetworkError as err:
            # The URL a program knows is the one it asked for; the hop that failed is in the message.
            if hop.origin is not call.base.origin:
                err.redirected = True
                err.args = (f"redirected to {hop.origin.netloc}: {err.args[0]}",)
            err.method, err.url = call.method, call.base.origin_text + call.target
            err.request = Sent(call.method, err.url, dict(call.headers or {})).prepared()
            raise

    # ------------------------------------------------------------ hops

    def _travel(self, call: Call, hop: _Hop) -> tuple[Connection, Head, list[tuple[Head, str]]]:
        hops: list[tuple[Head, str]] = []
        mode = self._first_mode(call)
        while True:
            if mode == _PROBE:
                conn, head = self._exchange(call, hop, None, self._probe_fields(call))
            elif mode == _EXPECT:
                conn, head = self._exchange(call, hop, hop.body, expect=True)
            else:
                conn, head = self._exchange(call, hop, hop.body)
            step = self._next_mode(call, hop, conn, head, mode)
            if step is not None:
                mode = step
                continue
            if not call.redirects or head.status not in REDIRECTS:
                return conn, head, hops
            hops.append((head, hop.url))
            self._redirect(call, hop, conn, head, len(hops) - 1)
            mode = _DIRECT

    def _first_mode(self, call: Call) -> int:
        if not call.object_body or call.body is None or call.body.size == 0 or not call.redirects:
            return _DIRECT
        return self._modes.get(call.base.origin.key, _PROBE)

    def _next_mode(self, call: Call, hop: _Hop, conn: Connection, head: Head, mode: int) -> int | None:
        """Decide whether the same request must be made in another way; None goes on with the answer."""
        if mode != _PROBE:
            return None
        key = call.base.origin.key
        if head.status in REDIRECTS:
            if SIGNED.search(head.fields.get("location", "")):
                self._modes[key] = _EXPECT
                self._drain(conn, head, hop)
                return _EXPECT
            self._modes[key] = _PROBE
            return None
        if head.status < 300:
            # A single-node server took the empty request for the whole one; the body replaces what it made.
            self._modes[key] = _DIRECT
            self._drain(conn, head, hop)
            return _DIRECT
        return None

    def _redirect(self, call: Call, hop: _Hop, conn: Connection, head: Head, count: int) -> None:
        try:
            step = follow(head.status, head.fields.get("location"), _origin_text(hop.origin), count)
            assert step is not None
            origin = parse_origin(step.origin)
        except TooManyHopsError as err:
            conn.close()
            raise AISTooManyRedirects(str(err)) from err
        except (MalformedAnswerError, ValueError) as err:
            conn.close()
            raise ErrInvalidResponse(str(err), method=call.method, url=hop.url) from err
        self._drain(conn, head, hop)
        if hop.auth and not self._may_have_token(call, hop.origin, origin):
            hop.auth = b""
        hop.origin = origin
        hop.target = step.target
        hop.url = step.origin + step.target
        if not step.keep_body:
            hop.method = "HEAD" if hop.method == "HEAD" else "GET"
            hop.body = None
        elif hop.body is not None:
            hop.body.rewind()

    def _may_have_token(self, call: Call, source: Origin, target: Origin) -> bool:
        if source.scheme == "https" and target.scheme != "https":
            return False
        key = (call.base, call.token)
        members = self._members.get(key)
        if members is None:
            if len(self._members) > 100:
                self._members.clear()
            members = Members(call.base.origin, lambda: self._load_map(call))
            members = self._members.setdefault(key, members)
        return members.trusts(target)

    def _load_map(self, call: Call) -> Any:
        ask = Call(
            "GET",
            call.base,
            f"{call.base.prefix}/daemon?what=smap",
            token=call.token,
            connect=call.connect,
            read=call.read,
            deadline=call.deadline,
            redirects=False,
        )
        answer = self.send(ask)
        return msgspec.json.decode(answer.content) if answer.status_code == 200 else {}

    @staticmethod
    def _probe_fields(call: Call) -> bytes:
        # Without the checksum: a server that does not redirect would compare it with the empty body.
        headers = {k: v for k, v in (call.headers or {}).items() if not k.lower().startswith(_CHECKSUM)}
        return encode_fields(headers)

    # ------------------------------------------------------------ one exchange

    def _exchange(
        self,
        call: Call,
        hop: _Hop,
        body: Body | None,
        fields: bytes | None = None,
        *,
        expect: bool = False,
    ) -> tuple[Connection, Head]:
        """Send one request to one server and read the head of its answer."""
        fresh = False
        while True:
            conn = self._connect(call, hop, fresh=fresh)
            try:
                return conn, self._roundtrip(conn, hop, body, fields, expect)
            except DeadConnectionError as err:
                conn.close()
                # A kept connection may have been closed by the server just before the request came: that
                # costs one more try on a new one, where it cannot do harm.
                if conn.reused and not err.answered and call.idempotent and not fresh:
                    fresh = True
                    if body is not None:
                        body.rewind()
                    continue
                raise AISConnectionError(str(err)) from err
            except MalformedAnswerError as err:
                conn.close()
                raise AISProtocolError(str(err)) from err
            except BodyError as err:
                conn.close()
                raise AISConnectionError(str(err)) from err
            except BaseException:
                conn.close()
                raise

    def _connect(self, call: Call, hop: _Hop, *, fresh: bool) -> Connection:
        connect, read = call.connect, call.read
        for limit in (call.deadline, call.total):
            if limit is not None:
                left = limit - time.monotonic()
                if left <= 0:
                    raise AISReadTimeout("the time limit of the call is over")
                connect = left if connect is None else min(connect, left)
                read = left if read is None else min(read, left)
        try:
            return self.pool.take(hop.origin, connect, read, fresh=fresh)
        except AISNetworkError as err:
            err.may_have_run = False
            raise

    def _roundtrip(
        self, conn: Connection, hop: _Hop, body: Body | None, fields: bytes | None, expect: bool
    ) -> Head:
        if body is None:
            framing = b"" if hop.method in ("GET", "HEAD", "OPTIONS") else _NO_BODY
            conn.send(hop.head(framing, fields))
            return conn.read_head()
        if expect:
            # The redirect of a proxy that signs the length of the body; or "continue", when the body goes
            # here.
            conn.send(hop.head(_body_framing(body) + b"Expect: 100-continue\r\n"))
            if conn.wait_readable(_CONTINUE_WAIT):
                answer = conn.read_head(interim=True)
                if answer.status >= 200:
                    # The announced body will not follow: nothing else may on this connection.
                    answer.keep_alive = False
                    return answer
            return self._send_body(conn, body)
        head = hop.head(_body_framing(body), fields)
        if body.view is not None and len(body.view) <= _INLINE:
            body.touched = True
            conn.send(head + body.view)
            return conn.read_head()
        conn.send(head)
        return self._send_body(conn, body)

    def _send_body(self, conn: Connection, body: Body) -> Head:
        """Send a body, and read the answer, which may come before the body is through."""
        try:
            self._write(conn, body)
        except (DeadConnectionError, AISReadTimeout) as err:
            # A server that refuses a body says why and stops reading.
            if not conn.wait_readable(0):
                raise
            try:
                head = conn.read_head()
            except (DeadConnectionError, AISReadTimeout, MalformedAnswerError):
                raise err from None
            if head.status < 300:
                raise
            head.keep_alive = False
            return head
        return conn.read_head()

    @staticmethod
    def _write(conn: Connection, body: Body) -> None:
        file = body.sendable_file() if conn.origin.scheme == "http" else None
        if file is not None:
            conn.send_file(body, file)
            return
        chunked = body.size is None
        for piece in body.chunks():
            if not chunked:
                conn.send(piece)
            elif len(piece) <= _INLINE:
                conn.send(b"".join((encode_chunk(len(piece)), piece, b"\r\n")))
            else:
                conn.send(encode_chunk(len(piece)))
                conn.send(piece)
                conn.send(b"\r\n")
        if chunked:
            conn.send(LAST_CHUNK)

    # ------------------------------------------------------------ answers

    def _framing(self, conn: Connection, head: Head, hop: _Hop) -> int:
        try:
            return body_length(head, hop.method)
        except MalformedAnswerError as err:
            conn.close()
            raise AISProtocolError(str(err)) from err

    def _drain(self, conn: Connection, head: Head, hop: _Hop) -> None:
        """Get rid of the body of an answer that is not the final one."""
        length = self._framing(conn, head, hop)
        if 0 <= length == len(conn.buffer) and head.keep_alive:
            conn.buffer = b""
            self.pool.give(conn)
        elif head.keep_alive and length <= _DRAIN:
            with BodyReader(conn, self.pool, head, length, hop.method, hop.url) as rest:
                rest.read(_DRAIN)
        else:
            conn.close()

    def _respond(
        self,
        call: Call,
        hop: _Hop,
        conn: Connection,
        head: Head,
        length: int,
        seconds: float,
        hops: tuple[tuple[Head, str], ...],
    ) -> Response:
        content = b""
        reader = None
        if not call.stream and 0 <= length == len(conn.buffer):
            content, conn.buffer = conn.buffer, b""
            if head.keep_alive:
                self.pool.give(conn)
            else:
                conn.close()
        else:
            reader = BodyReader(conn, self.pool, head, length, hop.method, hop.url, call.total)
            if not call.stream:
                with reader:
                    content = reader.read()
                reader = None
        if log.isEnabledFor(logging.DEBUG):
            size = "stream" if reader is not None else len(content)
            log.debug(
                "%s %s -> %d, %s bytes, %.1f ms", call.method, hop.url, head.status, size, seconds * 1000
            )
        sent = Sent(call.method, hop.url, dict(call.headers) if call.headers else None)
        return Response(head, hop.url, sent, reader, content, seconds, hops)


def _origin_text(origin: Origin) -> str:
    return f"{origin.scheme}://{origin.netloc}"


def _body_framing(body: Body) -> bytes:
    if body.size is None:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % body.size
