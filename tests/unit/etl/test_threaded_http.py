"""Connections of the multi-threaded servers: hostile ones delay nobody, and none is left over."""

import contextlib
import http.client
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from aistore.sdk.etl.webserver import threaded_http
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer, ThreadedHTTPServer

SECONDS = 20
REQUEST = b"PUT /b/o HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"


class Upper(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class FlaskUpper(FlaskServer):
    def transform(self, data, path, etl_args):
        return data.upper()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1/v1")


@contextlib.contextmanager
def serving(server, handler_class=None):
    if handler_class is None and isinstance(server, FlaskServer):
        http_server = server.make_http_server()
    else:
        http_server = ThreadedHTTPServer(("127.0.0.1", 0), handler_class or server.RequestHandler, server)
    before = set(threading.enumerate())
    loop = threading.Thread(target=http_server.serve_forever, args=(0.01,))
    loop.start()
    try:
        yield http_server
    finally:
        http_server.shutdown()
        http_server.finish(SECONDS)
        for thread in set(threading.enumerate()) - before:
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture(params=["threaded", "flask"])
def server(request):
    etl = Upper("127.0.0.1", 0) if request.param == "threaded" else FlaskUpper("127.0.0.1", 0)
    with serving(etl) as http_server:
        yield http_server


def connect(server):
    return contextlib.closing(socket.create_connection(server.server_address[:2], timeout=SECONDS))


def health(server):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().read()


def receive(sock, end):
    data = b""
    while not data.endswith(end):
        piece = sock.recv(1 << 16)
        assert piece, data
        data += piece
    return data


def own_threads():
    return [t for t in threading.enumerate() if t.name in ("etl-worker", "etl-watch")]


@pytest.mark.parametrize("cut", [1, 20, len(REQUEST) - 1])
def test_clients_that_stall_delay_nobody(server, cut):
    """In the middle of the head, or of the body."""
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(connect(server)) for _ in range(12)]
        for sock in stalled:
            sock.sendall(REQUEST[:cut])
        assert health(server) == b"Running"
        with connect(server) as other:
            for _ in range(20):
                other.sendall(REQUEST)
                assert receive(other, b"ABC").startswith(b"HTTP/1.1 200 ")
        for sock in stalled:
            sock.sendall(REQUEST[cut:])
            assert receive(sock, b"ABC").startswith(b"HTTP/1.1 200 ")


def test_requests_that_are_sent_ahead(server):
    """Answered in their order; a client that never stops sending delays no other."""
    with connect(server) as sock:
        sock.sendall(REQUEST * 50 + REQUEST.replace(b"abc", b"end"))
        assert receive(sock, b"END").count(b"HTTP/1.1 200 ") == 51
    stop = threading.Event()
    with connect(server) as flood:

        def drain():
            with contextlib.suppress(OSError):
                while flood.recv(1 << 16):
                    pass

        def send():
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    flood.sendall(REQUEST * 100)

        sides = [threading.Thread(target=drain), threading.Thread(target=send)]
        for side in sides:
            side.start()
        assert [health(server) for _ in range(10)] == [b"Running"] * 10
        stop.set()
        flood.shutdown(socket.SHUT_RDWR)
        for side in sides:
            side.join(SECONDS)


def test_many_connections_need_no_thread_each(server):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(server)) for _ in range(100)]
        for sock in socks:
            sock.sendall(REQUEST)
            receive(sock, b"ABC")
        assert len(own_threads()) < 20


def test_connections_that_are_idle_for_long_are_closed(server, monkeypatch):
    with connect(server) as idle, connect(server) as fresh:
        for sock in (idle, fresh):
            sock.sendall(REQUEST)
            receive(sock, b"ABC")
        assert len(server._claims) == 2
        monkeypatch.setattr(threaded_http, "SWEEP_SECONDS", 0.0)
        monkeypatch.setattr(threaded_http, "IDLE_SECONDS", 0.2)
        monkeypatch.setattr(server, "_swept", 0.0)
        # One that says something now and then stays.
        deadline = time.monotonic() + SECONDS
        idle.settimeout(0.01)
        while time.monotonic() < deadline:
            fresh.sendall(REQUEST)
            receive(fresh, b"ABC")
            with contextlib.suppress(TimeoutError):
                assert idle.recv(1) == b""
                break
        else:
            pytest.fail("the idle connection was not closed")
        assert len(server._claims) == 1


