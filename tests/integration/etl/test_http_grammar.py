"""The ETL servers take and refuse the same requests; see `http_grammar`."""

import socket
from urllib.parse import urlsplit

import pytest
from etl_peers import run_server
from http_grammar import MALFORMED_REQUESTS, TAKEN_REQUESTS, ask

from aistore.sdk.etl.webserver.flask_server import FlaskServer


def send(server, request):
    return ask(server.url, request.replace(b"TARGET", b"b/o"))


@pytest.mark.parametrize("name", TAKEN_REQUESTS)
def test_taken(start, kind, streaming, name):
    response = send(start(kind, streaming), TAKEN_REQUESTS[name])
    assert response.startswith(b"HTTP/1.1 200 ")
    assert b"ABC" in response or name == "no body"


@pytest.mark.parametrize("name", MALFORMED_REQUESTS)
def test_refused(start, kind, name):
    response = send(start(kind), MALFORMED_REQUESTS[name])
    assert response.split(b" ", 2)[1] in (b"400", b"431", b"501")
    assert b"connection: close" in response.lower()
    assert response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_the_body_of_a_health_check_is_not_the_next_request(start, kind, method):
    inner = b"PUT /b/smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    check = b"%b /health HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (method, len(inner))
    last = b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    response = ask(start(kind).url, check + inner + last)
    assert response.count(b"HTTP/1.1 200 ") == response.count(b"HTTP/1.1 ") == 2
    assert b"ABC" not in response


def test_a_malformed_request_behind_a_good_one(start, kind):
    """Never does the refusal stand for the response to the good one."""
    good = b"PUT /b/o?etl_args=slow HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    url = urlsplit(start(kind).url)
    with socket.create_connection((url.hostname, url.port), timeout=20) as sock:
        sock.sendall(good)
        sock.sendall(b"nonsense\r\n\r\n")
        response = b""
        while data := sock.recv(65536):
            response += data
    assert response.startswith(b"HTTP/1.1 200 ")
    assert b"ABC" in response


class HookedFlask(FlaskServer):
    """An application with a hook, so that requests pass through it."""

    def __init__(self):
        super().__init__()
        self.app.after_request(lambda response: response)

    def transform(self, data, path, etl_args):
        return data.upper()


def test_a_customised_application_takes_and_refuses_the_same(tmp_path):
    with run_server(HookedFlask, "http://127.0.0.1:9", tmp_path / "server") as server:
        for name, request in TAKEN_REQUESTS.items():
            assert send(server, request).split(b" ", 2)[1] == b"200", name
        for name, request in MALFORMED_REQUESTS.items():
            response = send(server, request)
            assert response.startswith(b"HTTP/1.1 400 "), name
            assert response.count(b"HTTP/1.1 ") == 1, name
