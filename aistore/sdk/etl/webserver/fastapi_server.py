"""An ETL server as a FastAPI (ASGI) application: HTTP and websocket, user code in worker threads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import STATUS_NO_CONTENT
from aistore.sdk.errors import InvalidPipelineError, SDKError
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.blocking import BytesBody, RequestIO
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.client_courier import ClientCourier
from aistore.sdk.etl.webserver.exchange import Output, message_of, parse_ws_control
from aistore.sdk.etl.webserver.handoff import Handoff
from aistore.sdk.etl.webserver.outgoing import auth_headers, own_ssl_context
from aistore.sdk.etl.webserver.requirements import httpx_errors, require, require_httpx
from aistore.sdk.etl.webserver.serving import prepare_process
from aistore.sdk.etl.webserver.settings import ServerSettings

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI
    from starlette.websockets import WebSocket

    from aistore.sdk.etl.webserver.blocking import Carrier

# Longer than the idle time of the targets' connection pools, so that it is they who close.
IDLE_SECONDS = 120
GRACE_SECONDS = 10
# What a target reads at the most from one websocket message; uvicorn's own limit is 16 MiB.
WS_MESSAGE_MAX = 16 << 30
_WS_NORMAL = 1000
_WS_INTERNAL_ERROR = 1011
_WS_REASON_MAX = 123  # bytes in a close frame (RFC 6455, 5.5)


def _limits(settings: ServerSettings) -> httpx.Limits:
    limits: httpx.Limits = require_httpx("FastAPIServer").Limits(
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
        self._handoff: Handoff | None = None
        self.app = self._make_app()

    # ---- life

    def start(self) -> None:
        """Serve with one worker until stopped."""
        self._run_uvicorn(self._uvicorn_config(host=self.host, port=self.port))

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a bound socket until stopped."""
        self._run_uvicorn(self._uvicorn_config(), [listener])

    def _run_uvicorn(self, config: Any, sockets: list[socket.socket] | None = None) -> None:
        prepare_process()
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
        if self._handoff is not None:
            self._handoff.close()
        if self._courier is not None:
            self._courier.close()

    @property
    def client(self) -> httpx.AsyncClient:
        """An `AsyncClient` of `httpx`, or else `httpx2`, with token, TLS and limits from the environment.

        Once a program has asked for it, or set one of its own, requests are made by it; before that they
        travel by the SDK's own transport.
        """
        if self._client is None:
            self._client = self._make_client()
        return self._client

    @client.setter
    def client(self, client: httpx.AsyncClient | None) -> None:
        self._client = client

    @client.deleter
    def client(self) -> None:
        self._client = None

    def is_transient(self, exc: Exception) -> bool:
        """Say whether a failed direct put may succeed when it is tried again."""
        if not isinstance(exc, httpx_errors("HTTPError")):
            return super().is_transient(exc)
        if isinstance(exc, httpx_errors("ConnectError")) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return False
        names = ("NetworkError", "RemoteProtocolError", "TimeoutException")
        return any(isinstance(exc, httpx_errors(name)) for name in names)

    def _make_client(self) -> httpx.AsyncClient:
        module = require_httpx("FastAPIServer")
        settings = self.settings
        client: httpx.AsyncClient = module.AsyncClient(
            verify=own_ssl_context(),
            limits=_limits(settings),
            timeout=module.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity", **auth_headers(settings, settings.host_target)},
        )
        return client

    def _uvicorn_config(self, **kwargs: Any) -> Any:
        config = require("uvicorn", "FastAPIServer").Config
        from aistore.sdk.etl.webserver.asgi_protocol import StrictProtocol

        return config(
            self.caller.around_asgi(self.app),
            http=StrictProtocol,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_max_size=WS_MESSAGE_MAX,
            ws_per_message_deflate=False,
            # An object is one message, and a target cannot answer a ping before it has sent all of it.
            ws_ping_interval=None,
            **kwargs,
        )

    def _make_app(self) -> FastAPI:
        require("fastapi", "FastAPIServer")
        from aistore.sdk.etl.webserver.fastapi_app import make_app

        return make_app(self)

    def handoff(self) -> Handoff:
        """Return the threads that work for the running loop."""
        loop = asyncio.get_running_loop()
        handoff = self._handoff
        if handoff is None or handoff.loop is not loop:
            if handoff is not None:
                handoff.close()
            handoff = self._handoff = Handoff(loop, self.settings.max_conn)
        return handoff

    def carrier(self) -> Carrier:
        """Return what fetches objects and delivers results."""
        replaced = type(self).client is not FastAPIServer.client
        if self._handoff is not None and (self._client is not None or replaced):
            return ClientCourier(self, self._handoff.loop)
        return super().carrier()

    # ---- websocket

    async def answer_websocket(self, websocket: WebSocket) -> None:
        """Answer the requests of one websocket."""
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
        blocks = bool(request.next_url)
        work = RequestIO(self, BytesBody(data or b"")).run_parsed
        reply = await self.handoff().run(work, request, blocks=blocks)
        if reply.error or reply.status not in {200, STATUS_NO_CONTENT}:
            prefix = "Transform error: " if reply.transform_failed else ""
            text = reply.error or message_of(reply.body) or f"the next hop answered {reply.status}"
            return await self._refuse(websocket, f"{prefix}{text}")
        if reply.status == STATUS_NO_CONTENT:
            await websocket.send_text(next(iter(reply.headers.values()), "0"))
        else:
            body = reply.body
            if isinstance(body, Output):
                body = await self.handoff().run(_in_memory, body, blocks=True)
            await websocket.send_bytes(body)
        return True

    async def _refuse(self, websocket: WebSocket, reason: str) -> bool:
        self.logger.warning("websocket request failed: %s", reason)
        short = reason.encode("utf-8", "replace")[:_WS_REASON_MAX].decode("utf-8", "ignore")
        await websocket.close(_WS_INTERNAL_ERROR, short)
        return False


def _in_memory(output: Output) -> bytes:
    """Return a result in one piece, which is how a websocket message goes."""
    try:
        return b"".join(whole(output))
    finally:
        close_output(output)


async def _receive_bytes(websocket: WebSocket) -> bytes | None:
    """Receive a message; None when it is text, which targets do not send."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise require("starlette.websockets", "FastAPIServer").WebSocketDisconnect(
            message.get("code", _WS_NORMAL)
        )
    data: bytes | None = message.get("bytes")
    return data
