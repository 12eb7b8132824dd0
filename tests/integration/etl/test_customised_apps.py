"""What a user adds to an application takes part in every request; the short way is for plain ones only."""

import pytest
import requests
from etl_peers import run_server

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer


class HookedFlask(FlaskServer):
    """Adds a route and a header to every answer."""

    def __init__(self):
        super().__init__()
        self.app.add_url_rule("/info", "info", lambda: "about me")

        @self.app.after_request
        def mark(response):
            response.headers["X-Mark"] = "flask"
            return response

    def transform(self, data, path, etl_args):
        return data.upper()


class HookedFastAPI(FastAPIServer):
    """Adds a route and a header to every answer."""

    def __init__(self):
        super().__init__()

        @self.app.middleware("http")
        async def mark(request, call_next):
            response = await call_next(request)
            response.headers["X-Mark"] = "fastapi"
            return response

        async def info():
            return "about me"

        self.app.add_api_route("/info", info)
        # Before the route that takes every path.
        self.app.router.routes.insert(0, self.app.router.routes.pop())

    def transform(self, data, path, etl_args):
        return data.upper()


@pytest.mark.parametrize(("cls", "mark"), [(HookedFlask, "flask"), (HookedFastAPI, "fastapi")])
def test_hooks_and_routes(cls, mark, tmp_path):
    with run_server(cls, "http://127.0.0.1:9", tmp_path / "server") as server:
        for body in (b"abc", b"ab" * 500_000):
            reply = requests.put(f"{server.url}/b/o", data=body, timeout=20)
            assert (reply.status_code, reply.content, reply.headers["X-Mark"]) == (200, body.upper(), mark)
        reply = requests.get(f"{server.url}/info", timeout=20)
        assert ("about me" in reply.text, reply.headers["X-Mark"]) == (True, mark)
        assert requests.get(f"{server.url}/health", timeout=20).text == "Running"
