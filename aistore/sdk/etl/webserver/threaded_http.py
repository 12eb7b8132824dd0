"""The connections of the multi-threaded servers: accepting, limits, an orderly end."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT, HEADER_ETL_RETRY_REASON
from aistore.sdk.etl.webserver.crew import Crew
from aistore.sdk.etl.webserver.serving import prepare_process
from aistore.sdk.etl.webserver.settings import ENV_MAX_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.sdk.etl.webserver.base_etl_server import ETLServer
    from aistore.sdk.etl.webserver.http_handler import ETLRequestHandler

# Longer than the idle time of the targets' connection pools, so that it is they who close.
IDLE_SECONDS = 120.0
# How often it is looked for connections that have been idle for too long.
SWEEP_SECONDS = 5.0
# How long a stop waits for requests in flight.
GRACE_SECONDS = 10.0
# The only header that makes a target repeat a request; it does so with a body that came with the request.
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
    b"Connection: close\r\nRetry-After: 1\r\n%b: %b\r\n\r\n%b"
)


class Claim:
    """Who may decide over an idle connection: a thread, to handle a request, or the server, to close it.

    Invariant: between two requests exactly one of them gets `take` to return True. No lock: taking an item
    out of a list is one atomic operation.
    """

    __slots__ = ("_items", "since")

    def __init__(self) -> None:
        self._items: list[None] = []
        self.since = 0.0

    def offer(self) -> None:
        """Say that the connection is idle from now on."""
        self.since = time.monotonic()
        self._items.append(None)

    def take(self) -> bool:
        """Take the decision, when it is to be had."""
        try:
            self._items.pop()
        except IndexError:
            return False
        return True

    @property
    def is_idle(self) -> bool:
        """Whether the decision is to be had."""
        return bool(self._items)


class _Connection:
    """A connection and its handler, as a crew looks after them.

    Args:
        server: The server.
        connection: The connection.
        address: Whose it is.
    """

    def __init__(self, server: ThreadedHTTPServer, connection: socket.socket, address: Any) -> None:
        self.connection = connection
        self._server = server
        self._address = address
        self.handler: ETLRequestHandler | None = None

    def visit(self) -> bool:
        """Handle the requests that have arrived; False when the connection is at its end."""
        try:
            if self.handler is not None:
                return self.handler.visit()
            # A handler of another kind handles the whole connection at once.
            if self._server.claim_of(self.connection).take():
                self._server.finish_request(self.connection, self._address)
        except Exception:  # noqa: BLE001 - passed on
            self._server.handle_error(self.connection, self._address)
        return False

    def leave(self) -> None:
        """Close the connection."""
        try:
            if self.handler is not None:
                self.handler.finish()
        except Exception:  # noqa: BLE001 - passed on
            self._server.handle_error(self.connection, self._address)
        finally:
            self._server.shutdown_request(self.connection)


class ThreadedHTTPServer(ThreadingMixIn, HTTPServer):  # threads are its own: the mix-in is for `isinstance`
    """Accepts connections, up to `AIS_ETL_MAX_CONNECTIONS`, and has a crew of threads look after them.

    Beyond that the connection that has been idle for longest makes room; when none is idle, the new one is
    answered 503.

    Args:
        server_address: (host, port) to bind to.
        handler_class: Handles a connection.
        etl_server: The ETL server that the requests are for.
        listener: A bound socket to use instead of binding one.
    """

    request_queue_size = 1024
    etl_server: ETLServer

    def __init__(
        self,
        server_address: tuple[str, int],
        handler_class: type[BaseHTTPRequestHandler],
        etl_server: ETLServer,
        listener: socket.socket | None = None,
    ) -> None:
        self.etl_server = etl_server
        self._claims: dict[Any, Claim] = {}
        self._aborted: set[Any] = set()
        self._state = threading.Condition()
        self._crew = Crew()
        self._swept = 0.0
        self.stopping = False
        if listener is None:
            super().__init__(server_address, handler_class)
            return
        super().__init__(server_address, handler_class, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Have the crew look after a connection, or turn it away."""
        limit = self.etl_server.settings.max_connections
        with self._state:
            room = len(self._claims) < limit or self._close_longest_idle()
            if room:
                claim = self._claims[request] = Claim()
                claim.offer()
        if room:
            accepted = _Connection(self, request, client_address)
            begin = getattr(self.RequestHandlerClass, "begin", None)
            if begin is not None:
                accepted.handler = begin(request, client_address, self)
            self._crew.add(accepted)
            return
        text = f"all {limit} connections are busy ({ENV_MAX_CONNECTIONS})".encode()
        reason = HEADER_ETL_RETRY_REASON.encode(), ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT.encode()
        self.etl_server.logger.warning("connection refused: %s", text.decode())
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_FULL % (len(text), *reason, text))
        self.shutdown_request(request)

    def claim_of(self, connection: Any) -> Claim:
        """Return the claim of a connection."""
        return self._claims.get(connection) or Claim()

    def service_actions(self) -> None:
        """Close what has been idle for too long; called now and then."""
        now = time.monotonic()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        with self._state:
            for connection, claim in list(self._claims.items()):
                if claim.since < now - IDLE_SECONDS and claim.take():
                    _end_input(connection)

    def _close_longest_idle(self) -> bool:
        """Close an idle connection: clients repeat a request that crosses its end, as keep-alive demands."""
        idle = [(claim.since, key) for key, claim in self._claims.items() if claim.is_idle]
        for _, connection in sorted(idle, key=lambda item: item[0]):
            if self._claims[connection].take():
                del self._claims[connection]
                _end_input(connection)
                return True
        return False

    def abort(self, connection: Any) -> None:
        """Let the server close a connection with a reset."""
        self._aborted.add(connection)
        reset_when_closed(connection)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._state:
            self._claims.pop(request, None)
            self._state.notify_all()
        if request in self._aborted:
            self._aborted.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def finish(self, grace: float = GRACE_SECONDS) -> None:
        """Stop: no new connections, idle ones are closed, requests in flight get some seconds to end."""
        self.stopping = True  # from now on whoever offers a claim takes it back and closes
        with self._state:
            for connection, claim in list(self._claims.items()):
                if claim.take():
                    del self._claims[connection]
                    _end_input(connection)
            self._state.wait_for(lambda: not self._claims, timeout=grace)
        self.server_close()

    def server_close(self) -> None:
        """Close the listening socket, and all connections but those that have requests in flight."""
        super().server_close()
        self._crew.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a connection that failed; one that the client cut is not an error."""
        error = sys.exc_info()[1]
        self.etl_server.logger.debug("connection of %s failed: %r", client_address, error)


def reset_when_closed(connection: socket.socket) -> None:
    """Turn the close of a connection into a reset: an orderly one would end an HTTP/1.0 response."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _end_input(connection: socket.socket) -> None:
    """Have the crew find a connection, whose claim has been taken, at its end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def serve_until_signalled(server: ThreadedHTTPServer) -> None:
    """Serve until SIGTERM or SIGINT."""
    prepare_process()
    restore = _on_stop_signals(server)
    server.etl_server.logger.info("serving on %s:%d", *server.server_address[:2])
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.finish()
        restore()


def _on_stop_signals(server: ThreadedHTTPServer) -> Callable[[], None]:
    """Stop the server on SIGTERM and SIGINT, where signals can be set; returns the way back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def stop(_signum: int, _frame: object) -> None:
        # `shutdown` waits for the loop that this very thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    before = {sig: signal.signal(sig, stop) for sig in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for sig, handler in before.items():
            signal.signal(sig, handler)

    return restore


# Where pickles for the 2.0.0 package find it.
ThreadedHTTPServer.__module__ = "aistore.sdk.etl.webserver.http_multi_threaded_server"
