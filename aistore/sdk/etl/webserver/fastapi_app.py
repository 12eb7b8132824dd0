"""The FastAPI application of an ETL server, and the short way past it that requests for transforms take."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.routing import Route, WebSocketRoute

from aistore.sdk.etl.webserver.asgi import Endpoint

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


class _App(FastAPI):
    """An application whose requests go straight to its endpoint while nobody has added anything to it."""

    endpoint: Endpoint
    _own: tuple[int, int]

    def seal(self, endpoint: Endpoint) -> None:
        """Remember what belongs to it; whatever comes later makes requests go through all of it."""
        self.endpoint = endpoint
        self._own = self._extent()

    def _extent(self) -> tuple[int, int]:
        return len(self.router.routes), len(self.exception_handlers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        plain = (
            scope["type"] == "http"
            and scope["method"] in ("GET", "PUT")
            and not self.user_middleware
            and self._extent() == self._own
        )
        await (self.endpoint if plain else super().__call__)(scope, receive, send)


def make_app(server: FastAPIServer) -> FastAPI:
    """Make the application of a server."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await server.startup_event()
        if server.on_started is not None:
            server.on_started()
        try:
            yield
        finally:
            await server.shutdown_event()

    # Any path may be an object's: no documentation pages in between.
    app = _App(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.etl_server = server
    app.router.redirect_slashes = False
    endpoint = Endpoint(server)
    app.router.routes += [
        Route("/health", endpoint, methods=["GET"]),
        Route("/{path:path}", endpoint, methods=["GET", "PUT"]),
        WebSocketRoute("/ws", server.answer_websocket),
    ]
    app.seal(endpoint)
    return app
