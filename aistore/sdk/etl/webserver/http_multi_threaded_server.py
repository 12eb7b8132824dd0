"""An ETL server on nothing but the standard library: HTTP/1.1, a thread per connection."""

from __future__ import annotations

import contextlib
import html
import io
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote

from aistore.sdk.const import (
    ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT,
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_ETL_RETRY_REASON,
    HEADER_NODE_URL,
    HEADER_TRANSFER_ENCODING,
    STATUS_NO_CONTENT,
    STATUS_OK,
)
from aistore.sdk.etl.webserver.base_etl_server import DRAIN_CHUNK_BYTES, ETLServer
from aistore.sdk.etl.webserver.blocking import BlockingSteps
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HEALTH_BODY, Output, Reply
from aistore.sdk.etl.webserver.http_body import BadFraming, RequestBody, body_of
from aistore.sdk.etl.webserver.settings import ENV_MAX_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

# Longer than the idle time of the targets' connection pools, so that it is they who close.
IDLE_SECONDS = 120.0
# How long a stop waits for requests in flight.
GRACE_SECONDS = 10.0
# More unread bytes of a body than these are not worth reading to keep the connection.
DRAIN_MAX_BYTES = 1 << 20
# How long a client may go on sending a body that was refused, before it is cut off.
LINGER_SECONDS = 5.0
_REASON_MAX = 200
# The only header that makes a target repeat a request; it does so with a body that came with the request.
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
    b"Connection: close\r\nRetry-After: 1\r\n%b: %b\r\n\r\n%b"
)


