"""What a request costs an ETL server, in calls rather than in time.

The limits are about a quarter above what was counted when they were set.
"""

import asyncio
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
from calls import Count
from scripted import Answer, scripted

from aistore.sdk.etl.webserver.blocking import BytesBody, RequestIO
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_handler import FlaskRequestHandler
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from aistore.sdk.etl.webserver.threaded_http import Claim

REQUESTS = 50
THREADED_BODY = 210
THREADED_FQN = 330  # most of it decodes the path, which is escaped twice
FASTAPI_BODY = 155
FETCH = 170
DELIVERY = 220 if sys.version_info >= (3, 11) else 290  # before, urlsplit() was Python for known URLs, too


def echo(base):
    return type("Echo", (base,), {"transform": lambda self, data, path, etl_args: data})()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("AIS_ETL_FQN_ROOTS", str(tmp_path.resolve()))


@pytest.fixture
def file(tmp_path):
    path = tmp_path.resolve() / "object"
    path.write_bytes(b"x" * 4096)
    return path


def count_served(server, handler_class, request):
    """Return what a request costs, of many that come one after the other over one connection."""
    http = SimpleNamespace(etl_server=server, stopping=False, claim_of=lambda _: offered())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        connection, address = listener.accept()

    def ask():
        for _ in range(REQUESTS):
            client.sendall(request)
            answer = client.recv(1 << 20)
            while len(answer) < 4096:
                answer += client.recv(1 << 20)
            assert answer.startswith(b"HTTP/1.1 200 ")
        client.shutdown(socket.SHUT_WR)

    with client, connection:
        asking = threading.Thread(target=ask)
        asking.start()
        with Count() as count:
            handler_class(connection, address, http)
        asking.join(10)
    return count.calls / REQUESTS


def offered():
    claim = Claim()
    claim.offer()
    return claim


@pytest.mark.parametrize(
    ("server_class", "handler_class"),
    [
        (HTTPMultiThreadedServer, HTTPMultiThreadedServer.RequestHandler),
        (FlaskServer, FlaskRequestHandler),
    ],
)
def test_threaded_requests(server_class, handler_class, file):
    server = echo(server_class)
    head = b"PUT /bucket/object%b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: x\r\nContent-Length: %d\r\n\r\n"
    body = head % (b"", 4096) + b"x" * 4096
    assert count_served(server, handler_class, body) <= THREADED_BODY
    fqn = b"?etl_fqn=" + str(file).replace("/", "%252F").encode()
    assert count_served(server, handler_class, head % (fqn, 0)) <= THREADED_FQN


def test_fastapi_requests():
    """On the loop's side; the thread's is the same as the other servers'."""
    server = echo(FastAPIServer)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"x" * 4096, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/bucket/object",
        "query_string": b"",
        "headers": [(b"host", b"h:1"), (b"user-agent", b"x"), (b"content-length", b"4096")],
    }

    async def work():
        await server.app(scope, receive, send)
        with Count() as count:
            await asyncio.gather(*[server.app(scope, receive, send) for _ in range(REQUESTS)])
        await server.shutdown_event()
        return count.calls / REQUESTS

    assert asyncio.run(work()) <= FASTAPI_BODY
    assert len(sent) == 2 * (REQUESTS + 1)
    assert sent[-1]["body"] == b"x" * 4096


def test_fetches_and_deliveries():
    server = echo(HTTPMultiThreadedServer)
    with scripted(lambda request: Answer(b"x" if request.method == "GET" else b"")) as (peer, _):
        server.host_target = peer.endpoint
        for method, limit in (("GET", FETCH), ("PUT", DELIVERY)):
            pipeline = f"{peer.endpoint}/dst?uuid=j" if method == "PUT" else ""
            exchange = RequestIO(server, BytesBody(b"abc"))
            exchange.run(method, "/bucket/object", "", pipeline)
            with Count() as count:
                for _ in range(REQUESTS):
                    exchange.run(method, "/bucket/object", "", pipeline)
            assert count.calls / REQUESTS <= limit, method
        assert peer.connections == 1
    server._courier.close()
