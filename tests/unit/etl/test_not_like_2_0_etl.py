"""What the 2.0.0 package's ETL part does and ours does not, where no server process is needed to show it."""

import http.server
import logging
import subprocess
import sys
import threading

import pytest

from aistore import Client
from aistore.sdk.errors import AISError
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer


@pytest.fixture(params=[FastAPIServer, FlaskServer, HTTPMultiThreadedServer])
def server_class(request, monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1")

    class Upper(request.param):
        def transform(self, data, path, etl_args):
            return data.upper()

    return Upper


def test_construction_leaves_the_process_alone(server_class):  # defect 34
    """No root handlers, no other level, no changed limit of open files."""
    import resource

    root = logging.getLogger()
    before = list(root.handlers), root.level, resource.getrlimit(resource.RLIMIT_NOFILE)
    server = server_class()
    assert (list(root.handlers), root.level, resource.getrlimit(resource.RLIMIT_NOFILE)) == before
    assert server.logger.name == "Upper"
    assert not server.logger.handlers


def test_construction_opens_nothing(server_class):
    """Sessions are made on first use, and can be replaced."""
    server = server_class()
    assert server._session is None
    session = server.session
    assert server.session is session
    assert session.trust_env is False
    session.close()
    server.session = "mine"
    assert server.session == "mine"


@pytest.mark.parametrize(
    "module", ["fastapi_server", "flask_server", "http_multi_threaded_server", "base_etl_server"]
)
def test_servers_can_be_imported_without_their_packages(module):
    """The upstream entry point imports all of them, whatever the class."""
    script = (
        "import sys\n"
        "for name in ('flask', 'fastapi', 'uvicorn', 'httpx', 'starlette', 'anyio', 'gunicorn', "
        "'websockets'):\n"
        "    sys.modules[name] = None\n"
        f"import aistore.sdk.etl.webserver.{module} as module\n"
        "cls = getattr(module, 'FlaskServer', None) or getattr(module, 'FastAPIServer', None)\n"
        "if cls:\n"
        "    import os\n"
        "    os.environ['AIS_TARGET_URL'] = 'http://t:1'\n"
        "    try:\n"
        "        type('T', (cls,), {'transform': lambda *a: b''})()\n"
        "    except ImportError as exc:\n"
        "        assert \"pip install 'aistore[etl]'\" in str(exc), exc\n"
        "    else:\n"
        "        raise AssertionError('no error')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_client_side_imports_no_server():
    script = (
        "import sys, aistore.sdk.etl.etl, aistore.sdk.etl\n"
        "heavy = "
        "{'fastapi', 'flask', 'httpx', 'uvicorn', 'asyncio', 'cloudpickle', 'aistore.sdk.etl.webserver'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_class_without_a_transform_is_refused(monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1")
    with pytest.raises(TypeError, match=r"must override transform\(\) or transform_stream\(\)"):
        type("Nothing", (HTTPMultiThreadedServer,), {})()


def test_transform_wins_over_transform_stream(monkeypatch):
    monkeypatch.setenv("AIS_TARGET_URL", "http://127.0.0.1:1")
    both = {"transform": lambda *a: b"", "transform_stream": lambda *a: iter(())}
    assert type("Both", (HTTPMultiThreadedServer,), both)().use_streaming is False
    assert type(
        "S", (HTTPMultiThreadedServer,), {"transform_stream": both["transform_stream"]}
    )().use_streaming
    assert issubclass(FastAPIServer, ETLServer)


# ---------------------------------------------------------------- what the client makes of a server's answer


class Proxy:
    """A scripted proxy: counts requests and answers each the same way."""

    def __init__(self, status, body, wait=0.0):
        proxy = self
        self.requests = []
        self._stop = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.requests.append(f"{self.command} {self.path}")
                proxy._stop.wait(wait)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = _answer

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_failed_start_is_reported_and_not_repeated():  # init_class point 5
    """The server says why at the end of `init_timeout`: the client still listens, and asks once."""
    body = b'{"status":400,"message":"pod crashed: no module named x"}'
    with Proxy(400, body, wait=1.3) as proxy, Client(proxy.endpoint) as client:
        with pytest.raises(AISError, match="pod crashed: no module named x"):
            client.etl("my-etl").init("img", init_timeout="1s")
        assert proxy.requests == ["PUT /v1/etl"]


def test_a_transform_error_is_final():  # init_class point 6
    """A 500 of a transform is not asked for again."""
    body = b'{"status":500,"message":"ETL error: asked to fail"}'
    with Proxy(500, body) as proxy, Client(proxy.endpoint) as client:
        from aistore.sdk.etl import ETLConfig

        with pytest.raises(AISError, match="asked to fail"):
            client.bucket("bck").object("o").get_reader(etl=ETLConfig("my-etl")).read_all()
        # One for the ETL's time limit, one for the object.
        assert [request.partition("?")[0] for request in proxy.requests] == [
            "GET /v1/etl/my-etl",
            "GET /v1/objects/bck/o",
        ]


def test_a_pipeline_that_the_cluster_refuses_says_so():  # init_class point 10
    """Inline pipelines cannot begin with hpull: the cluster's own words reach the caller."""
    body = b'{"status":400,"message":"inline transform pipeline not supported for hpull://"}'
    with Proxy(400, body) as proxy, Client(proxy.endpoint) as client:
        from aistore.sdk.etl import ETLConfig

        pipeline = client.etl("etl-one") >> client.etl("etl-two")
        with pytest.raises(AISError, match="not supported for hpull"):
            client.bucket("bck").object("o").get_reader(etl=ETLConfig(pipeline)).read_all()
        assert "etl_name=etl-one&etl_pipeline=etl-two" in proxy.requests[-1]
