"""A server with a secret accepts its target only: every server, every method, every route, websockets."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys

import pytest
import requests
import websockets.sync.client
from etl_peers import processes_of, run_server
from websockets.exceptions import InvalidStatus

from aistore.sdk.const import AIS_ETL_SECRET, HEADER_ETL_SECRET, HEADER_NODE_URL, QPARAM_ETL_SECRET
from aistore.sdk.etl.webserver.caller import CallerCheck, split_secret, take_secret
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from aistore.sdk.etl.webserver.settings import ServerSettings

SECRET = "s3cret-Of_the-target"
SHOWN = {HEADER_ETL_SECRET: SECRET}


def environment() -> bytes:
    """The secret's variable, as the class and a process that it starts see it."""
    print_it = [sys.executable, "-c", f"import os; print(os.environ.get({AIS_ETL_SECRET!r}), end='')"]
    inherited = subprocess.run(print_it, capture_output=True, check=True).stdout
    return repr(os.environ.get(AIS_ETL_SECRET)).encode() + inherited


class _Work:
    def transform(self, data, path, etl_args):
        if etl_args == "env":
            return environment()
        if etl_args == "fail":
            raise ValueError(f"no luck with {self.host_target} and {self.settings.secret}")
        return data.upper()


class Fast(_Work, FastAPIServer):
    pass


class Flask(_Work, FlaskServer):
    pass


class Threaded(_Work, HTTPMultiThreadedServer):
    pass


class StreamingFast(FastAPIServer):
    def transform_stream(self, reader, path, etl_args):
        yield reader.read().upper()


class RoutedFast(_Work, FastAPIServer):
    def __init__(self):
        super().__init__()

        async def info():
            return "about me"

        self.app.add_api_route("/info", info)
        self.app.router.routes.insert(0, self.app.router.routes.pop())


class RoutedFlask(_Work, FlaskServer):
    def __init__(self):
        super().__init__()
        self.app.add_url_rule("/info", "info", lambda: "about me")


class ReplacedFast(_Work, FastAPIServer):
    """Replaces the application by one that nothing of the server is in."""

    def __init__(self):
        super().__init__()
        from fastapi import FastAPI
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def text(request):
            return PlainTextResponse("Running" if request.url.path == "/health" else "about me")

        self.app = FastAPI()
        self.app.router.routes += [Route("/health", text), Route("/info", text)]


SERVERS = {
    "fastapi": (Fast, {"NUM_WORKERS": "1"}),
    "fastapi-workers": (Fast, {"NUM_WORKERS": "2"}),
    "fastapi-stream": (StreamingFast, {"NUM_WORKERS": "1"}),
    "fastapi-routes": (RoutedFast, {"NUM_WORKERS": "1"}),
    "flask": (Flask, {"NUM_WORKERS": "1"}),
    "flask-routes": (RoutedFlask, {"NUM_WORKERS": "1"}),
    "threaded": (Threaded, {}),
}


@pytest.fixture(scope="module", params=SERVERS)
def served(request, tmp_path_factory, _target):
    cls, env = SERVERS[request.param]
    folder = tmp_path_factory.mktemp("server").resolve()
    (folder / "object").write_bytes(b"of a file")
    env = {**env, AIS_ETL_SECRET: SECRET, "AIS_ETL_FQN_ROOTS": str(folder), "AIS_DIRECT_PUT_RETRIES": "0"}
    with run_server(cls, _target.url, folder, **env) as server:
        server.folder, server.cls = folder, cls
        yield server


