"""The ASGI endpoint of a FastAPI server: what a request costs beyond the transform is spent here."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import STATUS_NO_CONTENT
from aistore.sdk.errors import InvalidPipelineError
from aistore.sdk.etl.webserver.blocking import BytesBody, RequestBody, RequestIO
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import (
    HEALTH_BODY,
    Output,
    Reply,
    RequestFailed,
    TransformRequest,
    decode_path,
    describe,
    parse_request,
)
from aistore.sdk.etl.webserver.fastapi_streaming import (
    ASGI_HTTP_RESPONSE_BODY,
    ASGI_HTTP_RESPONSE_START,
    BodyPipe,
    ClientGone,
    OutputPipe,
    Receive,
    RequestChunks,
    Send,
)
from aistore.sdk.etl.webserver.flow import invalid_pipeline

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

Scope = Mapping[str, Any]

_HEALTH = [(b"content-length", b"%d" % len(HEALTH_BODY))]
_NO_BODY = BytesBody(b"")
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class Endpoint:
    """Answers GET and PUT of any path.

    Args:
        server: The server.
    """

    def __init__(self, server: FastAPIServer) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method: str = scope["method"]
        path: str = scope["path"]
        if _REPLACED in path and scope.get("raw_path"):  # uvicorn decodes without a way back
            path = decode_path(scope["raw_path"])
        if path == "/health" and method in ("GET", "HEAD"):
            await _send_whole(send, 200, _HEALTH, HEALTH_BODY)
            return
        # The router takes HEAD for a GET, but nobody wants a transform without its result.
        if method == "HEAD":
            allow = {"Allow": "GET, PUT"}
            await _respond(send, Reply(405, error="only GET and PUT transform", headers=allow))
            return
        announced, pipeline = None, ""
        for name, value in scope["headers"]:
            if name == b"content-length":
                announced = value.decode("latin-1")
            elif name == b"ais-node-url":
                pipeline = value.decode("latin-1")
        try:
            request = parse_request(method, path, scope["query_string"].decode("latin-1"), pipeline)
        except InvalidPipelineError as exc:
            await _respond(send, invalid_pipeline(exc))
            return
        chunks = RequestChunks(receive, announced)
        if self._server.use_streaming:
            await self._stream(request, chunks, send)
        else:
            await self._transform(request, chunks, send)

    async def _transform(self, request: TransformRequest, chunks: RequestChunks, send: Send) -> None:
        server = self._server
        body = _NO_BODY
        blocks = bool(request.next_url)
        if request.fqn:
            pass
        elif request.method == "GET":
            blocks = True
        else:
            try:
                body = BytesBody(await chunks.read_all(server.settings.max_buffered))
            except (RequestFailed, ClientGone) as exc:
                await _respond(send, _unread(server, request, exc))
                return
        reply = await server.handoff().run(RequestIO(server, body).run_parsed, request, blocks=blocks)
        # The next stage may have answered with a stream.
        if isinstance(reply.body, Output):
            await self._forward(reply, chunks, send)
        else:
            await _respond(send, reply)

    async def _forward(self, reply: Reply, chunks: RequestChunks, send: Send) -> None:
        pipe = OutputPipe()
        self._server.handoff().run(_pass_on, reply, pipe, blocks=True)
        await _send_from(pipe, send, chunks.wait_for_disconnect)

    async def _stream(self, request: TransformRequest, chunks: RequestChunks, send: Send) -> None:
        server = self._server
        pipe = OutputPipe()
        body: RequestBody = _NO_BODY
        watch = chunks.wait_for_disconnect
        source = None
        blocks = bool(request.next_url) or request.method == "GET"
        if request.method != "GET" and not request.fqn:
            try:
                first = await chunks.pull()
            except ClientGone as exc:
                await _respond(send, _unread(server, request, exc))
                return
            if chunks.finished:
                body = BytesBody(first)
            else:
                body = source = BodyPipe(chunks, first)
                blocks = True
        pump = None
        if source is not None:
            pump = asyncio.ensure_future(source.pump())
            await source.settle()
        server.handoff().run(_handle_stream, RequestIO(server, body), request, pipe, blocks=blocks)
        try:
            if pump is None:
                await _send_from(pipe, send, watch)
            else:
                await _send_from(pipe, send, lambda: _then(pump, watch))
        finally:
            if pump is not None and source is not None:
                pump.cancel()
                source.close()
                with contextlib.suppress(asyncio.CancelledError, ClientGone):
                    await pump


async def _then(first: asyncio.Future[None], second: Any) -> None:
    with contextlib.suppress(ClientGone):
        await asyncio.shield(first)
        await second()


def _unread(server: FastAPIServer, request: TransformRequest, exc: Exception) -> Reply:
    if not isinstance(exc, RequestFailed):
        exc = RequestFailed(400, f"Cannot read the request's body: {describe(exc)}")
    server.logger.warning("%s %s: %d %s", request.method, request.path, exc.status, exc.message)
    return Reply(exc.status, error=exc.message)


# ---------------------------------------------------------------- in a thread


def _handle_stream(requests: RequestIO, request: TransformRequest, pipe: OutputPipe) -> None:
    _pass_on(requests.run_parsed(request), pipe)


def _pass_on(reply: Reply, pipe: OutputPipe) -> None:
    """Hand a reply to the loop, its body chunk by chunk."""
    output = reply.body
    try:
        pipe.put(reply)
        if isinstance(output, Output):
            for chunk in whole(output):
                pipe.put(chunk)
        pipe.put(None)
    except ClientGone:
        pass
    except BaseException as exc:  # noqa: BLE001 - on the loop it cuts the response short
        # An exit that user code raises ends the connection, not the server.
        failure = exc if isinstance(exc, Exception) else RuntimeError(f"the transform raised {exc!r}")
        with contextlib.suppress(ClientGone):
            pipe.put(failure)
    finally:
        if isinstance(output, Output):
            close_output(output)


# ---------------------------------------------------------------- on the loop


async def _send_from(pipe: OutputPipe, send: Send, disconnected: Any) -> None:
    """Send a reply as it is handed over.

    The status line goes with the first chunk. When a chunk cannot be made after that, the exception ends the
    application's call: the server then closes the connection without the terminating chunk, and the receiver
    knows that the answer is incomplete.

    Args:
        pipe: Hands it over.
        send: Sends it.
        disconnected: Waits for the caller to be gone; begun when the reply is not there at once.
    """
    watch: asyncio.Future[Any] | None = None
    this = asyncio.current_task()
    gone = ended = False

    def stop(done: asyncio.Future[Any]) -> None:
        nonlocal gone
        # It may have been scheduled before the reply came to its end.
        if not ended and not done.cancelled() and this is not None:
            gone = True
            pipe.abandon()
            this.cancel()

    try:
        items = await pipe.take()
        while True:
            if await _send_items(pipe, send, items):
                return
            if watch is None:
                watch = asyncio.ensure_future(disconnected())
                watch.add_done_callback(stop)
            items = await pipe.take()
    except asyncio.CancelledError:
        if not gone:
            raise
        if this is not None and hasattr(this, "uncancel"):
            this.uncancel()
    finally:
        ended = True
        pipe.abandon()
        if watch is not None:
            watch.cancel()


async def _send_items(pipe: OutputPipe, send: Send, items: list[Any]) -> bool:
    """Send what has been handed over; True at the end."""
    ended = items[-1] is None
    if isinstance(items[0], Reply):
        reply = items.pop(0)
        if not isinstance(reply.body, Output):
            await _respond(send, reply)
            return True
        headers = _headers(reply, reply.body.length)
        await send({"type": ASGI_HTTP_RESPONSE_START, "status": reply.status, "headers": headers})
    failure = items.pop() if items and isinstance(items[-1], BaseException) else None
    data = items[: len(items) - ended]
    body = data[0] if len(data) == 1 else b"".join(data)
    if body or ended:
        await send({"type": ASGI_HTTP_RESPONSE_BODY, "body": body, "more_body": not ended})
        pipe.sent(len(body))
    if failure is not None:
        raise failure
    return ended


async def _respond(send: Send, reply: Reply) -> None:
    if reply.error:
        detail = f"Processing error: {reply.error}" if reply.transform_failed else reply.error
        text = json.dumps({"detail": detail}, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "replace")
        reply = Reply(reply.status, body, "application/json", reply.headers)
    assert isinstance(reply.body, bytes)
    length = None if reply.status == STATUS_NO_CONTENT else len(reply.body)
    await _send_whole(send, reply.status, _headers(reply, length), reply.body)


def _headers(reply: Reply, length: int | None) -> list[tuple[bytes, bytes]]:
    headers = []
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    if reply.content_type:
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
    if reply.headers:
        headers += [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in reply.headers.items()]
    return headers


async def _send_whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": ASGI_HTTP_RESPONSE_START, "status": status, "headers": headers})
    await send({"type": ASGI_HTTP_RESPONSE_BODY, "body": body})
