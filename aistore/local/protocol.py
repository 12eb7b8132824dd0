"""Limits that the HTTP server itself doesn't set: sizes, times, and connections."""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aistore.wire.http1.messages import RequestGuard
from aistore.wire.http1.parse import MalformedMessageError
from aistore.wire.http1.write import encode_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_SECONDS = 16.0
IDLE_SECONDS = 75.0
PACE_SECONDS = 150.0
PACE_BYTES = 256 * 150
"""Bytes of a body, or of a response, that must be received in that time."""

_CHECK_SECONDS = 4.0
_LINGER_SECONDS = 1.0
_PROBE_SECONDS = 0.5
_ACCEPT_PAUSE = 0.2
_READ_AHEAD = range(64 << 10, 1 << 20)
_READ_AHEAD_TOGETHER = 64 << 20
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BAD_REQUEST = "400 Bad Request"


class _RefusedError(Exception):
    """Raised out of the parser's callbacks: answered with 400, then the connection closes."""


class Connections:
    """All connections, by the client's address.

    When there are as many as there may be, a client that has less than an equal part still gets one: the
    oldest idle one of the client that has the most is closed. Others are refused.

    Args:
        most (int): Connections at a time.
    """

    def __init__(self, most: int = 4096) -> None:
        self.most = most
        self._count = 0
        self._by_client: dict[str, dict[GuardedProtocol | Handshake, None]] = {}

    def admit(self, connection: GuardedProtocol | Handshake, client: str) -> bool:
        """Count a connection; returns whether there may be another one."""
        if self._count >= self.most and not self._make_room(client):
            return False
        self._by_client.setdefault(client, {})[connection] = None
        self._count += 1
        return True

    @property
    def read_ahead(self) -> int:
        """Bytes of a body that a connection may hold unread: the less, the more connections there are."""
        part = _READ_AHEAD_TOGETHER // (self._count or 1)
        return max(_READ_AHEAD.start, min(_READ_AHEAD.stop, part))

    def _make_room(self, client: str) -> bool:
        greediest = max(self._by_client.values(), key=len, default={})
        if len(greediest) <= len(self._by_client.get(client, ())) + 1:
            return False
        idle = next((connection for connection in greediest if connection.is_idle), None)
        if idle is None:
            return False
        idle.cut()
        return True

    def remove(self, connection: GuardedProtocol | Handshake, client: str) -> None:
        """Forget a connection, if it is still counted."""
        held = self._by_client.get(client, {})
        if connection in held:
            del held[connection]
            self._count -= 1
            if not held:
                del self._by_client[client]


class _Pace:
    """A transfer that must not become slower than so many bytes in so many seconds."""

    __slots__ = ("_count", "_since")

    def __init__(self, now: float, count: int) -> None:
        self._since = now
        self._count = count

    def is_too_slow(self, now: float, count: int) -> bool:
        """Whether too little was transferred since the last look that was long enough ago."""
        if now - self._since < PACE_SECONDS:
            return False
        slow = count - self._count < PACE_BYTES
        self._since, self._count = now, count
        return slow


