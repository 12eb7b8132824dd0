"""What an ETL server outlives: exits of user code, killed workers, huge lengths, slow heads, any name."""

import os
import signal
import socket
import time

import pytest
import requests
from etl_peers import processes_of, run_server, wait_until

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

BASES = {"fastapi": FastAPIServer, "flask": FlaskServer, "threaded": HTTPMultiThreadedServer}


def whole_class(base):
    """A class that does what the arguments say, with an object in memory."""

    class Obeys(base):
        def __init__(self):
            # The servers' own limit is a minute.
            from aistore.sdk.etl.webserver import asgi_protocol, http_source

            asgi_protocol.HEAD_SECONDS = http_source.HEAD_SECONDS = 0.5
            super().__init__()

        def transform(self, data, path, etl_args):
            if etl_args.startswith("exit"):
                import os

                os._exit(int(etl_args.removeprefix("exit")))
            return path.encode("utf-8", "surrogateescape") + b":" + data

    return Obeys


def streaming_class(base):
    """A class that streams, and does what the arguments say after its first chunk."""

    class Obeys(base):
        def transform_stream(self, reader, path, etl_args):
            yield path.encode("utf-8", "surrogateescape") + b":"
            if etl_args == "exit":
                raise SystemExit(3)
            if etl_args == "interrupt":
                raise KeyboardInterrupt
            yield reader.read()

    return Obeys


@pytest.fixture
def serve(target, tmp_path, kind):
    """Run a server of the kind under test."""

    def run(make, **env):
        return run_server(make(BASES[kind]), target.url, tmp_path, **env)

    return run


def send(server, text):
    """Send a request as it is, and return all that comes until the server closes the connection."""
    host, port = server.netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(text)
        received = b""
        while piece := sock.recv(1 << 16):
            received += piece
        return received


def put(path, body=b"abc", *fields):
    lines = [b"PUT %s HTTP/1.1" % path, b"Host: etl", *fields, b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_an_exit_after_the_first_chunk_cuts_the_connection(serve, how):
    with serve(streaming_class) as server:
        for _ in range(2):
            received = send(server, put(b"/b/o?etl_args=" + how.encode()))
            assert b"b/o:" in received
            assert not received.endswith(b"0\r\n\r\n")
        assert send(server, put(b"/b/o", b"abc", b"Connection: close")).endswith(b"abc\r\n0\r\n\r\n")


@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_an_exit_of_one_worker_does_not_stop_the_server(serve):
    with serve(whole_class, NUM_WORKERS="2") as server:
        # 3 and 4 are what gunicorn takes for workers and applications that cannot start.
        for status in (3, 4, 1):
            known = set(processes_of(server))
            with pytest.raises(requests.ConnectionError):
                requests.put(f"{server.url}/b/o", data=b"", params={"etl_args": f"exit{status}"}, timeout=30)
            wait_until(lambda known=known: set(processes_of(server)) - known, what="another worker")
            assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=30).content == b"b/o:abc"
        assert server.process.poll() is None


@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_workers_killed_while_they_start_are_replaced(serve):
    with serve(whole_class, NUM_WORKERS="2") as server:
        known = set(processes_of(server))
        os.kill(max(known - {server.process.pid}), signal.SIGKILL)
        for _ in range(4):  # each successor as soon as it is there
            pid = wait_until(lambda: max(set(processes_of(server)) - known, default=0), what="another worker")
            known.add(pid)
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(processes_of(server)) - known, what="another worker")
        assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=30).content == b"b/o:abc"
        assert server.process.poll() is None


def test_a_length_beyond_the_limit_is_refused_before_the_body_comes(serve):
    with serve(whole_class) as server:
        host, port = server.netloc.split(":")
        for first in (b"", b"abc"):
            with socket.create_connection((host, int(port)), timeout=30) as sock:
                sock.sendall(
                    b"PUT /b/o HTTP/1.1\r\nHost: etl\r\nContent-Length: 1099511627776\r\n\r\n" + first
                )
                assert sock.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
        assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=30).content == b"b/o:abc"


@pytest.mark.parametrize("before", [b"", put(b"/b/o")], ids=["first", "second"])
def test_a_head_that_does_not_come_to_its_end_ends_the_connection(serve, before):
    with serve(whole_class) as server:
        host, port = server.netloc.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as sock:
            if before:
                sock.sendall(before)
                received = b""
                while not received.endswith(b"b/o:abc"):
                    piece = sock.recv(1 << 16)
                    assert piece, received
                    received += piece
            sock.settimeout(0.05)
            sock.sendall(b"PUT /b/o HTTP/1.1\r\nX: ")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                try:
                    sock.sendall(b"x")
                    if not sock.recv(1 << 16):
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            else:
                raise AssertionError("the connection is still open")
        assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=30).content == b"b/o:abc"


@pytest.mark.parametrize("make", [whole_class, streaming_class])
def test_names_that_are_not_utf8(serve, target, make):
    with serve(make) as server:
        body = send(server, put(b"/b/%ff%c3%a9", b"abc", b"Connection: close"))
        assert b"b/\xff\xc3\xa9:" in body
        # The object is fetched, and its result put, by the very name.
        target.script[:] = [200]
        send(server, b"GET /b/%ff%c3%a9 HTTP/1.1\r\nHost: etl\r\nConnection: close\r\n\r\n")
        assert target.seen[-1].path.endswith("/b%2F%FF%C3%A9")
        next_stage = f"Ais-Node-Url: http://{target.netloc}".encode()
        send(server, put(b"/b/%ff%c3%a9", b"abc", next_stage, b"Connection: close"))
        assert target.seen[-1].path == "/b/%FF%C3%A9"
        assert b"b/\xff\xc3\xa9:abc" in target.seen[-1].body
