"""Limits that the HTTP server itself doesn't set: size of the head, and time for head, body and reading."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aistore.wire.http1.messages import RequestGuard
from aistore.wire.http1.parse import MalformedMessageError

HEAD_SECONDS = 16.0
IDLE_SECONDS = 75.0
_CHECK_SECONDS = 4.0
_LINGER_SECONDS = 1.0
_READ_AHEAD = 1 << 20

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BAD_REQUEST = b"400 Bad Request"


class _RefusedError(Exception):
    """Raised out of the parser's callbacks: answered with 400, then the connection closes."""


class JoiningTransport:
    """A transport that can send what is written in several pieces by one call.

    The head and the body of an answer are written apart; by themselves they would be two packets, and wake
    the receiver twice.

    Args:
        transport (asyncio.Transport): The one that sends.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def hold(self) -> None:
        """Keep what is written until `release`, unless something is still on its way out."""
        if not self._transport.get_write_buffer_size():
            self._held = []

    def release(self) -> None:
        """Send what was kept."""
        held, self._held = self._held, None
        if held:
            self._transport.writelines(held)

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them."""
        if self._held is None:
            self._transport.write(data)
        elif data:
            self._held.append(data)

    def close(self) -> None:
        """Close when everything is sent, what was kept too."""
        self.release()
        self._transport.close()


class GuardedProtocol(HttpToolsProtocol):
    """An HTTP/1.1 connection with limits.

    A head is at most 64 KiB and must be complete 16 s after its first byte; a body must not pause, and a
    reader not stall, for more than 75 s. What breaks the rules of HTTP/1.1 is refused before the server's
    own parser gets it.
    """

    max_connections = 4096

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = RequestGuard()
        self._in_head = True
        self._head_size = 0
        self._head_since = 0.0
        self._in_body = False
        self._last_data = 0.0
        self._unsent = 0
        self._unsent_since = 0.0
        self._has_spoken = False
        self._refused = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        """Take the connection, unless there are too many."""
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type]  # it has all that is used
        if len(self.connections) > self.max_connections:
            transport.close()
            return
        self._head_since = self._last_data = self.loop.time()
        self._watch = self.loop.call_later(_CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Judge what came, then feed the parser."""
        self._last_data = self.loop.time()
        self._has_spoken = True
        if self._refused:
            return
        if self._in_head:
            if not self._head_size:
                self._head_since = self._last_data
            self._head_size += len(data)
        try:
            self._guard.feed(data)
        except MalformedMessageError as err:
            super().data_received(data[: self._guard.passed])  # the requests before it
            self.send_400_response(str(err))
        else:
            super().data_received(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio documents it
        """Let a client that has said all it has to say read its answers."""
        if self.cycle is None or self._in_body or self.cycle.response_complete:
            return None
        self.cycle.keep_alive = False
        self.cycle.message_event.set()  # `Request.gone` takes it for the end
        return True

    def on_message_begin(self) -> None:
        """Let the application see whether the client is still there."""
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport

    def on_headers_complete(self) -> None:
        """Refuse what is no path; a request proper begins here."""
        if not self.url.startswith(b"/"):
            raise _RefusedError
        if b"%" in self.url and _BAD_ESCAPE.search(self.url.partition(b"?")[0]):
            raise _RefusedError
        self._in_head = False
        self._head_size = 0
        self._in_body = True
        super().on_headers_complete()
        self.headers = []  # trailers are no headers of the request

    def on_body(self, body: bytes) -> None:
        """Read further ahead of the application than the server by itself does: writes are then large."""
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > _READ_AHEAD:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The next bytes are another head."""
        self._in_head = True
        self._head_size = 0
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse in plain text, as the cluster does for what it can't parse, and close.

        What the client still sends is read and thrown away for a moment: closing at once would reset the
        connection, and the client might never see the answer.
        """
        if self._refused:
            return
        self._refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # it was the next request: this one is still answered
                cycle.keep_alive = False
                return
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(_BAD_REQUEST), _BAD_REQUEST)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _check(self) -> None:
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent or not unsent:
            self._unsent, self._unsent_since = unsent, now
        late_head = self._in_head and self._head_size and now - self._head_since > HEAD_SECONDS
        waiting = self._in_body and not self.flow.read_paused and self.cycle is not None
        late_body = waiting and now - self._last_data > IDLE_SECONDS and not self.cycle.response_started
        silent = not self._has_spoken and now - self._last_data > IDLE_SECONDS
        if silent or late_head or late_body or now - self._unsent_since > IDLE_SECONDS:
            self.transport.abort()
            return
        if not self.transport.is_closing():
            self._watch = self.loop.call_later(_CHECK_SECONDS, self._check)
