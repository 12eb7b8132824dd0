"""HTTP as the servers speak it: connections, bodies, hostile framing, slow neighbours."""

import http.client
import socket
import sys
import threading
import time

import pytest
import requests
from etl_classes import SLOW_SECONDS
from etl_peers import peak_memory, put_full_duplex


def exchange(netloc, data, *, half_close=False):
    """Send bytes, return everything that comes back."""
    host, port = netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer


def test_a_slow_transform_delays_nobody(start, kind):  # defect 31
    """Several slow transforms at once: the health check and other requests are answered meanwhile."""
    server = start(kind)
    answers = []

    def slow():
        params = {"etl_args": "slow"}
        answers.append(requests.put(f"{server.url}/b/o", data=b"abc", params=params, timeout=20).content)

    threads = [threading.Thread(target=slow) for _ in range(3)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    while time.monotonic() - begun < SLOW_SECONDS / 2:
        assert requests.get(f"{server.url}/health", timeout=SLOW_SECONDS / 2).text == "Running"
        assert requests.put(f"{server.url}/b/o", data=b"x", timeout=SLOW_SECONDS / 2).content == b"X"
    for thread in threads:
        thread.join()
    assert answers == [b"ABC"] * 3


@pytest.mark.parametrize("streaming", [False, True])
def test_connections_are_kept(start, kind, streaming):  # defect 32
    """Requests with and without length, errors and deliveries, over one connection."""
    connection = http.client.HTTPConnection(start(kind, streaming).netloc, timeout=10)
    connection.connect()
    sock = connection.sock
    for step in range(12):
        kwargs = [
            {"body": b"abc"},
            {
                "body": iter([b"a", b"bc"]),
                "encode_chunked": True,
                "headers": {"Transfer-Encoding": "chunked"},
            },
            {"body": b""},
            {"body": b"abc", "headers": {"Ais-Node-Url": "a,,b"}},
        ][step % 4]
        connection.request("PUT", "/b/o", **kwargs)
        reply = connection.getresponse()
        status, data = reply.status, reply.read()
        assert (status, data[:3]) in {(200, b"ABC"), (200, b""), (400, data[:3])}
        assert reply.version == 11
        assert connection.sock is sock
    connection.close()


def test_an_empty_body_in_chunks(start, kind, streaming):  # init_class point 2
    """A target sends an empty object as a chunked body without a chunk."""
    assert put_full_duplex(start(kind, streaming).netloc, "/b/o", b"") == (200, b"")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"400"),
        (b"Content-Length: 3\r\nContent-Length: 4", b"400"),
        (b"Content-Length: -1", b"400"),
        (b"Content-Length: 0x3", b"400"),
        (b"Transfer-Encoding: gzip, chunked", b"501"),
    ],
)
def test_ambiguous_framing_is_refused(start, head, status):
    request = b"PUT /b/o HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer = exchange(start("threaded").netloc, request)
    assert answer.split(b" ", 2)[1] == status
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "body", [b"zz\r\nabc\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"3\nabc\n0\n\n", b"-3\r\nabc\r\n"]
)
def test_malformed_chunks_are_refused(start, body):
    request = b"PUT /b/o HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    answer = exchange(start("threaded").netloc, request, half_close=True)
    assert answer.split(b" ", 2)[1] == b"400"
    assert b"Connection: close" in answer


def test_http_1_0_is_answered_without_chunks(start, streaming):
    head = b"PUT /b/o HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"
    answer = exchange(start("threaded", streaming).netloc, head)
    assert answer.endswith(b"\r\n\r\nABC")
    assert b"chunked" not in answer


def test_an_http_1_0_stream_that_fails_is_reset(start):  # defect 1
    """Without chunks an orderly close would be the end of a good answer."""
    request = b"PUT /b/o?etl_args=late-fail HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ConnectionResetError):
        exchange(start("threaded", True).netloc, request)


def test_expect_continue(start):
    host, port = start("threaded").netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(b"PUT /b/o HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert sock.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert sock.recv(65536).endswith(b"ABC")


def test_an_unread_body_does_not_spoil_the_connection(start, kind, tmp_path):
    """A request that names a file and has a body all the same."""
    connection = http.client.HTTPConnection(start(kind).netloc, timeout=10)
    for _ in range(3):
        connection.request("PUT", "/b/o?etl_fqn=%252Fnone", body=b"x" * 200_000)
        reply = connection.getresponse()
        assert (reply.status, b"etl_fqn" in reply.read()) == (403, True)
        connection.request("PUT", "/b/o", body=b"abc")
        assert connection.getresponse().read() == b"ABC"
    connection.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_streams_are_not_held_in_memory(start, kind):
    """The peak of the whole server stays far below the object that goes through it."""
    server = start(kind, True)
    body = b"a" * (160 << 20)
    status, answer = put_full_duplex(server.netloc, "/b/o", body)
    assert (status, len(answer)) == (200, len(body))
    assert peak_memory(server) < 100 << 20
