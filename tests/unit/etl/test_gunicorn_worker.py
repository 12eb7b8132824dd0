"""The worker that gunicorn runs for a plain Flask application."""

import os
import socket
from types import SimpleNamespace

import pytest

from aistore.sdk.etl.webserver import gunicorn_worker
from aistore.sdk.etl.webserver.flask_server import EXTENSION


@pytest.mark.parametrize("connections", [0, 2])
def test_it_works_only_when_somebody_connects(monkeypatch, connections):
    """An idle worker waits: it does not turn round on its socket, which does not block."""
    monkeypatch.setattr(gunicorn_worker, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(gunicorn_worker, "prepare_process", lambda: None)
    handled, rounds = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        class Server:
            def fileno(self):
                return listener.fileno()

            def service_actions(self):
                pass

            def handle_request(self):
                connection, _ = listener.accept()
                connection.close()
                handled.append(1)

            def finish(self, grace):
                handled.append(grace)

        server = SimpleNamespace(is_plain=lambda: True, make_http_server=lambda sock: Server())
        worker = gunicorn_worker.ETLWorker.__new__(gunicorn_worker.ETLWorker)
        worker.wsgi = SimpleNamespace(extensions={EXTENSION: server})
        worker.sockets = [SimpleNamespace(sock=listener)]
        worker.cfg = SimpleNamespace(graceful_timeout=7)
        worker.ppid = os.getppid()
        worker.alive = True

        def notify():
            rounds.append(1)
            worker.alive = len(rounds) < 6

        worker.notify = notify
        clients = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(connections)]
        worker.run()
        for client in clients:
            client.close()
    assert handled == [1] * connections + [7]