class JoiningTransport:
    """A transport that can send what is written in several pieces by one call.

    The head and the body of an answer are written apart; by themselves they would be two packets, and wake
    the receiver twice.

    Args:
        transport (asyncio.Transport): The one that sends.

    Attributes:
        written: Bytes written so far.
        flow: The connection's flow control.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None
        self.written = 0
        self.flow: Any = None

    async def drain(self) -> None:
        """Wait until there is room for more."""
        if self.flow.write_paused:
            await self.flow.drain()

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
        self.written += len(data)
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
    reader not stall, for more than 75 s, and neither may be slower than 256 bytes a second. What breaks the
    rules of HTTP/1.1 is refused before the server's own parser gets it.
    """

    all = Connections()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = RequestGuard()
        self._in_head = True
        self._head_size = 0
        self._head_since = 0.0
        self._in_body = False
        self._last_data = 0.0
        self._received = 0
        self._unsent = 0
        self._unsent_since = 0.0
        self._body_pace: _Pace | None = None
        self._reader_pace: _Pace | None = None
        self._address = ""
        self.handshake: Handshake | None = None
        self._gone = threading.Event()
        self._has_spoken = False
        self._refused = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        """Take the connection, unless there are too many."""
        joining = JoiningTransport(transport)
        super().connection_made(joining)  # type: ignore[arg-type]  # it has all that is used
        joining.flow = self.flow
        self._address = self.client[0] if self.client else ""
        if self.handshake is not None:
            self.all.remove(self.handshake, self.handshake.address)
        if not self.all.admit(self, self._address):
            transport.close()
            return
        self._head_since = self._last_data = self.loop.time()
        self._watch = self.loop.call_later(_CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching, and end the work for this client."""
        if self._watch is not None:
            self._watch.cancel()
        self.all.remove(self, self._address)
        self._gone.set()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def cut(self) -> None:
        """Close the connection at once; it counts no longer."""
        self.all.remove(self, self._address)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Judge what came, then feed the parser."""
        self._received += len(data)
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
        """Let a client that has sent all it will send read its responses, if it is still there."""
        if self.cycle is None or self._in_body or self.cycle.response_complete or self.scheme == "https":
            return None
        self.cycle.keep_alive = False
        self.loop.call_later(_PROBE_SECONDS, self._probe)
        return True

    def _probe(self) -> None:
        """Find out whether a client that sends no more still reads.

        Both look the same until something is sent: an interim response, which every client ignores, breaks
        a connection that the client has closed. Between the parts of another response there is no place for
        one; there the response itself does it.
        """
        if self.transport.is_closing() or self.cycle is None or self.cycle.response_started:
            return
        if self.scope["http_version"] == "1.0":  # knows no interim responses
            self._gone.set()
            return
        if not self.pipeline:
            self.transport.write(_INTERIM)
        self.loop.call_later(_PROBE_SECONDS, self._probe)

    def on_message_begin(self) -> None:
        """Let the application see whether the client is still there."""
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport
        self.scope["state"]["gone"] = self._gone

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
        if len(self.cycle.body) > self.all.read_ahead:
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
        self.transport.write(encode_refusal(_BAD_REQUEST))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _check(self) -> None:
        now = self.loop.time()
        late_head = self._in_head and self._head_size and now - self._head_since > HEAD_SECONDS
        waiting = self._in_body and not self.flow.read_paused and self.cycle is not None
        late_body = waiting and now - self._last_data > IDLE_SECONDS and not self.cycle.response_started
        silent = not self._has_spoken and now - self._last_data > IDLE_SECONDS
        self._body_pace = (self._body_pace or _Pace(now, self._received)) if waiting else None
        slow_body = self._body_pace is not None and self._body_pace.is_too_slow(now, self._received)
        if silent or late_head or late_body or slow_body or self._stalls(now) or self._was_left():
            self.transport.abort()
            return
        if not self.transport.is_closing():
            self._watch = self.loop.call_later(_CHECK_SECONDS, self._check)

    def _stalls(self, now: float) -> bool:
        """Whether the client has stopped reading what is sent to it, or reads too slowly."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent or not unsent:
            self._unsent, self._unsent_since = unsent, now
        if not unsent:
            self._reader_pace = None
            return False
        sent = self.transport.written - unsent  # type: ignore[attr-defined]  # a JoiningTransport
        if self._reader_pace is None:
            self._reader_pace = _Pace(now, sent)
        return now - self._unsent_since > IDLE_SECONDS or self._reader_pace.is_too_slow(now, sent)

    def _was_left(self) -> bool:
        """Whether the client has closed a connection that is not read from, where nothing else reports it."""
        if not self.flow.read_paused or self.is_idle or not hasattr(select, "POLLRDHUP"):
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))


class Handshake:
    """A TLS handshake: a connection on which HTTP has not begun.

    Args:
        sock (socket.socket): The accepted connection.
    """

    is_idle = True

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.task: asyncio.Task[Any] | None = None
        self.address: str = sock.getpeername()[0]

    def cut(self) -> None:
        """Close the connection at once; it counts no longer."""
        GuardedProtocol.all.remove(self, self.address)
        if self.task is not None:
            self.task.cancel()


class Server(uvicorn.Server):
    """The HTTP server; TLS connections count, and have a limit of time, from the moment they are accepted.

    Args:
        config (uvicorn.Config): Its settings.
        on_exit: Called when it is told to stop, maybe in a signal handler.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: set[asyncio.Task[None]] = set()

    def stop(self, *_: Any) -> None:
        """Begin to stop; may be called by any thread, and as a signal handler."""
        if not self.should_exit:
            self.should_exit = True
            self._on_exit()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop on a signal."""
        self.stop()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        if self.config.ssl is None:
            await super().startup(sockets)
            return
        await super().startup([])
        loop = asyncio.get_running_loop()
        for sock in sockets or []:
            sock.setblocking(False)
            self._accepting.append(loop.create_task(self._accept(sock)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept connections, and wait for the requests under way."""
        for task in (*self._accepting, *self._handshakes):
            task.cancel()
        await super().shutdown(sockets)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError:  # too many open files: those that are connected go on
                await asyncio.sleep(_ACCEPT_PAUSE)
                continue
            with contextlib.suppress(OSError):  # it has closed the connection already
                handshake = Handshake(sock)
                if GuardedProtocol.all.admit(handshake, handshake.address):
                    handshake.task = loop.create_task(self._shake_hands(handshake))
                    self._handshakes.add(handshake.task)
                    handshake.task.add_done_callback(self._handshakes.discard)
                    continue
            sock.close()

    async def _shake_hands(self, handshake: Handshake) -> None:
        def begin_http() -> GuardedProtocol:
            protocol = GuardedProtocol(self.config, self.server_state, self.lifespan.state)
            protocol.handshake = handshake
            return protocol

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                begin_http, handshake.sock, ssl=self.config.ssl, ssl_handshake_timeout=HEAD_SECONDS
            )
        except (OSError, asyncio.CancelledError):
            handshake.sock.close()
        finally:
            GuardedProtocol.all.remove(handshake, handshake.address)
