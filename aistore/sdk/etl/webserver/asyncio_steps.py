"""Performs the steps of a flow on an event loop; the user's code and files in worker threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from aistore.sdk.const import STATUS_OK
from aistore.sdk.etl.webserver import flow
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator, hop_answer
from aistore.sdk.etl.webserver.blocking import close_output, start_stream, whole
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, Reply, TransformRequest
from aistore.sdk.etl.webserver.fastapi_streaming import RequestChunks, buffered_reader, iterate_in_thread

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


class AsyncSteps:
    """Performs steps for one request.

    Args:
        server: The server.
        body: The request's body, or bytes that came in a websocket message.
    """

    def __init__(self, server: FastAPIServer, body: RequestChunks | bytes) -> None:
        self._server = server
        self._body = body

    async def run(self, method: str, path: str, query: str, pipeline: str) -> Reply:
        """Handle an HTTP request."""
        return await flow.drive_async(flow.handle(self._server, method, path, query, pipeline), self._perform)

    async def run_parsed(self, request: TransformRequest) -> Reply:
        """Handle a request that came another way."""
        return await flow.drive_async(flow.transform(self._server, request), self._perform)

    async def _perform(self, step: flow.Step) -> Any:
        return await self._performers[type(step)](self, step)

    async def _read_body(self, _step: flow.ReadBody) -> bytes:
        return self._body if isinstance(self._body, bytes) else await self._body.read_all()

    async def _read_file(self, step: flow.ReadFile) -> bytes:
        content: bytes = await self._in_thread(Path(step.path).read_bytes)
        return content

    async def _fetch(self, step: flow.Fetch) -> HopAnswer:
        resp = await self._server.client.get(step.url)
        return hop_answer(resp.status_code, resp.content, resp.headers)

    async def _call_transform(self, step: flow.CallTransform) -> Any:
        request = step.request
        try:
            return await self._in_thread(self._server.transform, step.data, request.path, request.etl_args)
        except Exception as exc:
            raise flow.TransformFailed(exc) from exc

    async def _open_body(self, _step: flow.OpenBody) -> BinaryIO:
        assert isinstance(self._body, RequestChunks)
        return buffered_reader(self._body.pull)

    async def _open_file(self, step: flow.OpenFile) -> BinaryIO:
        opened: BinaryIO = await self._in_thread(Path(step.path).open, "rb")
        return opened

    async def _open_fetch(self, step: flow.OpenFetch) -> BinaryIO | HopAnswer:
        client = self._server.client
        resp = await client.send(client.build_request("GET", step.url), stream=True)
        if resp.status_code != STATUS_OK:
            await resp.aclose()
            return HopAnswer(resp.status_code)
        chunks = resp.aiter_bytes()

        async def pull() -> bytes:
            chunk: bytes
            async for chunk in chunks:
                if chunk:
                    return chunk
            return b""

        return buffered_reader(pull, resp.aclose)

    async def _start_stream(self, step: flow.StartStream) -> Output:
        output: Output = await self._in_thread(start_stream, self._server, step)
        return output

    async def _check_destination(self, step: flow.CheckDestination) -> None:
        if step.guard.needs_lookup(step.url):
            await self._in_thread(step.guard.check, step.url)
        else:
            step.guard.check(step.url)

    async def _put(self, step: flow.Put) -> tuple[HopAnswer, int]:
        client = self._server.client
        if isinstance(step.data, bytes):
            small = len(step.data) <= self._server.chunk_size
            content: Any = step.data if small else self._pieces(step.data)
            headers = {**step.headers, "Content-Length": str(len(step.data))}
            resp = await client.put(step.url, content=content, headers=headers)
            return hop_answer(resp.status_code, resp.content, resp.headers), len(step.data)
        chunks = CountingIterator(whole(step.data))
        try:
            resp = await client.put(step.url, content=iterate_in_thread(iter(chunks)), headers=step.headers)
        finally:
            await self._in_thread(close_output, step.data)
        return hop_answer(resp.status_code, resp.content, resp.headers), chunks.bytes_sent

    async def _pause(self, step: flow.Pause) -> None:
        await asyncio.sleep(step.seconds)

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        """Cut a result into chunks, so that a large one does not hold up the loop in one write."""
        view = memoryview(data)
        for start in range(0, len(data), self._server.chunk_size):
            yield bytes(view[start : start + self._server.chunk_size])

    @staticmethod
    async def _in_thread(func: Callable[..., Any], *args: Any) -> Any:
        from anyio.to_thread import run_sync

        return await run_sync(func, *args)

    _performers: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
        flow.ReadBody: _read_body,
        flow.ReadFile: _read_file,
        flow.Fetch: _fetch,
        flow.CallTransform: _call_transform,
        flow.OpenBody: _open_body,
        flow.OpenFile: _open_file,
        flow.OpenFetch: _open_fetch,
        flow.StartStream: _start_stream,
        flow.CheckDestination: _check_destination,
        flow.Put: _put,
        flow.Pause: _pause,
    }