def ask(server, method, target, headers=None, body=None):
    conn = http.client.HTTPConnection(server.netloc, timeout=20)
    try:
        conn.putrequest(method, target, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            conn.putheader(name, value)
        conn.putheader("Content-Length", str(len(body or b"")))
        conn.endheaders(body)
        response = conn.getresponse()
        return response.status, response.read()
    finally:
        conn.close()


WRONG = ["", "x", SECRET[:-1], SECRET + "x", SECRET.lower(), f" {SECRET}x", "\xe9"]


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH"])
def test_without_the_secret_nothing_is_done(served, target, method):
    """Neither is an object read, nor a file, nor is anything sent to an address that the request names."""
    target.objects["/b/o"] = b"object"
    hop = {HEADER_NODE_URL: f"http://{target.netloc}/stolen"}
    for path in (
        "/b/o",
        "/",
        "/info",
        "/ws",
        "/health/",
        "//health",
        "/%68ealth/x",
        f"/b/o?etl_fqn={served.folder}/object",
        f"/b/o?{QPARAM_ETL_SECRET}={SECRET}x",
        f"/b/o?x;{QPARAM_ETL_SECRET}={SECRET}",
    ):
        for wrong in WRONG:
            status, body = ask(served, method, path, {**hop, HEADER_ETL_SECRET: wrong}, b"data")
            # Methods that no server has are refused as such, before or after.
            assert status in ({403} if method in {"GET", "PUT"} else {403, 405, 501}), (path, wrong, status)
            assert b"of a file" not in body
            assert b"DATA" not in body
    assert not target.seen


def test_health_is_free_for_health_checks_only(served, target):
    assert ask(served, "GET", "/health") == (200, b"Running")
    assert ask(served, "GET", "/health?x=y")[0] == 200
    assert ask(served, "HEAD", "/health")[0] == 200
    hop = {HEADER_NODE_URL: f"http://{target.netloc}/stolen"}
    for query in ("", f"?etl_fqn={served.folder}/object"):
        assert ask(served, "PUT", f"/health{query}", hop, b"data")[0] == 403
        assert b"of a file" not in ask(served, "GET", f"/health{query}")[1]
    assert not target.seen


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "x@127.0.0.1", "[::2]"]
)
def test_hosts_are_those_of_this_machine(served, host):
    """A page whose name was made to lead here has that name as Host, whatever it knows."""
    for path in ("/health", "/b/o"):
        status, _ = ask(served, "PUT", path, {"Host": host, **SHOWN}, b"data")
        assert status in {400, 403}
        assert ask(served, "GET", path, {"Host": host, **SHOWN})[0] in {400, 403}
    assert ask(served, "PUT", "/b/o", {"Host": "localhost:1", **SHOWN}, b"data") == (200, b"DATA")


def test_the_secret_opens(served, target):
    assert ask(served, "PUT", "/b/o", SHOWN, b"data") == (200, b"DATA")
    query = f"?etl_fqn={served.folder}/object&{QPARAM_ETL_SECRET}={SECRET}"
    assert ask(served, "PUT", f"/b/o{query}") == (200, b"OF A FILE")
    target.objects["ais/@#/b/o"] = b"object"
    assert ask(served, "GET", f"/ais%2F@%23%2Fb%2Fo?{QPARAM_ETL_SECRET}={SECRET}")[1] == b"OBJECT"
    if "Routed" in served.cls.__name__:
        assert b"about me" in ask(served, "GET", "/info", SHOWN)[1]
    # A kept connection asks for it with each request.
    with requests.Session() as session:
        for headers, status in ((SHOWN, 200), ({}, 403), (SHOWN, 200)):
            reply = session.put(f"{served.url}/b/o", data=b"data", headers=headers, timeout=20)
            assert reply.status_code == status


def test_the_secret_is_not_inherited_nor_told(served):
    if issubclass(served.cls, _Work):
        assert ask(served, "PUT", "/b/o?etl_args=env", SHOWN, b"")[1] == b"NoneNone"
        status, body = ask(served, "PUT", "/b/o?etl_args=fail", SHOWN, b"")
        assert status == 500
        assert b"no luck with http" in body
        assert SECRET.encode() not in body
        assert b"some-etl/***" in body
    for number in processes_of(served):
        with open(f"/proc/{number}/cmdline", "rb") as file:
            assert SECRET.encode() not in file.read()
    assert SECRET not in served.output()
    assert "some-etl/SECRET" not in served.output()


def test_websockets_show_it_when_they_open(tmp_path, target):
    with run_server(
        Fast, target.url, tmp_path / "server", NUM_WORKERS="1", **{AIS_ETL_SECRET: SECRET}
    ) as server:
        url = f"ws{server.url.removeprefix('http')}/ws"
        for headers in ({}, {HEADER_ETL_SECRET: "x"}, {**SHOWN, "Host": "evil.example"}):
            with pytest.raises(InvalidStatus) as refused:
                websockets.sync.client.connect(url, additional_headers=headers, proxy=None)
            assert refused.value.response.status_code in {400, 403}
        with websockets.sync.client.connect(url, additional_headers=SHOWN, proxy=None) as socket:
            socket.send(b'{"path": "b/o"}')
            socket.send(b"data")
            assert socket.recv() == b"DATA"