def test_a_stop_closes_idle_connections_and_lets_requests_end():
    entered, go_on = threading.Event(), threading.Event()

    class Waits(Upper):
        def transform(self, data, path, etl_args):
            entered.set()
            go_on.wait(SECONDS)
            return data.upper()

    with contextlib.ExitStack() as stack:
        with serving(Waits("127.0.0.1", 0)) as server:
            idle, busy = (stack.enter_context(connect(server)) for _ in range(2))
            busy.sendall(REQUEST)
            assert entered.wait(SECONDS)
            threading.Timer(0.05, go_on.set).start()
        assert idle.recv(1) == b""
        assert receive(busy, b"ABC").startswith(b"HTTP/1.1 200 ")
        assert busy.recv(1) == b""


def test_a_handler_with_a_constructor_of_its_own():
    class Handler(HTTPMultiThreadedServer.RequestHandler):
        def __init__(self, *args):
            self.before = b"before"
            super().__init__(*args)
            self.after = b"after"

        def do_POST(self):
            self.send_response(200)
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(self.before + self.after)

    with serving(Upper("127.0.0.1", 0), Handler) as server, connect(server) as sock:
        for _ in range(3):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            receive(sock, b"beforeafter")


def test_a_handler_of_another_kind():
    class Plain(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"plain")

        def log_message(self, format, *args):
            pass

    with serving(Upper("127.0.0.1", 0), Plain) as server:
        with connect(server) as first, connect(server) as second:
            for _ in range(3):
                for sock in (first, second):
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    receive(sock, b"plain")


def test_a_handler_that_fails_to_begin(caplog):
    class Handler(HTTPMultiThreadedServer.RequestHandler):
        failures = 1

        def setup(self):
            if Handler.failures:
                Handler.failures -= 1
                raise ValueError("no")
            super().setup()

    with serving(Upper("127.0.0.1", 0), Handler) as server:
        with connect(server) as sock:
            assert sock.recv(1) == b""
        assert health(server) == b"Running"
        assert not server._crew._closed


def test_a_method_that_fails_ends_its_connection():
    class Handler(HTTPMultiThreadedServer.RequestHandler):
        def do_POST(self):
            raise ValueError("no")

    with serving(Upper("127.0.0.1", 0), Handler) as server, connect(server) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert sock.recv(1) == b""
        assert health(server) == b"Running"


def test_the_handler_serves_in_a_plain_http_server():
    class Upper(HTTPMultiThreadedServer):
        def transform(self, data, path, etl_args):
            return data.upper()

        def transform_stream(self, reader, path, etl_args):
            yield b"first"
            raise ValueError("no second")

    etl_server = Upper()
    with HTTPServer(("127.0.0.1", 0), etl_server.RequestHandler) as server:
        server.etl_server = etl_server
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            with requests.Session() as kept:  # one thread serves: no connection may keep it
                assert kept.get(f"{url}/health", timeout=10).status_code == 200
                assert requests.put(f"{url}/b/o", data=b"abc", timeout=10).content == b"ABC"
                etl_server.use_streaming = True
                for version in (b"1.0", b"1.1"):
                    with socket.create_connection(server.server_address, timeout=10) as raw:
                        raw.sendall(b"PUT /b/o HTTP/%s\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" % version)
                        received = b""
                        with contextlib.suppress(ConnectionResetError):
                            while data := raw.recv(1 << 16):
                                received += data
                        assert b"0\r\n\r\n" not in received
        finally:
            server.shutdown()
            thread.join()
