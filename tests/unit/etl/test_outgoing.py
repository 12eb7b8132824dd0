"""What an ETL server fetches and delivers by itself, and by what a program has put in its place."""

import socket
import threading
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
import requests
from scripted import Answer, scripted

from aistore.sdk.errors import AISConnectionRefused, AISNetworkError
from aistore.sdk.etl.webserver.blocking import BytesBody, RequestIO
from aistore.sdk.etl.webserver.exchange import HopAnswer, ObjectTooLarge
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from aistore.sdk.etl.webserver.outgoing import Courier
from aistore.sdk.etl.webserver.settings import ServerSettings

LARGE = b"ab" * 500_000


def settings(**kwargs):
    return ServerSettings(host_target="http://t:1", read_timeout=5.0, connect_timeout=5.0, **kwargs)


@pytest.fixture
def courier():
    courier = Courier(settings(token="tok"))
    yield courier
    courier.close()


def answer(request):
    match request.path:
        case "/empty":
            return Answer()
        case "/large":
            return Answer(LARGE)
        case "/chunked":
            return Answer([b"ab", b"", b"c"], chunked=True)
        case "/cut":
            return Answer(LARGE, cut=70_000)
        case "/gone":
            return Answer(b"no such object", status=404)
        case "/moved":
            return Answer(status=307, headers={"Location": "/small"})
    return Answer(b"abc", headers={"Content-Type": "text/x", "Ais-Direct-Put-Length": "7"})


def test_fetching(courier):
    with scripted(answer) as (server, _):
        for path, content in (("small", b"abc"), ("empty", b""), ("large", LARGE), ("chunked", b"abc")):
            assert courier.fetch(f"{server.endpoint}/{path}") == content
            with courier.open(f"{server.endpoint}/{path}") as reader:
                assert reader.read() == content
        assert server.connections == 1
        assert {request.headers["authorization"] for request in server.requests} == {"Bearer tok"}


def test_refusals(courier):
    with scripted(answer) as (server, _):
        for path, status in (("gone", 404), ("moved", 307)):
            assert courier.fetch(f"{server.endpoint}/{path}") == HopAnswer(status)
            assert courier.open(f"{server.endpoint}/{path}") == HopAnswer(status)


def test_what_ends_early_is_an_error(courier):
    with scripted(answer) as (server, _):
        with pytest.raises(AISNetworkError):
            courier.fetch(f"{server.endpoint}/cut")
        with courier.open(f"{server.endpoint}/cut") as reader, pytest.raises(AISNetworkError):
            reader.read()


def test_what_is_too_large():
    courier = Courier(settings(max_buffered=2))
    with scripted(answer) as (server, _):
        for path in ("small", "large", "chunked"):
            with pytest.raises(ObjectTooLarge):
                courier.fetch(f"{server.endpoint}/{path}")
        assert courier.fetch(f"{server.endpoint}/empty") == b""
    courier.close()


def test_delivering(courier):
    with scripted(answer) as (server, _):
        for data in (b"", b"abc", LARGE):
            reply = courier.put(f"{server.endpoint}/x?a=1", data, {"Ais-Node-Url": "rest"})
            assert reply == HopAnswer(200, b"abc", 7, "text/x", retry=False)
            assert server.requests[-1].body == data
            assert server.requests[-1].headers["content-length"] == str(len(data))
        courier.put(f"{server.endpoint}/x", iter([b"ab", b"c"]), {})
        assert server.requests[-1].body == b"abc"
        assert server.requests[-1].headers["transfer-encoding"] == "chunked"
        assert courier.put(f"{server.endpoint}/gone", b"", {}).status == 404
        assert courier.put(f"{server.endpoint}/moved", b"", {}).status == 307
        assert server.connections == 1