def test_an_application_of_its_own_is_behind_the_check(tmp_path, target):
    env = {AIS_ETL_SECRET: SECRET, "NUM_WORKERS": "1"}
    with run_server(ReplacedFast, target.url, tmp_path / "server", **env) as server:
        assert ask(server, "GET", "/info")[0] == 403
        assert ask(server, "GET", "/info", SHOWN) == (200, b"about me")


OTHER = "another-secret"


@pytest.fixture(scope="module")
def stages(tmp_path_factory, _target):
    """A server of each kind that has a secret of its own."""
    env = {AIS_ETL_SECRET: OTHER, "NUM_WORKERS": "1", "AIS_DIRECT_PUT_RETRIES": "0"}
    with contextlib.ExitStack() as stack:
        yield {
            kind: stack.enter_context(
                run_server(SERVERS[kind][0], _target.url, tmp_path_factory.mktemp(kind), **env)
            )
            for kind in ("fastapi", "flask", "threaded")
        }


@pytest.mark.parametrize("second", ["fastapi", "flask", "threaded"])
def test_each_stage_is_shown_its_own(served, target, stages, second):
    stage = stages[second]
    for pipeline, status in (
        (f"{stage.url}?{QPARAM_ETL_SECRET}={OTHER}", 200),
        (f"{stage.url}/?x=1&{QPARAM_ETL_SECRET}={OTHER}", 200),
        (stage.url, 403),
        (f"{stage.url}?{QPARAM_ETL_SECRET}={SECRET}", 403),
    ):
        for size in (4, 200_000):
            headers = {**SHOWN, HEADER_NODE_URL: pipeline}
            got = ask(served, "PUT", "/b/o?etl_args=1%202", headers, b"d" * size)
            assert got[0] == status, got
            if status == 200:
                assert got[1] == b"D" * size
    full = f"{stage.url}?{QPARAM_ETL_SECRET}={OTHER},http://{target.netloc}/ais/@%23/dst/o?owt=3"
    assert ask(served, "PUT", "/b/o", {**SHOWN, HEADER_NODE_URL: full}, b"data")[0] == 204
    assert target.seen[-1].body == b"DATA"
    assert HEADER_ETL_SECRET.lower() not in {name.lower() for name in target.seen[-1].headers}
    assert QPARAM_ETL_SECRET not in target.seen[-1].query


def test_a_stage_that_is_gone_leaves_its_secret_in_no_error(served, unused_port):
    pipeline = f"http://127.0.0.1:{unused_port}?{QPARAM_ETL_SECRET}={OTHER}"
    for size in (4, 200_000):
        status, body = ask(served, "PUT", "/b/o", {**SHOWN, HEADER_NODE_URL: pipeline}, b"d" * size)
        assert status in {502, 503}
        assert OTHER.encode() not in body
    assert OTHER not in served.output()


# ---- the rule


def test_without_a_secret_nothing_is_checked():
    check = CallerCheck("")
    assert not check.is_needed
    assert check.refusal("PUT", "/b/o", "", "evil.example", "") == ""
    app = object()
    assert check.around_asgi(app) is app
    assert check.around_wsgi(app) is app


@pytest.mark.parametrize(
    ("url", "bare", "secret"),
    [
        ("http://h:1", "http://h:1", ""),
        ("http://h:1?etl_secret=s", "http://h:1", "s"),
        ("http://h:1/?a=1&etl_secret=s%2F&b=2", "http://h:1/?a=1&b=2", "s/"),
        ("http://h:1/o?xetl_secret=s", "http://h:1/o?xetl_secret=s", ""),
        ("http://h:1?etl_secret=s&etl_secret=t&&", "http://h:1?&", "s"),
    ],
)
def test_the_secret_of_a_stage_leaves_its_url(url, bare, secret):
    assert split_secret(url) == (bare, secret)


def test_a_taken_secret_stays_known(monkeypatch):
    monkeypatch.setattr("aistore.sdk.etl.webserver.caller._taken", "")
    monkeypatch.setenv(AIS_ETL_SECRET, SECRET)
    monkeypatch.setenv("AIS_TARGET_URL", "http://h/v1/etl/_object/e/their-secret")
    settings = ServerSettings.from_env()
    assert settings.secret == SECRET
    assert take_secret() == take_secret() == SECRET
    assert AIS_ETL_SECRET not in os.environ
    assert ServerSettings.from_env().secret == SECRET
    assert ServerSettings.from_env({"AIS_TARGET_URL": "http://h"}).secret == ""
    for shown in (repr(settings), settings.hide(f"{SECRET} at {settings.host_target}/b/o")):
        assert SECRET not in shown
        assert "their-secret" not in shown
