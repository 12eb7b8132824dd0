"""An ETL server on nothing but the standard library: HTTP/1.1, threads that share the connections."""

from __future__ import annotations

import socket

from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.http_handler import ETLRequestHandler
from aistore.sdk.etl.webserver.threaded_http import ThreadedHTTPServer, serve_until_signalled

__all__ = ["HTTPMultiThreadedServer", "ThreadedHTTPServer"]


class HTTPMultiThreadedServer(ETLServer):
    """ETL server of the standard library: no further packages, threads as many as are busy.

    Args:
        host: Address to bind to.
        port: Port to bind to; 0 picks a free one.
    """

    class RequestHandler(ETLRequestHandler):
        """Handles the requests of one connection."""

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:  # noqa: S104 - inside the pod
        super().__init__()
        self.host = host
        self.port = port

    def start(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        serve_until_signalled(ThreadedHTTPServer((self.host, self.port), self.RequestHandler, self))

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until SIGTERM or SIGINT."""
        address = (self.host, self.port)
        serve_until_signalled(ThreadedHTTPServer(address, self.RequestHandler, self, listener))
