"""An ETL server as a Flask (WSGI) application."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from aistore.sdk.const import (
    HEADER_CONTENT_LENGTH,
    HEADER_NODE_URL,
    STATUS_BAD_REQUEST,
    STATUS_NO_CONTENT,
    STATUS_OK,
)
from aistore.sdk.etl.webserver.base_etl_server import DRAIN_CHUNK_BYTES, ETLServer
from aistore.sdk.etl.webserver.blocking import FileBody, RequestIO
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HEALTH_BODY, Output, Reply
from aistore.sdk.etl.webserver.flask_handler import TEXT, FlaskRequestHandler, extent_of
from aistore.sdk.etl.webserver.http_source import GuardedInput
from aistore.sdk.etl.webserver.requirements import require
from aistore.sdk.etl.webserver.serving import prepare_process
from aistore.sdk.etl.webserver.threaded_http import ThreadedHTTPServer, serve_until_signalled
from aistore.wire.http1.parse import MalformedMessageError
from aistore.wire.http1.write import encode_refusal

if TYPE_CHECKING:
    from flask import Flask, Response

# Where the application keeps its ETL server.
EXTENSION = "aistore_etl"
# More unread bytes of a body than these are not worth reading to keep the connection.
DRAIN_MAX_BYTES = 1 << 20
# How long to wait for the next piece of a request's body, or for the client to take one of the answer's.
RECEIVE_SECONDS = 120.0


class FlaskServer(ETLServer):
    """ETL server on Flask; the runtime serves it with gunicorn where that is installed.

    Args:
        host: Address to bind to.
        port: Port to bind to.

    Attributes:
        app: The Flask application.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:  # noqa: S104 - inside the pod
        super().__init__()
        self.host = host
        self.port = port
        self.app = self._make_app()
        self._extent = extent_of(self.app)

    def start(self) -> None:
        """Serve until stopped."""
        if self.is_plain():
            serve_until_signalled(self.make_http_server())
        else:
            self._run(self.host, self.port)

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until stopped."""
        if self.is_plain():
            serve_until_signalled(self.make_http_server(listener))
        else:
            host, port = listener.getsockname()[:2]
            self._run(host, port, listener.fileno())

    def is_plain(self) -> bool:
        """Say whether nobody has added to the application: then requests need not pass through it."""
        return extent_of(self.app) == self._extent

    def make_http_server(self, listener: socket.socket | None = None) -> ThreadedHTTPServer:
        """Make the server that answers for a plain application.

        Args:
            listener: A bound socket. Default: one bound to `host` and `port`.
        """
        return ThreadedHTTPServer((self.host, self.port), FlaskRequestHandler, self, listener)

    def _run(self, host: str, port: int, fd: int | None = None) -> None:
        serving = require("werkzeug.serving", "FlaskServer")

        class Handler(serving.WSGIRequestHandler):  # type: ignore[misc, name-defined]  # the package is optional
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                """Have what is received judged before it is parsed, which is done more laxly here."""
                super().setup()
                self.rfile = io.BufferedReader(GuardedInput(self.connection))

            def handle(self) -> None:
                """Refuse what breaks the rules."""
                try:
                    super().handle()
                except MalformedMessageError as exc:
                    self.wfile.write(encode_refusal(str(exc)))

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Do not log requests."""

        prepare_process()
        app = self.caller.around_wsgi(self.app)
        server = serving.make_server(host, port, app, threaded=True, request_handler=Handler, fd=fd)
        server.daemon_threads = True
        self.logger.info("serving on %s:%d", host, port)
        try:
            server.serve_forever()
        finally:
            server.server_close()

    def _make_app(self) -> Flask:
        flask = require("flask", "FlaskServer")
        app: Flask = flask.Flask(type(self).__name__)
        app.extensions[EXTENSION] = self
        # An object's name may hold any slashes; the router must neither merge them nor redirect.
        app.url_map.merge_slashes = False
        app.url_map.strict_slashes = False
        app.add_url_rule("/health", "health", self._health, methods=["GET"])
        for number, rule in enumerate(("/", "/<path:_path>")):
            app.add_url_rule(
                rule,
                f"transform{number}",
                self._handle_request,
                methods=["GET", "PUT"],
                provide_automatic_options=False,
            )
        return app

    def _health(self) -> Response:
        return self._respond(Reply(STATUS_OK, HEALTH_BODY, TEXT))

    def _handle_request(self, _path: str = "") -> Response:
        request = require("flask", "FlaskServer").request
        # Flask takes HEAD for a GET, but nobody wants a transform without its result.
        if request.method == "HEAD":
            return self._respond(
                Reply(405, error="only GET and PUT transform", headers={"Allow": "GET, PUT"})
            )
        connection = request.environ.get("gunicorn.socket")
        if connection is not None:  # which waits for ever otherwise
            connection.settimeout(RECEIVE_SECONDS)
        body = cast("BinaryIO", request.stream)
        pipeline = request.headers.get(HEADER_NODE_URL, "")
        query = request.query_string.decode("latin-1")
        announced = request.headers.get(HEADER_CONTENT_LENGTH)
        path = request.environ["PATH_INFO"].encode("latin-1").decode("utf-8", "surrogateescape")
        reply = RequestIO(self, FileBody(body, announced)).run(request.method, path, query, pipeline)
        if not isinstance(reply.body, Output) and (request.content_length or 0) <= DRAIN_MAX_BYTES:
            _drain(body)
        return self._respond(reply)

    def _respond(self, reply: Reply) -> Response:
        flask = require("flask", "FlaskServer")
        response: Response
        if reply.error and reply.status == STATUS_BAD_REQUEST:
            response = flask.Response(reply.error, reply.status)
        elif reply.error:
            response = flask.jsonify(error=reply.error)
            response.status_code = reply.status
        elif isinstance(reply.body, Output):
            chunks = _OutputChunks(reply.body)
            response = flask.Response(chunks, reply.status, content_type=reply.content_type)
            if reply.body.length is not None:
                response.headers[HEADER_CONTENT_LENGTH] = str(reply.body.length)
        else:
            response = flask.Response(reply.body, reply.status)
            response.headers.pop("Content-Type", None)
            if reply.content_type:
                response.headers["Content-Type"] = reply.content_type
            if reply.status == STATUS_NO_CONTENT:
                response.headers.pop("Content-Length", None)
        response.headers.extend(reply.headers)
        return response


class _OutputChunks:
    """Chunks of a streamed result as WSGI wants them: iterated, then closed, also when the client goes."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._chunks = whole(output)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """End the transform and close what it reads from."""
        close_output(self._output)


def _drain(body: Any) -> None:
    """Read what is left of a request's body, so that its connection can be used again."""
    budget = DRAIN_MAX_BYTES
    with contextlib.suppress(Exception):
        while budget > 0:
            piece = body.read(min(DRAIN_CHUNK_BYTES, budget))
            if not piece:
                break
            budget -= len(piece)
