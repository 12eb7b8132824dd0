"""Putting to a stage that answers while it is sent to, or does worse."""

import contextlib
import shutil
import socket
import ssl
import threading

import pytest

from aistore.local import tls
from aistore.local.options import Options
from aistore.sdk.errors import AISSSLError, ETLDirectPutTransientError
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import Output
from aistore.sdk.etl.webserver.settings import ServerSettings
from aistore.sdk.etl.webserver.stage_put import needs_both_ways, put_to_stage

SETTINGS = ServerSettings(host_target="http://t:1", token="tok", read_timeout=5.0, connect_timeout=5.0)
LARGE = b"ab" * (4 << 20)


@contextlib.contextmanager
def stage(answer, *, context=None):
    """Serve one connection by a function of its socket; give the URL of the stage."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                stack.enter_context(connection)
                if context is not None:
                    connection = stack.enter_context(context.wrap_socket(connection, server_side=True))
                connection.settimeout(10)
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http{'s' if context else ''}://127.0.0.1:{listener.getsockname()[1]}/b/o?x=1"
        thread.join(10)
        assert not thread.is_alive()


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head.decode()


def echo(connection):
    """Give back each piece at once, as a stage that streams does."""
    head = read_head(connection)
    size = int(head.lower().partition("content-length: ")[2].split()[0])
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: %d\r\n\r\n" % size)
    while size:
        data = connection.recv(65536)
        connection.sendall(data.upper())
        size -= len(data)


def saying(text):
    def answer(connection):
        read_head(connection)
        connection.sendall(text)

    return answer


@pytest.fixture
def source():
    """Give a stream and the list of its ends."""
    ends = []

    def chunks():
        try:
            for _ in range(64):
                yield b"x" * 65536
        finally:
            ends.append("closed")

    rest = chunks()
    return Output(next(rest), rest), ends


def test_what_fits_into_buffers_goes_the_simple_way():
    assert not needs_both_ways(b"x" * 65536)
    assert needs_both_ways(b"x" * 65537)
    assert needs_both_ways(Output(b"x", iter(())))


def test_an_answer_that_comes_while_sending():
    with stage(echo) as url:
        answer, _ = put_to_stage(url, LARGE, {}, SETTINGS)
        assert (answer.status, answer.content_type, answer.body.length) == (200, "text/x", len(LARGE))
        assert b"".join(whole(answer.body)) == LARGE.upper()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_over_tls(tmp_path, monkeypatch):
    pair = tls.prepare(Options(tls_self_signed=True), tmp_path).pair
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    monkeypatch.setenv("AIS_CLIENT_CA", str(pair.cert))
    with stage(echo, context=context) as url:
        answer, _ = put_to_stage(url, LARGE, {}, SETTINGS)
        assert b"".join(whole(answer.body)) == LARGE.upper()
    monkeypatch.delenv("AIS_CLIENT_CA")
    with stage(echo, context=context) as url, pytest.raises(AISSSLError, match="not trusted"):
        put_to_stage(url, LARGE, {}, SETTINGS)


def test_what_is_sent():
    heads = []

    def answer(connection):
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 204 No Content\r\nAis-Direct-Put-Length: 7\r\n\r\n")

    with stage(answer) as url:
        reply, _ = put_to_stage(url, Output(b"a", iter([b"bc"])), {"Ais-Node-Url": "http://n"}, SETTINGS)
    assert (reply.status, reply.body, reply.length) == (204, b"", 7)
    head = heads[0].lower()
    assert head.startswith("put /b/o?x=1 http/1.1\r\n")
    for line in ("transfer-encoding: chunked", "authorization: bearer tok", "ais-node-url: http://n"):
        assert f"\r\n{line}\r\n" in head


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nbad", 500, b"bad"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 413 Large\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", 413, b"bad"),
    ],
)
def test_an_answer_before_everything_is_sent(text, status, body, source):
    """It is final, and what was not sent is given up."""
    output, ends = source
    with stage(saying(text)) as url:
        answer, _ = put_to_stage(url, output, {}, SETTINGS)
    assert (answer.status, answer.body) == (status, body)
    assert ends == ["closed"]


@pytest.mark.parametrize(
    "text", [b"", b"HTTP/1.1 200", b"HTTP/1.1 204 OK\r\nAis-Direct", b"nonsense\r\n\r\n"]
)
def test_a_connection_that_ends_early_may_be_tried_again(text, source):
    output, ends = source
    with stage(saying(text)) as url, pytest.raises(ETLDirectPutTransientError):
        put_to_stage(url, output, {}, SETTINGS)
    assert ends == ["closed"]


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_an_answer_that_is_cut_is_never_taken_for_a_short_one(text, source):
    output, ends = source
    with stage(saying(text)) as url:
        answer, _ = put_to_stage(url, output, {}, SETTINGS)
        with pytest.raises(OSError, match=r"ended before the response did|reset"):
            list(whole(answer.body))
    assert ends == ["closed"]


def test_an_answer_that_is_given_up(source):
    output, ends = source
    with stage(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")) as url:
        answer, _ = put_to_stage(url, output, {}, SETTINGS)
        close_output(answer.body)
    assert ends == ["closed"]


def test_a_stage_that_does_nothing(source):
    output, ends = source
    hold = threading.Event()
    with stage(lambda connection: hold.wait(10)) as url:
        limited = ServerSettings(host_target="http://t:1", read_timeout=0.2)
        with pytest.raises(ETLDirectPutTransientError, match=r"nothing sent or received for 0.2 s"):
            put_to_stage(url, output, {}, limited)
        hold.set()
    assert ends == ["closed"]


def test_nobody_listens(source):
    output, ends = source
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            put_to_stage(f"http://127.0.0.1:{held.getsockname()[1]}/b/o", output, {}, SETTINGS)
    assert ends == ["closed"]