class ThreadedHTTPServer(ThreadingMixIn, HTTPServer):
    """Accepts connections and gives each a thread, up to `AIS_ETL_MAX_CONNECTIONS`.

    Beyond that the connection that has been idle for longest makes room; when none is idle, the new one is
    answered 503.

    Args:
        server_address: (host, port) to bind to.
        handler_class: Handles a connection.
        etl_server: The ETL server that the requests are for.
        listener: A bound socket to use instead of binding one.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self,
        server_address: tuple[str, int],
        handler_class: type[BaseHTTPRequestHandler],
        etl_server: ETLServer,
        listener: socket.socket | None = None,
    ) -> None:
        self.etl_server = etl_server
        self._connections: dict[Any, bool] = {}  # socket -> whether a request is being handled
        self._aborted: set[Any] = set()
        self._state = threading.Condition()
        self._stopping = False
        if listener is None:
            super().__init__(server_address, handler_class)
            return
        super().__init__(server_address, handler_class, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread, or turn it away."""
        limit = self.etl_server.settings.max_connections
        with self._state:
            room = len(self._connections) < limit or self._close_longest_idle()
            if room:
                self._connections[request] = False
        if room:
            super().process_request(request, client_address)
            return
        text = f"all {limit} connections are busy ({ENV_MAX_CONNECTIONS})".encode()
        reason = HEADER_ETL_RETRY_REASON.encode(), ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT.encode()
        self.etl_server.logger.warning("connection refused: %s", text.decode())
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_FULL % (len(text), *reason, text))
        self.shutdown_request(request)

    def _close_longest_idle(self) -> bool:
        """Close an idle connection: clients repeat a request that crosses its end, as keep-alive demands."""
        for connection, busy in self._connections.items():  # in the order of their last change
            if not busy:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
                del self._connections[connection]
                return True
        return False

    def mark(self, connection: Any, *, busy: bool) -> bool:
        """Note that a connection starts or ends a request; False when the server is stopping."""
        with self._state:
            closed = self._connections.pop(connection, None) is None
            if not closed:
                self._connections[connection] = busy  # behind those that changed earlier
            self._state.notify_all()
            return not (closed or self._stopping)

    def abort(self, connection: Any) -> None:
        """Have a connection closed with a reset: an orderly close would end an HTTP/1.0 answer."""
        self._aborted.add(connection)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._state:
            self._connections.pop(request, None)
            self._state.notify_all()
        if request in self._aborted:
            self._aborted.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def finish(self, grace: float = GRACE_SECONDS) -> None:
        """Stop: no new connections, idle ones are closed, requests in flight get some seconds to end."""
        with self._state:
            self._stopping = True
            for connection, busy in self._connections.items():
                if not busy:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)
            self._state.wait_for(lambda: not any(self._connections.values()), timeout=grace)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a connection that failed; one that the client cut is not an error."""
        error = sys.exc_info()[1]
        self.etl_server.logger.debug("connection of %s failed: %r", client_address, error)


class HTTPMultiThreadedServer(ETLServer):
    """ETL server of the standard library: no further packages, a thread per connection.

    Args:
        host: Address to bind to.
        port: Port to bind to; 0 picks a free one.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:  # noqa: S104 - inside the pod
        super().__init__()
        self.host = host
        self.port = port

    def start(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        self._serve(ThreadedHTTPServer((self.host, self.port), self.RequestHandler, self))

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until SIGTERM or SIGINT."""
        address = (self.host, self.port)
        self._serve(ThreadedHTTPServer(address, self.RequestHandler, self, listener))

    def _serve(self, server: ThreadedHTTPServer) -> None:
        restore = _on_stop_signals(server)
        self.logger.info("serving on %s:%d", *server.server_address[:2])
        try:
            server.serve_forever(poll_interval=0.1)
        finally:
            server.finish()
            restore()

    class RequestHandler(BaseHTTPRequestHandler):
        """Handles the requests of one connection."""

        protocol_version = "HTTP/1.1"
        timeout = IDLE_SECONDS
        # One write for head and body, and no delay of the last piece.
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            """Handle one request, marking the connection as busy from its first byte."""
            server = self.server
            if not isinstance(server, ThreadedHTTPServer):
                super().handle_one_request()
                return
            idle = server.mark(self.connection, busy=False)
            # Only from here on is there a request that a stop has to wait for.
            if not idle or not self._has_request() or not server.mark(self.connection, busy=True):
                self.close_connection = True
                return
            super().handle_one_request()

        def _has_request(self) -> bool:
            try:
                return bool(cast("io.BufferedReader", self.rfile).peek(1))
            except OSError:
                return False

        def do_GET(self) -> None:
            """Answer the health check, or transform an object of the target (hpull)."""
            if self.path.partition("?")[0] == "/health":
                self._send(Reply(STATUS_OK, HEALTH_BODY, self._etl.get_mime_type()))
                return
            self._transform()

        def do_PUT(self) -> None:
            """Transform the body, or the file that the request names (hpush)."""
            self._transform()

        def do_HEAD(self) -> None:
            """Answer the health check without a body."""
            if self.path.partition("?")[0] == "/health":
                self._send(Reply(STATUS_OK, HEALTH_BODY, self._etl.get_mime_type()))
            else:
                self._send(Reply(405, error="only GET and PUT transform", headers={"Allow": "GET, PUT"}))

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Do not log requests."""

        def log_message(self, format: str, *args: Any) -> None:
            """Send messages to the server's logger."""
            self._etl.logger.debug(format, *args)

        @property
        def _etl(self) -> ETLServer:
            return cast("ThreadedHTTPServer", self.server).etl_server

        def _transform(self) -> None:
            try:
                body = body_of(self.headers, cast("BinaryIO", self.rfile))
            except BadFraming as exc:
                self.close_connection = True
                self._send(Reply(exc.status, error=str(exc)))
                return
            self._invite_body()
            path, _, query = self.path.partition("?")
            reader = io.BufferedReader(body, DRAIN_CHUNK_BYTES)
            pipeline = self.headers.get(HEADER_NODE_URL, "") or ""
            announced = self.headers.get(HEADER_CONTENT_LENGTH)
            reply = BlockingSteps(self._etl, reader, announced).run(
                self.command, unquote(path), query, pipeline
            )
            if isinstance(reply.body, Output):
                if not self._send_stream(reply, reply.body):
                    return  # to be reset, and so nothing may end the connection in an orderly way
                self._drain(body)
            else:
                self._drain(body)
                self._send(reply)
            if not body.done:
                self._linger(body)

        def handle_expect_100(self) -> bool:
            """Leave the invitation to send the body until it is known that it can be read."""
            self._expects = True
            return True

        _expects = False

        def _invite_body(self) -> None:
            if self._expects:
                self._expects = False
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.wfile.flush()

        def _drain(self, body: RequestBody) -> None:
            """Read what is left of a body, so that the connection can be used again, or give it up."""
            budget = DRAIN_MAX_BYTES
            try:
                while not body.done and budget > 0:
                    budget -= len(body.read(DRAIN_CHUNK_BYTES) or b"")
            except (OSError, ValueError):
                self.close_connection = True
            if not body.done or body.broken:
                self.close_connection = True

        def _linger(self, body: RequestBody) -> None:
            """Let a client that is still sending come to read the answer: a reset would take it away."""
            deadline = time.monotonic() + LINGER_SECONDS
            with contextlib.suppress(OSError, ValueError):
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(LINGER_SECONDS)
                while time.monotonic() < deadline and body.read(DRAIN_MAX_BYTES):
                    pass

        def _send(self, reply: Reply) -> None:
            if reply.error:
                self._send_error_page(reply)
                return
            assert isinstance(reply.body, bytes)
            self._send_head(reply, len(reply.body))
            if self.command != "HEAD" and reply.status != STATUS_NO_CONTENT:
                self.wfile.write(reply.body)
            self.wfile.flush()

        def _send_head(self, reply: Reply, length: int | None, reason: str | None = None) -> None:
            """Send status and headers; without a length the body goes in chunks, or ends the connection."""
            self.send_response(reply.status, reason)
            if reply.content_type:
                self.send_header(HEADER_CONTENT_TYPE, reply.content_type)
            if length is not None and reply.status != STATUS_NO_CONTENT:
                self.send_header(HEADER_CONTENT_LENGTH, str(length))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            if length is None and self.request_version != "HTTP/1.0":
                self.send_header(HEADER_TRANSFER_ENCODING, "chunked")
            self.end_headers()

        def _send_error_page(self, reply: Reply) -> None:
            message = f"Unhandled error: {reply.error}" if reply.transform_failed else reply.error
            short, long = self.responses.get(reply.status, ("Error", "Error"))
            page = self.error_message_format % {
                "code": reply.status,
                "message": html.escape(message, quote=False),
                "explain": html.escape(long, quote=False),
            }
            body = page.encode("utf-8", "replace")
            # The message may hold anything; a status line may not.
            reason = "".join(c for c in message.split("\n")[0] if " " <= c <= "~")[:_REASON_MAX] or short
            head = Reply(reply.status, b"", self.error_content_type, reply.headers)
            self._send_head(head, len(body), reason)
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

        def _send_stream(self, reply: Reply, output: Output) -> bool:
            """Send chunks as they come; False when it failed, and the receiver sees an incomplete answer."""
            chunked = output.length is None and self.request_version != "HTTP/1.0"
            if output.length is None and not chunked:
                self.close_connection = True  # which is the end of the answer
            try:
                self._send_head(reply, output.length)
                for chunk in whole(output):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                    self.wfile.flush()
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")
                    self.wfile.flush()
            except Exception:
                self._etl.logger.exception("%s %s cut short", self.command, self.path)
                self.close_connection = True
                cast("ThreadedHTTPServer", self.server).abort(self.connection)
                return False
            else:
                return True
            finally:
                close_output(output)


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
