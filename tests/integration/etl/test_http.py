"""HTTP as the servers speak it: connections, bodies, hostile framing, slow neighbours."""

import http.client
import socket
import sys
import threading
import time
from urllib.parse import quote

import pytest
import requests
from etl_classes import SLOW_SECONDS
from etl_peers import exchange as exchange_http
from etl_peers import peak_memory, put_full_duplex, stream_through, wait_until


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


@pytest.mark.parametrize("size", [0, 3 << 20])
def test_an_http_1_0_stream_that_fails_is_reset(start, size):  # defect 1
    """Without chunks an orderly close would be the end of a good answer, whether the body was read or not."""
    request = b"PUT /b/o?etl_args=late-fail HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
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


SIZES = [160 << 20, pytest.param(2 << 30, marks=[pytest.mark.full, pytest.mark.timeout(600)])]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("size", SIZES)
def test_streams_are_not_held_in_memory(start, kind, size):
    """The peak of the whole server stays far below the object that goes through it."""
    server = start(kind, True)
    assert stream_through(server.netloc, "/b/o", size) == (200, size)
    assert peak_memory(server) < 100 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("size", SIZES)
def test_streams_through_a_pipeline_are_not_held_in_memory(start, kind, size):
    """A stage answers while it is sent to; the one before passes both on as they come."""
    first, second = start(kind, True), start("flask" if kind == "threaded" else "threaded", True)
    assert stream_through(first.netloc, "/b/o", size, Ais_Node_Url=second.url) == (200, size)
    assert max(peak_memory(first), peak_memory(second)) < 100 << 20


def test_an_object_that_is_too_large_to_be_held(start, kind, streaming, target, tmp_path):
    """Refused with what to do about it, whether its size is announced or not; streams have no limit."""
    server = start(kind, streaming, AIS_ETL_MAX_BUFFERED="100000")
    file = tmp_path / "o"
    file.write_bytes(b"a" * 100_001)
    target.objects["ais/@#/bck/o"] = file.read_bytes()
    answers = [
        exchange_http(server.netloc, "PUT", "/b/o", file.read_bytes()),
        exchange_http(server.netloc, "PUT", "/b/o", file.read_bytes(), chunked=True),
        exchange_http(server.netloc, "PUT", f"/b/o?etl_fqn={quote(quote(str(file), safe=''))}"),
        exchange_http(server.netloc, "GET", "/ais%2F@%23%2Fbck%2Fo"),
    ]
    if streaming:
        assert {(status, len(body)) for status, _, body in answers} == {(200, 100_001)}
        return
    assert {status for status, _, _ in answers} == {413}
    assert all(b"AIS_ETL_MAX_BUFFERED=100000 bytes" in body for _, _, body in answers)
    assert exchange_http(server.netloc, "PUT", "/b/o", b"a" * 100_000)[2] == b"A" * 100_000


def test_more_connections_than_allowed(start):
    """Idle ones make room; when all are busy, the newest is refused and the cluster asked to repeat it."""
    server = start("threaded", AIS_ETL_MAX_CONNECTIONS="3")
    host, port = server.netloc.split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(5)]
    assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=10).content == b"ABC"
    assert idle[0].recv(1) == b""
    for sock in idle:
        sock.close()
    busy = [socket.create_connection((host, int(port)), timeout=10) for _ in range(3)]
    for sock in busy:
        sock.sendall(b"PUT /b/o HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert sock.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
    refused = wait_until(lambda: refusal(server.netloc), what="a refusal")
    assert b"all 3 connections are busy (AIS_ETL_MAX_CONNECTIONS)" in refused
    assert b"Ais-Etl-Retry-Reason: direct-put-transient" in refused
    for sock in busy:
        sock.sendall(b"abc")
        assert sock.recv(65536).endswith(b"ABC")
        sock.close()
    assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=10).content == b"ABC"


def refusal(netloc):
    """Give what a new connection is refused with, or nothing while it is not."""
    host, port = netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=0.2) as sock:
        try:
            answer = sock.recv(65536)
        except TimeoutError:
            return b""
        return answer if answer.startswith(b"HTTP/1.1 503 ") else b""


def test_a_refused_body_may_be_sent_to_its_end(start, kind):
    """A client that reads only after it has sent everything gets the answer, not a reset."""
    server = start(kind, True)
    reply = requests.put(f"{server.url}/b/o", data=b"x" * (48 << 20), params={"etl_args": "fail"}, timeout=30)
    assert (reply.status_code, "asked to fail" in reply.text) == (500, True)
