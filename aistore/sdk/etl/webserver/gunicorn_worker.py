"""Gunicorn's worker and arbiter for ETL applications."""

from __future__ import annotations

import os
import selectors
from typing import TYPE_CHECKING, Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.http.errors import InvalidHeader
from gunicorn.workers.gthread import ThreadWorker

from aistore.sdk.etl.webserver.flask_server import EXTENSION, FlaskServer
from aistore.sdk.etl.webserver.serving import prepare_process
from aistore.wire.http1.messages import RequestGuard
from aistore.wire.http1.parse import MalformedMessageError

if TYPE_CHECKING:
    import socket

# How often the worker looks whether it is to end.
POLL_SECONDS = 0.5


class GuardedSocket:
    """A connection whose requests are judged before gunicorn parses them, which is done more laxly there.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._guard = RequestGuard()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive.

        Raises:
            InvalidHeader: What arrived breaks the rules; gunicorn responds with 400.
        """
        data = self._sock.recv(size, flags)
        try:
            self._guard.feed(data)
        except MalformedMessageError as exc:
            raise InvalidHeader(str(exc)) from exc
        return data


class ETLArbiter(Arbiter):  # type: ignore[misc]  # the package is optional
    """Gunicorn's arbiter, which tells a worker that cannot start from one that ends with the same status.

    Gunicorn takes the exit statuses 3 and 4 for a failed start, whenever they come: one `os._exit(3)` in a
    transform would stop the server.
    """

    def __init__(self, app: Any) -> None:
        self._started: set[int] = set()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        app.cfg.set("post_worker_init", self._note_start)
        super().__init__(app)

    def _note_start(self, worker: Any) -> None:
        """Tell the arbiter, from the worker's process, that it has started."""
        os.write(self._writing, f"{worker.pid}\n".encode())

    def reap_workers(self) -> None:
        """Forget the workers that have ended; they are replaced, unless one could not start."""
        while True:
            workers = dict(self.WORKERS)
            try:
                super().reap_workers()
            except HaltServer:
                ended = {pid: worker for pid, worker in workers.items() if not _is_child(pid)}
                if not ended.keys() <= self._all_started():
                    raise
                for pid, worker in ended.items():
                    self.WORKERS.pop(pid, None)
                    worker.tmp.close()
            else:
                return

    def _all_started(self) -> set[int]:
        try:
            while data := os.read(self._reading, 4096):
                self._started.update(map(int, data.split()))
        except BlockingIOError:
            pass
        return self._started


def _is_child(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class ETLWorker(ThreadWorker):  # type: ignore[misc]  # the package is optional
    """Gunicorn's worker with threads; a plain application is served without WSGI."""

    wsgi: Any

    def enqueue_req(self, conn: Any) -> None:
        """Have the requests of a connection handled."""
        if conn.parser is None:
            conn.sock = GuardedSocket(conn.sock)
        super().enqueue_req(conn)

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
