"""A gunicorn worker that serves a plain ETL application below WSGI, and any other as gunicorn does."""

from __future__ import annotations

import os
import selectors
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from aistore.sdk.etl.webserver.flask_server import EXTENSION, FlaskServer
from aistore.sdk.etl.webserver.serving import prepare_process

# How often the worker looks whether it is to end.
POLL_SECONDS = 0.5


class ETLWorker(ThreadWorker):  # type: ignore[misc]  # the package is optional
    """Gunicorn's worker with threads, whose plain applications are served without WSGI."""

    wsgi: Any

    def run(self) -> None:
        """Serve until gunicorn says otherwise."""
        prepare_process()
        server: FlaskServer = self.wsgi.extensions[EXTENSION]
        if not server.is_plain():
            self.wsgi = server.caller.around_wsgi(self.wsgi)
            super().run()
            return
        http = server.make_http_server(self.sockets[0].sock)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(http, selectors.EVENT_READ)
                while self.alive and os.getppid() == self.ppid:
                    self.notify()
                    http.service_actions()
                    # `handle_request` does not wait itself: gunicorn's sockets do not block, and another
                    # worker may have accepted the connection.
                    if selector.select(POLL_SECONDS):
                        http.handle_request()
        finally:
            http.finish(self.cfg.graceful_timeout)
