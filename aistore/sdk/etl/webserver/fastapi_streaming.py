"""Streams between an event loop and the threads that the user's code runs in, without buffering an object."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from aistore.sdk.etl.webserver.exchange import Gatherer, Output, Reply

ASGI_HTTP_RESPONSE_BODY = "http.response.body"
ASGI_HTTP_RESPONSE_START = "http.response.start"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

READ_BUFFER = 1 << 16
# How long to wait for the next piece of a request's body.
RECEIVE_SECONDS = 120.0


class ClientGone(ConnectionError):  # noqa: N818 - an OSError, as a reader of a file expects
    """The caller closed its connection before its request was complete."""


class RequestChunks:
    """The body of an ASGI request, chunk by chunk.

    Args:
        receive: Gives the messages of the request.
        announced: How many bytes the request says it has, or None.

    Attributes:
        finished: Set when the body has been received whole, or the caller is gone.
    """

    def __init__(self, receive: Receive, announced: str | None = None) -> None:
        self._receive = receive
        self._announced = announced
        self._wanted = False
        self.finished = asyncio.Event()

    async def pull(self) -> bytes:
        """Return the next chunk, b"" at the end.

        Raises:
            ClientGone: The body ended early.
        """
        self._wanted = True
        while not self.finished.is_set():
            message = await self._next_message()
            if message["type"] == "http.disconnect":
                self.finished.set()
                raise ClientGone("the caller closed the connection in the middle of the request's body")
            if not message.get("more_body", False):
                self.finished.set()
            chunk: bytes = message.get("body", b"")
            if chunk:
                return chunk
        return b""

    async def _next_message(self) -> Message:
        try:
            return await asyncio.wait_for(self._receive(), RECEIVE_SECONDS)
        except asyncio.TimeoutError:
            self.finished.set()
            raise ClientGone(f"nothing of the request's body came for {RECEIVE_SECONDS:g} s") from None

    async def read_all(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            ObjectTooLarge: It has more bytes than the limit.
        """
        gatherer = Gatherer(limit, self._announced)
        while chunk := await self.pull():
            gatherer.add(chunk)
        return gatherer.joined()

    async def wait_for_disconnect(self) -> None:
        """Return when the caller has closed its connection; a body that nobody reads is skipped."""
        if not self._wanted:
            with contextlib.suppress(ClientGone):
                while await self.pull():
                    pass
        await self.finished.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class _RequestStreamReader(io.RawIOBase):
    """A binary file over an asynchronous source of chunks, for code that runs in any thread but the loop's.

    Args:
        pull: Returns the next chunk, b"" at the end.
        release: Called on the loop when the reader is closed.
    """

    def __init__(
        self, pull: Callable[[], Awaitable[bytes]], release: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pull = pull
        self._release = release
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, waiting for the next chunk when none is here; 0 at the end."""
        if self.closed:
            raise ValueError("read of a closed reader")
        if not len(self._rest) and not self._ended:
            self._rest = memoryview(self._on_loop(self._pull()))
            self._ended = not len(self._rest)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Give up what was not read."""
        if self.closed:
            return
        super().close()
        self._ended = True
        self._rest = memoryview(b"")
        if self._release is not None and not self._loop.is_closed():
            self._on_loop(self._release())

    def _on_loop(self, awaitable: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()


def buffered_reader(
    pull: Callable[[], Awaitable[bytes]], release: Callable[[], Awaitable[None]] | None = None
) -> io.BufferedReader:
    """Make the reader that `transform_stream` gets."""
    return io.BufferedReader(_RequestStreamReader(pull, release), READ_BUFFER)


async def iterate_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Take each chunk of a blocking iterator in a worker thread."""
    from anyio.to_thread import run_sync

    while chunk := await run_sync(next, chunks, b""):
        yield chunk


class _DeferredStartStreamingResponse:
    """An ASGI response whose status line is sent together with the first chunk.

    When a chunk cannot be made after that, the exception ends the application's call: the server then closes
    the connection without the terminating chunk, and the receiver knows that the answer is incomplete.

    Args:
        reply: Status, headers and an `Output` as body.
        body: The request's body, to know when the caller is gone.
    """

    def __init__(self, reply: Reply, body: RequestChunks) -> None:
        assert isinstance(reply.body, Output)
        self._reply = reply
        self._output = reply.body
        self._body = body

    async def __call__(self, _scope: Mapping[str, Any], _receive: Receive, send: Send) -> None:
        import anyio
        from anyio.to_thread import run_sync

        from aistore.sdk.etl.webserver.blocking_stream import close_output, whole

        async def stream_then_cancel(scope: anyio.CancelScope) -> None:
            await self._stream(send, whole(self._output))
            scope.cancel()

        async def cancel_when_gone(scope: anyio.CancelScope) -> None:
            await self._body.wait_for_disconnect()
            scope.cancel()

        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_when_gone, group.cancel_scope)
                try:
                    await stream_then_cancel(group.cancel_scope)
                except Exception as exc:  # noqa: BLE001 - raised again outside, not wrapped in a group
                    failure = exc
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(close_output, self._output)
        if failure is not None:
            raise failure

    async def _stream(self, send: Send, chunks: Iterator[bytes]) -> None:
        reply = self._reply
        headers = [(b"content-type", reply.content_type.encode("latin-1"))]
        if self._output.length is not None:
            headers.append((b"content-length", b"%d" % self._output.length))
        headers += [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in reply.headers.items()]
        start = {"type": ASGI_HTTP_RESPONSE_START, "status": reply.status, "headers": headers}
        started = False
        async for chunk in iterate_in_thread(chunks):
            if not started:
                started = True
                await send(start)
            await send({"type": ASGI_HTTP_RESPONSE_BODY, "body": chunk, "more_body": True})
        if not started:
            await send(start)
        await send({"type": ASGI_HTTP_RESPONSE_BODY, "body": b"", "more_body": False})
