"""Limits and framing of connections, and what is refused before a request is looked at."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest
from wire import Wire

from aistore.local import LocalCluster

HOST = "Host: 127.0.0.1\r\n"


def _talk(endpoint: str, raw: bytes) -> bytes:
    """Everything the server answers until it closes, or until it waits for more."""
    parts = urlsplit(endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while data := sock.recv(65536):
            received += data
        return received


@pytest.mark.parametrize(
    "head",
    [
        "GET /v1/health HTTP/1.1\r\n"
        + HOST
        + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Content-Length: -1\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Transfer-Encoding: gzip\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Folded: a\r\n b\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Name : value\r\n\r\n",
        "GET /v1/objects/b/bad%zz HTTP/1.1\r\n" + HOST + "\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Long: " + "x" * 70_000 + "\r\n\r\n",
        "GET /" + "x" * 70_000 + " HTTP/1.1\r\n" + HOST + "\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\n" + HOST + "Host: localhost\r\n\r\n",
        "GET http://elsewhere/v1/health HTTP/1.1\r\n" + HOST + "\r\n",
        "OPTIONS * HTTP/1.1\r\n" + HOST + "\r\n",
        "CONNECT elsewhere:80 HTTP/1.1\r\n" + HOST + "\r\n",
        "nonsense\r\n\r\n",
    ],
    ids=[
        "te-and-cl",
        "two-cl",
        "negative-cl",
        "te-gzip",
        "obs-fold",
        "space",
        "escape",
        "head",
        "url",
        "te-gzip-chunked",
        "two-hosts",
        "absolute",
        "asterisk",
        "connect",
        "nonsense",
    ],
)
def test_refused_with_400_and_closed(cluster: LocalCluster, head: str) -> None:
    answer = _talk(cluster.endpoint, head.encode())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1") == 1


def test_a_head_that_never_ends_is_cut(cluster: LocalCluster) -> None:
    answer = _talk(cluster.endpoint, b"GET /v1/health HTTP/1.1\r\nLong: " + b"x" * 200_000)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_trailers_that_never_end_are_cut_and_are_no_headers(cluster: LocalCluster) -> None:
    head = "PUT /v1/nosuch HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    parts = urlsplit(cluster.endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                sock.sendall(head.encode() + b"Name: value\r\n" * 10_000)
                head = ""
        ended = time.monotonic() + 5
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                assert time.monotonic() < ended


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_what_is_nested_too_deeply_is_refused(cluster: LocalCluster, opening: str) -> None:
    body = '{"action":"list","value":' + opening * 100_000
    answer = Wire(cluster.endpoint)("GET", "/v1/buckets", body.encode())
    assert answer.status == 400
    assert "nested too deeply" in answer.error["message"]


def test_requests_on_one_connection_are_answered_in_order(cluster: LocalCluster) -> None:
    first = "GET /v1/daemon?what=snode HTTP/1.1\r\n" + HOST + "\r\n"
    second = "GET /nosuch HTTP/1.1\r\n" + HOST + "Connection: close\r\n\r\n"
    answer = _talk(cluster.endpoint, (first + second).encode())
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.index(b"HTTP/1.1 200 ") < answer.index(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::2]"])
def test_foreign_host_is_refused(cluster: LocalCluster, host: str) -> None:
    answer = _talk(
        cluster.endpoint, f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"is refused" in answer


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_own_names_are_taken(cluster: LocalCluster, host: str) -> None:
    answer = _talk(
        cluster.endpoint, f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_missing_host_is_refused(cluster: LocalCluster) -> None:
    answer = _talk(cluster.endpoint, b"GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1:x"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "ftp://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://[::1]:{port}"},
    ],
    ids=str,
)
def test_pages_of_other_origins_are_refused(wire: Wire, headers: dict[str, str]) -> None:
    """An origin is scheme, host and port: a page of another local port is foreign, too."""
    port = urlsplit(wire.endpoint).port
    headers = {name: value.format(port=port) for name, value in headers.items()}
    answer = wire("POST", "/v1/buckets/planted", {"action": "create-bck"}, headers)
    assert answer.status == 403
    assert wire("HEAD", "/v1/buckets/planted").status == 404


def test_an_origin_is_compared_with_a_host_that_is_one(cluster: LocalCluster) -> None:
    head = b"POST /v1/buckets/planted HTTP/1.1\r\nHost: 127.0.0.1:x\r\nOrigin: http://a:x\r\n"
    answer = _talk(cluster.endpoint, head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_same_origin_is_taken(wire: Wire) -> None:
    assert (
        wire("GET", "/v1/health", headers={"Origin": wire.endpoint, "Sec-Fetch-Site": "same-origin"}).status
        == 200
    )


def test_options_and_methods(wire: Wire) -> None:
    answer = wire("OPTIONS", "/v1/objects/b/o")
    assert (answer.status, answer.headers["allow"]) == (200, "DELETE, GET, HEAD, POST, PUT")
    answer = wire("TRACE", "/v1/objects/b/o")
    assert (answer.status, answer.body) == (405, b"Method Not Allowed\n")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, POST, PUT"
    assert wire("OPTIONS", "/v1/buckets/b").headers["allow"] == "DELETE, GET, HEAD, PATCH, POST"


def test_json_body_is_bounded(wire: Wire) -> None:
    answer = wire("POST", "/v1/buckets/big", b"x" * (65 << 20))
    assert answer.status == 413
