"""Performs the steps of a flow on an event loop; the user's code and files in worker threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from aistore.sdk.const import HEADER_CONTENT_LENGTH, STATUS_OK
from aistore.sdk.etl.webserver import flow, steps
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator, hop_answer
from aistore.sdk.etl.webserver.blocking_stream import (
    call_transform,
    close_output,
    start_stream,
    transform_file,
    whole,
)
from aistore.sdk.etl.webserver.exchange import Gatherer, HopAnswer, Output, Reply, TransformRequest
from aistore.sdk.etl.webserver.fastapi_streaming import RequestChunks, buffered_reader, iterate_in_thread
from aistore.sdk.etl.webserver.stage_put import needs_both_ways, put_to_stage

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

    async def _perform(self, step: steps.Step) -> Any:
        return await self._performers[type(step)](self, step)

    async def _read_body(self, _step: steps.ReadBody) -> bytes:
        limit = self._server.settings.max_buffered
        return self._body if isinstance(self._body, bytes) else await self._body.read_all(limit)

    async def _fetch(self, step: steps.Fetch) -> bytes | HopAnswer:
        async with self._server.client.stream("GET", step.url) as resp:
            if resp.status_code != STATUS_OK:
                return HopAnswer(resp.status_code)
            announced = resp.headers.get(HEADER_CONTENT_LENGTH)
            gatherer = Gatherer(self._server.settings.max_buffered, announced)
            async for chunk in resp.aiter_bytes():
                gatherer.add(chunk)
            return gatherer.joined()

    async def _call_transform(self, step: steps.CallTransform) -> Any:
        return await self._in_thread(call_transform, self._server, step)

    async def _transform_file(self, step: steps.TransformFile) -> Any:
        return await self._in_thread(transform_file, self._server, step)

    async def _open_body(self, _step: steps.OpenBody) -> BinaryIO:
        assert isinstance(self._body, RequestChunks)
        return buffered_reader(self._body.pull)

    async def _open_file(self, step: steps.OpenFile) -> BinaryIO:
        opened: BinaryIO = await self._in_thread(Path(step.path).open, "rb")
        return opened

    async def _open_fetch(self, step: steps.OpenFetch) -> BinaryIO | HopAnswer:
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

    async def _start_stream(self, step: steps.StartStream) -> Output:
        output: Output = await self._in_thread(start_stream, self._server, step)
        return output

    async def _check_destination(self, step: steps.CheckDestination) -> None:
        if step.guard.needs_lookup(step.url):
            await self._in_thread(step.guard.check, step.url)
        else:
            step.guard.check(step.url)

    async def _put(self, step: steps.Put) -> tuple[HopAnswer, int]:
        client = self._server.client
        if step.stage and needs_both_ways(step.data):
            done: tuple[HopAnswer, int] = await self._in_thread(
                put_to_stage, step.url, step.data, step.headers, self._server.settings
            )
            return done
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

    async def _pause(self, step: steps.Pause) -> None:
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
        steps.ReadBody: _read_body,
        steps.Fetch: _fetch,
        steps.CallTransform: _call_transform,
        steps.TransformFile: _transform_file,
        steps.OpenBody: _open_body,
        steps.OpenFile: _open_file,
        steps.OpenFetch: _open_fetch,
        steps.StartStream: _start_stream,
        steps.CheckDestination: _check_destination,
        steps.Put: _put,
        steps.Pause: _pause,
    }