def test_chunks_that_cannot_be_made_end_the_delivery(courier):
    def chunks():
        yield b"abc"
        raise LookupError("no more")

    received = []

    def receive(listener):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            while data := connection.recv(65536):
                received.append(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = threading.Thread(target=receive, args=(listener,))
        peer.start()
        with pytest.raises(LookupError, match="no more"):
            courier.put(f"http://127.0.0.1:{listener.getsockname()[1]}/x", chunks(), {})
        peer.join(10)
    assert b"".join(received).endswith(b"\r\n\r\n3\r\nabc\r\n")  # and not the end of the body


def test_nobody_there(courier):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(AISConnectionRefused):
            courier.fetch(f"http://127.0.0.1:{held.getsockname()[1]}/x")


def test_connections_are_not_kept_for_ever():
    courier = Courier(settings(keepalive_expiry=0.0))
    with scripted(answer) as (server, _):
        courier.fetch(f"{server.endpoint}/small")
        courier.fetch(f"{server.endpoint}/small")
        assert server.connections == 2
    courier.close()


# ---------------------------------------------------------------- sessions and clients of a program


@pytest.fixture(params=[FlaskServer, HTTPMultiThreadedServer])
def blocking_server(request, monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1/v1")

    class Upper(request.param):
        def transform(self, data, path, etl_args):
            return data.upper()

    return Upper()


def ask(server, method, pipeline=""):
    reply = RequestIO(server, BytesBody(b"abc")).run(method, "/b/o", "", pipeline)
    return reply.status, reply.body


@pytest.mark.parametrize("stand_in", [Mock, MagicMock])
def test_a_session_of_a_program_is_obeyed(blocking_server, stand_in):
    session = blocking_server.session = Mock()
    session.get.return_value = stand_in(status_code=200, content=b"fetched", headers={})
    session.put.return_value = stand_in(status_code=200, content=b"", headers={})
    assert ask(blocking_server, "GET") == (200, b"FETCHED")
    assert session.get.call_args.args == ("http://127.0.0.1:1/v1/b%2Fo",)
    assert ask(blocking_server, "PUT", "http://127.0.0.1:5/x") == (204, b"")
    assert session.put.call_args.kwargs["data"] == b"ABC"


def test_a_stand_in_without_a_status(blocking_server):
    blocking_server.session = Mock()
    blocking_server.session.get.return_value.content = b"fetched"
    blocking_server.session.get.return_value.headers = {}
    assert ask(blocking_server, "GET") == (200, b"FETCHED")
    failed = requests.HTTPError(response=Mock(status_code=404))
    blocking_server.session.get.return_value.raise_for_status.side_effect = failed
    assert ask(blocking_server, "GET")[0] == 404


def test_a_session_that_a_program_has_asked_for_is_used(blocking_server):
    """It may have changed it: here, a header."""
    with scripted(answer) as (server, _):
        blocking_server.host_target = server.endpoint
        assert ask(blocking_server, "GET")[0] == 200
        assert "x-mine" not in server.requests[-1].headers
        blocking_server.session.headers["X-Mine"] = "1"
        assert ask(blocking_server, "GET") == (200, b"ABC")
        assert server.requests[-1].headers["x-mine"] == "1"
        blocking_server.session.close()
        del blocking_server.session
        assert ask(blocking_server, "GET")[0] == 200
        assert "x-mine" not in server.requests[-1].headers


def test_a_session_holds_the_limit_too(monkeypatch, blocking_server):
    blocking_server.settings = settings(max_buffered=2)
    with scripted(answer) as (server, _):
        blocking_server.host_target = server.endpoint
        blocking_server.session.headers["X-Mine"] = "1"
        for path in ("/small", "/chunked"):
            reply = RequestIO(blocking_server, BytesBody(b"")).run("GET", path, "", "")
            assert reply.status == 413
        blocking_server.session.close()


def test_an_overridden_client_put_is_called(monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1/v1")
    seen = []

    class Own(HTTPMultiThreadedServer):
        def transform(self, data, path, etl_args):
            return data.upper()

        def client_put(self, url, data, headers, timeout=None):
            seen.append((url, data))
            return Mock(status_code=204, content=b"", headers={"Ais-Direct-Put-Length": "3"})

    assert ask(Own(), "PUT", "http://127.0.0.1:5/x") == (204, b"")
    assert seen == [("http://127.0.0.1:5/v1/x", b"ABC")]


def test_a_client_of_a_program_is_obeyed(monkeypatch):
    import asyncio

    import httpx

    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1/v1")

    class Upper(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data.upper()

    async def main():
        server = Upper()
        server.client = AsyncMock()
        server.client.get.return_value = Mock(status_code=200, content=b"fetched", headers={})
        server.client.put.return_value = Mock(status_code=200, content=b"", headers={})
        transport = httpx.ASGITransport(app=server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            reply = await client.get("/b/o")
            assert (reply.status_code, reply.content) == (200, b"FETCHED")
            reply = await client.put("/b/o", content=b"abc", headers={"Ais-Node-Url": "http://127.0.0.1:5/x"})
            assert (reply.status_code, reply.headers["ais-direct-put-length"]) == (204, "3")
            server.client.get.return_value.raise_for_status = Mock(
                side_effect=httpx.HTTPStatusError("no", request=Mock(), response=Mock(status_code=404))
            )
            assert (await client.get("/b/o")).status_code == 404
        assert server.client.put.call_args.kwargs["content"] == b"ABC"
        await server.shutdown_event()

    asyncio.run(main())


# ---------------------------------------------------------------- stages without TLS in a cluster with it


@pytest.fixture
def secure(monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "https://127.0.0.1:1/v1/etl/_object/e/SECRET")
    monkeypatch.setenv("AIS_AUTHN_TOKEN", "tok")


def tokens_of(server, pipeline_server, body=b"abc"):
    pipeline_server.requests.clear()
    reply = RequestIO(server, BytesBody(body)).run("PUT", "/b/o", "", pipeline_server.endpoint)
    assert reply.status == 200
    return [request.headers.get("authorization", "") for request in pipeline_server.requests]


def test_stages_get_no_token_in_the_clear(secure):
    class Same(HTTPMultiThreadedServer):
        def transform(self, data, path, etl_args):
            return data

    server = Same()
    with scripted(answer) as (stage, _):
        assert tokens_of(server, stage) == [""]
        assert tokens_of(server, stage, LARGE) == [""]
        assert server.session.headers["Authorization"] == "Bearer tok"
        assert tokens_of(server, stage) == [""]
        server.session.close()


def test_stages_get_no_token_in_the_clear_from_a_client(secure):
    import asyncio

    class Same(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data

    async def main(stage):
        server = Same()
        assert server.client.headers["Authorization"] == "Bearer tok"
        server.handoff()
        tokens = await asyncio.to_thread(tokens_of, server, stage)
        await server.shutdown_event()
        return tokens

    with scripted(answer) as (stage, _):
        assert asyncio.run(main(stage)) == [""]
