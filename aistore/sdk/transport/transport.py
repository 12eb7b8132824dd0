"""The one transport: sends a request, follows the proxy's redirect, returns the answer.

How the body of an object travels (never through a proxy; no request changes an object before its body is
there): the redirect is asked for with the real `Content-Length` and `Expect: 100-continue`; the body goes
once, to the target. A server that does not redirect says "continue", or nothing, and gets the body; from then
on it gets bodies at once. A proxy that has redirected is asked with an empty request, which leaves its
connection usable, unless it signs redirects: they cover the length of the body.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from aistore.sdk.errors import (
    AISNetworkError,
    AISProtocolError,
    AISTooManyRedirects,
    ErrInvalidResponse,
    SDKError,
)
from aistore.sdk.transport import observer
from aistore.sdk.transport.call import Call, Hop, own_fields, shown_url
from aistore.sdk.transport.exchange import exchange
from aistore.sdk.transport.members import Members
from aistore.sdk.transport.pool import Pool
from aistore.sdk.transport.recorder import Recorder
from aistore.sdk.transport.redirect import REDIRECTS, SIGNED, TooManyHopsError, follow
from aistore.sdk.transport.response import ERROR_BODY, Response, Sent
from aistore.sdk.transport.stream import BodyReader
from aistore.sdk.transport.url import Base, Origin, parse_origin
from aistore.wire.http1.parse import MalformedMessageError, response_length

if TYPE_CHECKING:
    from aistore.sdk.transport.connection import Connection
    from aistore.sdk.transport.tls import TLSConfig
    from aistore.wire.http1.parse import ResponseHead

log = logging.getLogger("aistore.sdk.transport")

_PROBE, _EXPECT, _DIRECT = range(3)
_DRAIN = 64 * 1024  # a longer body of a redirect is not worth its connection
_DRAIN_SECONDS = 1.0  # nor is a slower one
_CHECKSUM = "ais-checksum-"


class Transport:
    """Sends requests over a pool of connections.

    Args:
        pool_size: How many idle connections to one server are kept.
        tls: TLS settings.
    """

    def __init__(self, pool_size: int, tls: TLSConfig) -> None:
        self.pool = Pool(pool_size, tls)
        self.recorder = Recorder()
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
        watching = observer.current  # another thread may switch it off
        return self._send(call) if watching is None else watching.observe(call, self._send)

    def _send(self, call: Call) -> Response:
        started = time.monotonic()
        hop = Hop(call)
        try:
            conn, head, hops = self._travel(call, hop)
            seconds = time.monotonic() - started
            length = self._framing(conn, head, hop)
            answer = self._respond(call, hop, conn, head, length, seconds, tuple(hops))
        except SDKError as err:
            if isinstance(err, AISNetworkError):
                _complete(err, call, hop)
            self.recorder.answered(call.method, 0, 0.0, 0, 0, call.attempt)
            if log.isEnabledFor(logging.DEBUG):
                spent = (time.monotonic() - started) * 1000
                # Not the text of the error: that has the URL with its query.
                why = f"{type(err).__name__}: {err.args[0] if err.args else ''}"
                log.debug("%s: %s, %.1f ms, attempt %d", _name(call.method, hop), why, spent, call.attempt)
            raise
        body = call.body
        sent = body.size or 0 if body is not None and body.touched else 0
        self.recorder.answered(call.method, head.status, seconds, sent, len(hops), call.attempt)
        return answer

    # ------------------------------------------------------------ hops

    def _travel(
        self, call: Call, hop: Hop
    ) -> tuple[Connection, ResponseHead, list[tuple[ResponseHead, str]]]:
        hops: list[tuple[ResponseHead, str]] = []
        mode = self._first_mode(call)
        while True:
            if mode == _PROBE:
                conn, head = exchange(self.pool, call, hop, None, self._probe_fields(call))
            elif mode == _EXPECT:
                conn, head = exchange(self.pool, call, hop, hop.body, expect=True)
            else:
                conn, head = exchange(self.pool, call, hop, hop.body)
            if call.object_body and call.redirects and not hops:
                again = self._learn_mode(call, mode, head)
                if again is not None:
                    self._drain(conn, head, hop)
                    mode = again
                    continue
            if not call.redirects or head.status not in REDIRECTS:
                return conn, head, hops
            hops.append((head, hop.url))
            self._redirect(call, hop, conn, head, len(hops) - 1)
            mode = _DIRECT

    def _first_mode(self, call: Call) -> int:
        if not call.object_body or call.body is None or call.body.size == 0 or not call.redirects:
            return _DIRECT
        return self._modes.get(call.base.origin.key, _EXPECT)

    def _learn_mode(self, call: Call, mode: int, head: ResponseHead) -> int | None:
        """Remember how the endpoint takes bodies; return the mode in which to repeat the request, or None."""
        key = call.base.origin.key
        if head.status in REDIRECTS:
            signed = SIGNED.search(head.fields.get("location", "")) is not None
            self._modes[key] = _EXPECT if signed else _PROBE
            return _EXPECT if signed and mode == _PROBE else None
        if head.status < 300:
            # A success without the body is none: it is sent now, and at once from now on.
            self._modes[key] = _DIRECT
            return _DIRECT if mode != _DIRECT and not (call.body and call.body.touched) else None
        return None

    def _redirect(self, call: Call, hop: Hop, conn: Connection, head: ResponseHead, count: int) -> None:
        try:
            step = follow(head.status, head.fields.get("location"), _origin_text(hop.origin), count)
            assert step is not None
            origin = parse_origin(step.origin)
        except TooManyHopsError as err:
            conn.close()
            raise AISTooManyRedirects(str(err)) from err
        except (MalformedMessageError, ValueError) as err:
            conn.close()
            raise ErrInvalidResponse(str(err), method=call.method, url=hop.url) from err
        self._drain(conn, head, hop)
        if hop.auth and not self._may_have_token(call, hop.origin, origin):
            log.debug("%s is not known as a member of the cluster: it gets no token", origin.netloc)
            hop.auth = b""
        hop.origin = origin
        hop.target = step.target
        hop.url = shown_url(step.origin + step.target, call.query)
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
            members = self._members.setdefault(key, Members(call.base.origin))
        return members.trusts(target, lambda: _decode_map(self.load_map(call)))

    def load_map(self, call: Call) -> Response:
        """Ask the endpoint of a call for the cluster map, with its token and time limits.

        Args:
            call: The call.
        """
        ask = Call(
            "GET",
            call.base,
            f"{call.base.prefix}/daemon?what=smap",
            token=call.token,
            connect=call.connect,
            read=call.read,
            deadline=call.deadline,
            total=call.total,
            redirects=False,
        )
        return self.send(ask)

    @staticmethod
    def _probe_fields(call: Call) -> bytes:
        # Without the checksum: a server that does not redirect would compare it with the empty body.
        headers = {k: v for k, v in (call.headers or {}).items() if not k.lower().startswith(_CHECKSUM)}
        return own_fields(headers)

    # ------------------------------------------------------------ answers

    def _framing(self, conn: Connection, head: ResponseHead, hop: Hop) -> int:
        try:
            return response_length(head, hop.method)
        except MalformedMessageError as err:
            conn.close()
            raise AISProtocolError(str(err)) from err

    def _drain(self, conn: Connection, head: ResponseHead, hop: Hop) -> None:
        """Get rid of the body of an answer that is not the final one."""
        length = self._framing(conn, head, hop)
        if 0 <= length == len(conn.buffer) and head.keep_alive:
            conn.buffer = b""
            self.pool.give(conn)
        elif head.keep_alive and length <= _DRAIN:
            limit = time.monotonic() + _DRAIN_SECONDS
            deadline = limit if conn.deadline is None else min(limit, conn.deadline)
            with (
                contextlib.suppress(AISNetworkError),  # then the next request has another connection
                BodyReader(conn, self.pool, head, length, hop.method, hop.url, deadline) as rest,
            ):
                rest.read(_DRAIN)
        else:
            conn.close()

    def _respond(
        self,
        call: Call,
        hop: Hop,
        conn: Connection,
        head: ResponseHead,
        length: int,
        seconds: float,
        hops: tuple[tuple[ResponseHead, str], ...],
    ) -> Response:
        content = b""
        reader = None
        if not call.stream and 0 <= length == len(conn.buffer):
            content, conn.buffer = conn.buffer, b""
            if head.keep_alive:
                self.pool.give(conn)
            else:
                conn.close()
            if content:
                self.recorder.received(len(content))
        else:
            received = self.recorder.received
            reader = BodyReader(conn, self.pool, head, length, hop.method, hop.url, call.total, received)
            if not call.stream:
                with reader:
                    content = reader.read(ERROR_BODY if head.status >= 400 else None)
                reader = None
        if log.isEnabledFor(logging.DEBUG):
            size = "body streamed" if reader is not None else f"{len(content)} bytes"
            log.debug(
                "%s -> %d, %s, %.1f ms, attempt %d",
                _name(call.method, hop), head.status, size, seconds * 1000, call.attempt,
            )  # fmt: skip
        sent = Sent(call.method, hop.url, dict(call.headers) if call.headers else None)
        return Response(head, hop.url, sent, reader, content, seconds, hops)


def _decode_map(answer: Response) -> Any:
    import msgspec  # slow to import, and mostly not needed

    return msgspec.json.decode(answer.content) if answer.status_code == 200 else {}


def _complete(err: AISNetworkError, call: Call, hop: Hop) -> None:
    # The URL a program knows is the one it asked for; the hop that failed is in the message.
    if hop.origin is not call.base.origin:
        err.redirected = True
        err.args = (f"redirected to {hop.origin.netloc}: {err.args[0]}",)
    err.method, err.url = call.method, shown_url(call.base.origin_text + call.target, call.query)
    err.request = Sent(call.method, err.url, dict(call.headers or {})).prepared()


def _name(method: str, hop: Hop) -> str:
    """Name a request in a log: without its query, which may carry a signature."""
    return f"{method} {hop.url.partition('?')[0]}"


def _origin_text(origin: Origin) -> str:
    return f"{origin.scheme}://{origin.netloc}"
