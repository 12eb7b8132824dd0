"""Fetches and delivers by the `AsyncClient` of a FastAPI server that its program uses or replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from aistore.sdk.const import HEADER_CONTENT_LENGTH, STATUS_OK
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.exchange import HopAnswer, check_size
from aistore.sdk.etl.webserver.outgoing import hop_answer, without_token
from aistore.sdk.etl.webserver.requirements import httpx_errors

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

T = TypeVar("T")


class ClientCourier:
    """Does from a thread what the client does on the loop.

    Args:
        server: The server.
        loop: Its loop.
    """

    def __init__(self, server: FastAPIServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop

    def fetch(self, url: str) -> bytes | HopAnswer:
        """As `outgoing.Courier.fetch`."""
        return self._on_loop(self._get(url))

    def open(self, url: str) -> BinaryIO | HopAnswer:
        """As `outgoing.Courier.open`: not by the client, which a thread could not read from."""
        return ETLServer.carrier(self._server).open(url)

    def put(self, url: str, data: bytes | Iterable[bytes], headers: Mapping[str, str]) -> HopAnswer:
        """As `outgoing.Courier.put`."""
        return self._on_loop(self._put(url, data, {**headers, **without_token(self._server.settings, url)}))

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _get(self, url: str) -> bytes | HopAnswer:
        response = await self._server.client.get(url)
        try:
            response.raise_for_status()
        except httpx_errors("HTTPStatusError") as exc:
            failure: Any = exc
            return HopAnswer(failure.response.status_code)
        # A stand-in for an answer may have no status at all.
        if isinstance(response.status_code, int) and response.status_code != STATUS_OK:
            return HopAnswer(response.status_code)
        content: bytes = response.content
        check_size(self._server.settings.max_buffered, len(content))
        return content

    async def _put(self, url: str, data: bytes | Iterable[bytes], headers: dict[str, str]) -> HopAnswer:
        content: Any = data
        if not isinstance(data, bytes):
            content = _in_threads(iter(data))
        else:
            headers[HEADER_CONTENT_LENGTH] = str(len(data))
            if len(data) > self._server.chunk_size:
                content = self._pieces(data)
        response = await self._server.client.put(url, content=content, headers=headers)
        return hop_answer(response.status_code, response.content, response.headers)

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        """Cut a result into chunks, so that a large one does not hold up the loop in one write."""
        view = memoryview(data)
        for start in range(0, len(data), self._server.chunk_size):
            yield bytes(view[start : start + self._server.chunk_size])


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Take each chunk of a blocking iterator in a worker thread."""
    while chunk := await asyncio.to_thread(next, chunks, b""):
        yield chunk
