"""An ETL server as a FastAPI (ASGI) application: HTTP and websocket, user code in worker threads."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import HEADER_CONTENT_LENGTH, HEADER_NODE_URL, STATUS_NO_CONTENT
from aistore.sdk.errors import ETLDirectPutTransientError, InvalidPipelineError, SDKError
from aistore.sdk.etl.webserver.asyncio_steps import AsyncSteps
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HEALTH_BODY, Output, Reply, message_of, parse_ws_control
from aistore.sdk.etl.webserver.fastapi_streaming import (
    RequestChunks,
    _DeferredStartStreamingResponse,
    iterate_in_thread,
)
from aistore.sdk.etl.webserver.outgoing import auth_headers, own_ssl_context
from aistore.sdk.etl.webserver.requirements import require
from aistore.sdk.etl.webserver.settings import ServerSettings

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

# Longer than the idle time of the targets' connection pools, so that it is they who close.
IDLE_SECONDS = 120
GRACE_SECONDS = 10
# What a target reads at the most from one websocket message; uvicorn's own limit is 16 MiB.
WS_MESSAGE_MAX = 16 << 30
_WS_NORMAL = 1000
_WS_INTERNAL_ERROR = 1011
_WS_REASON_MAX = 123  # bytes in a close frame (RFC 6455, 5.5)


def _limits(settings: ServerSettings) -> httpx.Limits:
    limits: httpx.Limits = require("httpx", "FastAPIServer").Limits(
        max_connections=settings.max_conn,
        max_keepalive_connections=settings.max_keepalive_conn,
        keepalive_expiry=settings.keepalive_expiry,
    )
    return limits


def __getattr__(name: str) -> Any:
    # The limits of the 2.0.0 package's module, without httpx at import.
    if name == "HTTP_LIMITS":
        return _limits(ServerSettings(host_target=""))
    raise AttributeError(name)


class FastAPIServer(ETLServer):
    """ETL server on FastAPI.

    `transform` runs in a worker thread: a slow one does not delay other requests or the health check.

    Args:
        host: Address to bind to.
        port: Port to bind to.

    Attributes:
        app: The FastAPI application; `app.state.etl_server` is this server.
        client: The `httpx.AsyncClient` of outgoing requests, made on first use.
        active_connections: Open websockets.
        chunk_size: Bytes per chunk of a buffered direct put (`AIS_DIRECT_PUT_CHUNK_SIZE`).
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:  # noqa: S104 - inside the pod
        super().__init__()
        self.host = host
        self.port = port
        self.chunk_size = self.settings.chunk_size
        self.active_connections: list[WebSocket] = []
        self._client: httpx.AsyncClient | None = None
        self.app = self._make_app()

    # ---- life

    def start(self) -> None:
        """Serve with one worker until stopped."""
        self._run_uvicorn(self._uvicorn_config(host=self.host, port=self.port))

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until stopped."""
        self._run_uvicorn(self._uvicorn_config(), [listener])

    def _run_uvicorn(self, config: Any, sockets: list[socket.socket] | None = None) -> None:
        server = require("uvicorn", "FastAPIServer").Server(config)
        # uvicorn exits with a status of its own when the start fails.
        with contextlib.suppress(SystemExit):
            server.run(sockets=sockets)
        if not server.started:
            raise SDKError(f"{type(self).__name__} could not be started: see the log above")

    async def startup_event(self) -> None:
        """Run when the application starts; an override should call it."""

    async def shutdown_event(self) -> None:
        """Run when the application ends: closes outgoing connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def client(self) -> httpx.AsyncClient:
        """The `httpx.AsyncClient` of outgoing requests: token, TLS and limits from the environment."""
        if self._client is None:
            self._client = self._make_client()
        return self._client

    @client.setter
    def client(self, client: httpx.AsyncClient | None) -> None:
        self._client = client

    def is_transient(self, exc: Exception) -> bool:
        """Say whether a failed direct put may succeed when it is tried again."""
        httpx = require("httpx", "FastAPIServer")
        if isinstance(exc, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return False
        passing = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.TimeoutException)
        return isinstance(exc, (*passing, ETLDirectPutTransientError))

    def _make_client(self) -> httpx.AsyncClient:
        module = require("httpx", "FastAPIServer")
        settings = self.settings
        client: httpx.AsyncClient = module.AsyncClient(
            verify=own_ssl_context(),
            limits=_limits(settings),
            timeout=module.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity", **auth_headers(settings)},
        )
        return client

    def _uvicorn_config(self, **kwargs: Any) -> Any:
        return require("uvicorn", "FastAPIServer").Config(
            self.app,
            log_config=None,
            access_log=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_max_size=WS_MESSAGE_MAX,
            ws_per_message_deflate=False,
            **kwargs,
        )

    def _make_app(self) -> FastAPI:
        fastapi = require("fastapi", "FastAPIServer")
        routing = require("starlette.routing", "FastAPIServer")

        @contextlib.asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            await self.startup_event()
            if self.on_started is not None:
                self.on_started()
            try:
                yield
            finally:
                await self.shutdown_event()

        # Any path may be an object's: no documentation pages in between.
        app: FastAPI = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
        app.state.etl_server = self
        app.router.redirect_slashes = False
        app.router.routes += [
            routing.Route("/health", self._health, methods=["GET"]),
            routing.Route("/{path:path}", self._handle, methods=["GET", "PUT"]),
            routing.WebSocketRoute("/ws", self._websocket),
        ]
        return app

    # ---- HTTP

    async def _health(self, _request: Request) -> Response:
        response: Response = require("starlette.responses", "FastAPIServer").Response(HEALTH_BODY)
        return response

    async def _handle(self, request: Request) -> Any:
        # The router takes HEAD for a GET, but nobody wants a transform without its result.
        if request.method == "HEAD":
            return self._respond(
                Reply(405, error="only GET and PUT transform", headers={"Allow": "GET, PUT"})
            )
        scope = request.scope
        body = RequestChunks(request.receive, request.headers.get(HEADER_CONTENT_LENGTH))
        query = scope["query_string"].decode("latin-1")
        pipeline = request.headers.get(HEADER_NODE_URL, "")
        reply = await AsyncSteps(self, body).run(request.method, scope["path"], query, pipeline)
        if isinstance(reply.body, Output):
            return _DeferredStartStreamingResponse(reply, body)
        return self._respond(reply)

    @staticmethod
    def _respond(reply: Reply) -> Response:
        responses = require("starlette.responses", "FastAPIServer")
        response: Response
        if reply.error:
            detail = f"Processing error: {reply.error}" if reply.transform_failed else reply.error
            response = responses.JSONResponse({"detail": detail}, reply.status)
        else:
            response = responses.Response(reply.body, reply.status)
            if reply.content_type:
                response.headers["Content-Type"] = reply.content_type
            if reply.status == STATUS_NO_CONTENT:
                del response.headers["Content-Length"]
        response.headers.update(dict(reply.headers))
        return response

    # ---- websocket

    async def _websocket(self, websocket: WebSocket) -> None:
        disconnected = require("starlette.websockets", "FastAPIServer").WebSocketDisconnect
        await websocket.accept()
        self.active_connections.append(websocket)
        try:
            if self.use_streaming:
                await websocket.close(_WS_NORMAL)
                return
            while await self._serve_message(websocket):
                pass
        except disconnected:
            self.logger.debug("websocket closed by its peer")
        finally:
            self.active_connections.remove(websocket)

    async def _serve_message(self, websocket: WebSocket) -> bool:
        """Answer one request; False when the connection was closed over it.

        A target takes any text message for success, whatever it says, and has no message for a failure.
        Closing with an error code is what makes it report one.
        """
        control = await _receive_bytes(websocket)
        if control is None:
            await websocket.close(_WS_NORMAL)
            return False
        try:
            fields = json.loads(control)
            request = parse_ws_control(fields if isinstance(fields, dict) else {})
        except InvalidPipelineError as exc:
            return await self._refuse(websocket, f"Invalid pipeline header: {exc}")
        except ValueError:
            return await self._refuse(websocket, "the control message is not JSON")
        data: bytes | None = b""
        if not request.fqn:
            data = await _receive_bytes(websocket)
            if data is None:
                await websocket.close(_WS_NORMAL)
                return False
        reply = await AsyncSteps(self, data or b"").run_parsed(request)
        if reply.error or reply.status not in {200, STATUS_NO_CONTENT}:
            prefix = "Transform error: " if reply.transform_failed else ""
            text = reply.error or message_of(reply.body) or f"the next hop answered {reply.status}"
            return await self._refuse(websocket, f"{prefix}{text}")
        if reply.status == STATUS_NO_CONTENT:
            await websocket.send_text(next(iter(reply.headers.values()), "0"))
        else:
            await websocket.send_bytes(await _in_memory(reply.body))
        return True

    async def _refuse(self, websocket: WebSocket, reason: str) -> bool:
        self.logger.warning("websocket request failed: %s", reason)
        short = reason.encode("utf-8", "replace")[:_WS_REASON_MAX].decode("utf-8", "ignore")
        await websocket.close(_WS_INTERNAL_ERROR, short)
        return False


async def _in_memory(body: bytes | Output) -> bytes:
    """Return a result in one piece, which is how a websocket message goes."""
    if isinstance(body, bytes):
        return body
    try:
        return b"".join([chunk async for chunk in iterate_in_thread(whole(body))])
    finally:
        close_output(body)


async def _receive_bytes(websocket: WebSocket) -> bytes | None:
    """Receive a message; None when it is text, which targets do not send."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise require("starlette.websockets", "FastAPIServer").WebSocketDisconnect(
            message.get("code", _WS_NORMAL)
        )
    data: bytes | None = message.get("bytes")
    return data
