"""Handles the requests of one connection of the multi-threaded servers."""

from __future__ import annotations

import contextlib
import html
import socket
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast

from aistore.sdk.const import (
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_ETL_SECRET,
    HEADER_NODE_URL,
    HEADER_TRANSFER_ENCODING,
    STATUS_FORBIDDEN,
    STATUS_NO_CONTENT,
    STATUS_OK,
)
from aistore.sdk.etl.webserver.base_etl_server import DRAIN_CHUNK_BYTES
from aistore.sdk.etl.webserver.blocking import RequestIO
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HEALTH_BODY, Output, Reply, decode_path
from aistore.sdk.etl.webserver.http_source import RECEIVE_BYTES, RequestBody, Sink, Source
from aistore.sdk.etl.webserver.threaded_http import IDLE_SECONDS, ThreadedHTTPServer, reset_when_closed
from aistore.sdk.transport.waits import limit_waits
from aistore.wire.http1.chunked import LAST_CHUNK, encode_size
from aistore.wire.http1.parse import Headers, MalformedMessageError, request_length

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

# More unread bytes of a body than these are not worth reading to keep the connection.
DRAIN_MAX_BYTES = 1 << 20
# How long a client may go on sending a body that was refused, before it is cut off.
LINGER_SECONDS = 5.0
_REASON_MAX = 200


class ETLRequestHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    _expects = False
    _date = (0, "")
    begins = False

    # ---- connection

    @classmethod
    def begin(cls, connection: socket.socket, address: Any, server: ThreadedHTTPServer) -> ETLRequestHandler:
        """Make a handler whose caller calls `visit` when something has arrived, and `finish` at the end.

        Args:
            connection: The connection.
            address: Whose it is.
            server: The server.
        """
        handler = cls.__new__(cls)
        # The base's constructor handles the whole connection and finishes it.
        handler.begins = True
        cls.__init__(handler, connection, address, server)
        handler.begins = False
        return handler

    def setup(self) -> None:
        """Take the connection over; heads are received and parsed by `Source`, replies sent by `Sink`."""
        self.connection = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        limit_waits(self.connection, IDLE_SECONDS)
        is_own = hasattr(self.server, "claim_of")
        self._own_server = cast("ThreadedHTTPServer", self.server) if is_own else None
        self._claim = self._own_server.claim_of(self.connection) if self._own_server is not None else None
        self._source = Source(self.connection)
        self.rfile = cast("Any", self._source)
        self.wfile = cast("Any", Sink(self.connection))

    def handle(self) -> None:
        """Handle requests until the connection or the server ends."""
        while not self.begins and self.visit():
            pass

    def finish(self) -> None:
        """Send what is left."""
        if not self.begins:
            super().finish()

    def visit(self) -> bool:
        """Handle the requests that have arrived, or come next; False at the end of the connection."""
        server, claim = self._own_server, self._claim
        if server is None or claim is None:
            # A plain `http.server` may have one thread for all connections: one request for each.
            if self._has_request():
                self.handle_one_request()
            return False
        # Only from its first byte on is there a request that a stop has to wait for.
        while self._has_request() and claim.take():
            self.handle_one_request()
            if self.close_connection:
                return False
            claim.offer()
            if server.stopping and claim.take():
                return False
            if not self._source.has_buffered:
                return True
        return False

    def _has_request(self) -> bool:
        try:
            return self._source.has_data()
        except OSError:
            return False

    def handle_one_request(self) -> None:
        """Receive one request and answer it."""
        self.close_connection = True
        self.command, self.path, self.request_version = "", "", "HTTP/1.1"
        try:
            head = self._source.read_head()
            if head is None:
                return
            self._body = RequestBody(self._source, request_length(head))
        except MalformedMessageError as exc:
            self._send(Reply(exc.status, error=str(exc)))
            self._linger()
            return
        self.command, self.path = head.method, head.target
        self.request_version = "HTTP/1.1" if head.version == 11 else "HTTP/1.0"
        self.headers = cast("Any", Headers(head.fields))
        self.close_connection = not head.keep_alive
        self._expects = head.fields.get("expect", "").lower() == "100-continue"
        method = getattr(self, f"do_{self.command}", None)
        if method is None:
            self.close_connection = True
            self._send(Reply(501, error=f"Unsupported method ({self.command!r})"))
            return
        refusal = self._refusal()
        if refusal:
            self._send_unread(Reply(STATUS_FORBIDDEN, error=refusal))
            return
        method()
        self.wfile.flush()

    def _refusal(self) -> str:
        caller = self._etl.caller
        if not caller.is_needed:
            return ""
        path, _, query = self.path.partition("?")
        host, shown = self.headers.get("Host", ""), self.headers.get(HEADER_ETL_SECRET, "")
        return caller.refusal(self.command, path, query, host, shown)

    # ---- methods

    def do_GET(self) -> None:
        """Answer the health check, or transform an object of the target (hpull)."""
        if self.path.partition("?")[0] == "/health":
            self._send_unread(self._health())
            return
        self._transform()

    def do_PUT(self) -> None:
        """Transform the body, or the file that the request names (hpush)."""
        self._transform()

    def do_HEAD(self) -> None:
        """Answer the health check without a body."""
        if self.path.partition("?")[0] == "/health":
            self._send_unread(self._health())
        else:
            refusal = Reply(405, error="only GET and PUT transform", headers={"Allow": "GET, PUT"})
            self._send_unread(refusal)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do not log requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Send messages to the server's logger."""
        self._etl.logger.debug(format, *args)

    @property
    def _etl(self) -> ETLServer:
        return cast("ThreadedHTTPServer", self.server).etl_server

    def _health(self) -> Reply:
        return Reply(STATUS_OK, HEALTH_BODY, self._etl.get_mime_type())

    def _transform(self) -> None:
        body = self._body
        if self._expects:
            self._invite_body()
        path, _, query = self.path.partition("?")
        pipeline = self.headers.get(HEADER_NODE_URL, "") or ""
        reply = RequestIO(self._etl, body).run(self.command, decode_path(path), query, pipeline)
        if isinstance(reply.body, Output):
            if not self._send_stream(reply, reply.body):
                return  # to be reset, and so nothing may end the connection in an orderly way
            self._drain(body)
        else:
            if not body.done or body.broken:
                self._drain(body)
            self._send(reply)
        if not body.done:
            self._linger()

    def _invite_body(self) -> None:
        self._expects = False
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()

    def _drain(self, body: RequestBody) -> None:
        """Read what is left of a body, so that the connection can be used again, unless that is too much."""
        budget = DRAIN_MAX_BYTES if body.left <= DRAIN_MAX_BYTES else 0
        try:
            while not body.done and budget > 0:
                budget -= len(body.read(DRAIN_CHUNK_BYTES) or b"")
        except (OSError, ValueError):
            self.close_connection = True
        if not body.done or body.broken:
            self.close_connection = True

    def _send_unread(self, reply: Reply) -> None:
        """Send a reply without need of the body, which must not be taken for the next request."""
        if self._expects and not self._body.done:
            self.close_connection = True  # it may follow, or not
        else:
            self._drain(self._body)
        self._send(reply)
        if not self._body.done and not self._expects:
            self._linger()

    def _linger(self) -> None:
        """Let a client that is still sending come to read the answer: a reset would take it away."""
        deadline = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError, ValueError):
            self.connection.shutdown(socket.SHUT_WR)
            limit_waits(self.connection, LINGER_SECONDS)
            while time.monotonic() < deadline and self._source.read1(RECEIVE_BYTES):
                pass

    # ---- replies

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin a reply with its status line, `Server` and `Date`."""
        self.send_response_only(code, message)
        now = int(time.time())
        if self._date[0] != now:
            # Shared by all connections: it changes once a second.
            ETLRequestHandler._date = (now, formatdate(now, usegmt=True))
        self.send_header("Server", self.version_string())
        self.send_header("Date", self._date[1])

    def _send(self, reply: Reply) -> None:
        reason = None
        if reply.error:
            reply, reason = self._error_reply(reply)
        assert isinstance(reply.body, bytes)
        self._send_head(reply, len(reply.body), reason)
        if reply.body and self.command != "HEAD" and reply.status != STATUS_NO_CONTENT:
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

    def _error_reply(self, reply: Reply) -> tuple[Reply, str | None]:
        """Make the page of an error, and the reason for its status line."""
        message = f"Unhandled error: {reply.error}" if reply.transform_failed else reply.error
        short, long = self.responses.get(reply.status, ("Error", "Error"))
        page = self.error_message_format % {
            "code": reply.status,
            "message": html.escape(message, quote=False),
            "explain": html.escape(long, quote=False),
        }
        # The message may hold anything; a status line may not.
        reason = "".join(c for c in message.split("\n")[0] if " " <= c <= "~")[:_REASON_MAX] or short
        body = page.encode("utf-8", "replace")
        return Reply(reply.status, body, self.error_content_type, reply.headers), reason

    def _send_stream(self, reply: Reply, output: Output) -> bool:
        """Send chunks as they come; False when it failed, and the receiver sees an incomplete answer."""
        chunked = output.length is None and self.request_version != "HTTP/1.0"
        if output.length is None and not chunked:
            self.close_connection = True  # which is the end of the answer
        try:
            self._send_head(reply, output.length)
            for chunk in whole(output):
                if chunked:
                    self.wfile.write(encode_size(len(chunk)))
                self.wfile.write(chunk)
                if chunked:
                    self.wfile.write(b"\r\n")
                self.wfile.flush()
            if chunked:
                self.wfile.write(LAST_CHUNK)
            self.wfile.flush()
        except Exception:
            self._etl.logger.exception("%s %s cut short", self.command, self.path.partition("?")[0])
            self.close_connection = True
            if self._own_server is not None:
                self._own_server.abort(self.connection)
            else:
                reset_when_closed(self.connection)
                self.connection.close()  # before a plain server ends it in order
            return False
        else:
            return True
        finally:
            close_output(output)
