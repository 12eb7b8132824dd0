"""Streams between an event loop and the threads that the user's code runs in, without buffering an object."""

from __future__ import annotations

import asyncio
import collections
import io
import queue
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, BinaryIO, cast

from aistore.sdk.etl.webserver.exchange import Gatherer, Output, Reply, check_size

ASGI_HTTP_RESPONSE_BODY = "http.response.body"
ASGI_HTTP_RESPONSE_START = "http.response.start"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

READ_BUFFER = 1 << 16
# Bytes that wait between the loop and a thread, in each direction; one chunk may be beyond that. So much is
# handed over at once where it comes fast: loop and thread contend for the interpreter's lock for each piece.
WINDOW_BYTES = 1 << 20
# How long to wait for so much before what is there is handed over.
SETTLE_SECONDS = 0.005
# How long to wait for the next piece of a request's body, or for the client to take one of the answer's.
RECEIVE_SECONDS = 120.0


class ClientGone(ConnectionError):  # noqa: N818 - an OSError, as a reader of a file expects
    """The caller closed its connection before its request was complete."""


class RequestChunks:
    """The body of an ASGI request, chunk by chunk.

    Args:
        receive: Gives the messages of the request.
        announced: How many bytes the request says it has, or None.

    Attributes:
        finished: Whether the body has been received whole, or the caller is gone.
    """

    def __init__(self, receive: Receive, announced: str | None = None) -> None:
        self._receive = receive
        self._announced = announced
        self._expired = False
        self.finished = False

    async def pull(self) -> bytes:
        """Return the next chunk, b"" at the end.

        Raises:
            ClientGone: The body ended early.
        """
        while not self.finished:
            message = await self._next_message()
            if message["type"] == "http.disconnect":
                self.finished = True
                raise ClientGone("the caller closed the connection in the middle of the request's body")
            if not message.get("more_body", False):
                self.finished = True
            chunk: bytes = message.get("body", b"")
            if chunk:
                return chunk
        return b""

    async def _next_message(self) -> Message:
        # Not `asyncio.wait_for`: before Python 3.12 that makes a task of each message.
        task = asyncio.current_task()
        assert task is not None
        timer = asyncio.get_running_loop().call_later(RECEIVE_SECONDS, self._expire, task)
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if not self._expired:
                raise
            if hasattr(task, "uncancel"):
                task.uncancel()
            self.finished = True
            raise ClientGone(f"nothing of the request's body came for {RECEIVE_SECONDS:g} s") from None
        finally:
            timer.cancel()

    def _expire(self, task: asyncio.Task[Any]) -> None:
        self._expired = True
        task.cancel()

    async def read_all(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            ObjectTooLarge: It has more bytes than the limit.
        """
        check_size(limit, self._announced)
        chunk = await self.pull()
        if self.finished and len(chunk) <= limit:
            return chunk
        gatherer = Gatherer(limit)
        while chunk:
            gatherer.add(chunk)
            chunk = await self.pull()
        return gatherer.joined()

    async def wait_for_disconnect(self) -> None:
        """Return when the caller has closed its connection; a body that nobody reads is skipped."""
        try:
            while await self.pull():
                pass
        except ClientGone:
            return
        while (await self._receive())["type"] != "http.disconnect":
            pass


class BodyPipe:
    """Brings a request's body from the loop to the thread that reads it.

    Args:
        chunks: The body.
        first: What of it has been received.
    """

    def __init__(self, chunks: RequestChunks, first: bytes) -> None:
        self._chunks = chunks
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._resume = asyncio.Event()
        self._waiting = False
        self._settled = self._loop.create_future()
        # Each is written by one side only.
        self._put = len(first)
        self._taken = 0
        if first:
            self._queue.put(first)

    async def pump(self) -> None:
        """Receive the body as fast as it is read."""
        try:
            while True:
                chunk = await self._chunks.pull()
                self._put += len(chunk)
                self._queue.put(chunk)
                if not chunk:
                    return
                if self._put > WINDOW_BYTES:
                    self._settle()
                while self._put - self._taken > WINDOW_BYTES:
                    self._resume.clear()
                    self._waiting = True
                    if self._put - self._taken > WINDOW_BYTES:
                        await self._resume.wait()
                    self._waiting = False
        except ClientGone as exc:
            self._queue.put(exc)
            raise
        finally:
            self._settle()

    async def settle(self) -> None:
        """Wait until the body is there, a window full of it, or some moments have passed.

        A thread that need not wait for each piece does not change places with the loop for each.
        """
        timer = self._loop.call_later(SETTLE_SECONDS, self._settle)
        await self._settled
        timer.cancel()

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    def close(self) -> None:
        """Have whoever still reads get an error."""
        self._queue.put(ClientGone("the request is over"))

    # ---- in the thread

    def read_whole(self, limit: int) -> bytes:
        """Return the whole body."""
        gatherer = Gatherer(limit)
        while chunk := self.get():
            gatherer.add(chunk)
        return gatherer.joined()

    def open(self) -> BinaryIO:
        """Return the body as a file."""
        return cast("BinaryIO", io.BufferedReader(_PipeReader(self), READ_BUFFER))

    def get(self) -> bytes:
        """Return the next chunk, waiting for it; b"" at the end."""
        try:
            chunk = self._queue.get(timeout=2 * RECEIVE_SECONDS)
        except queue.Empty:
            raise ClientGone("nothing of the request's body came") from None
        if isinstance(chunk, BaseException):
            raise chunk
        self._taken += len(chunk)
        if self._waiting and self._put - self._taken <= WINDOW_BYTES // 2:
            self._waiting = False
            self._loop.call_soon_threadsafe(self._resume.set)
        return chunk


class _PipeReader(io.RawIOBase):
    """A binary file over a `BodyPipe`."""

    def __init__(self, pipe: BodyPipe) -> None:
        self._pipe = pipe
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
            self._rest = memoryview(self._pipe.get())
            self._ended = not len(self._rest)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class OutputPipe:
    """Brings a reply from the thread that makes it to the loop: the reply, then the chunks of its body.

    The thread tells the loop when a window is full, at the end, and when the loop has nothing else to do:
    before that the loop looks by itself, after some moments.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: collections.deque[bytes | Reply | BaseException | None] = collections.deque()
        self._news = asyncio.Event()
        self._told = False
        # Whether there is something that should not wait; whether anything should not.
        self._ready = False
        self._wanted = False
        self._room = threading.Event()
        self._gone = False
        # Each is written by one side only.
        self._put = 0
        self._sent = 0

    # ---- in the thread

    def put(self, item: bytes | Reply | BaseException | None) -> None:
        """Hand over the reply, a chunk, the failure of the next one, or None at the end.

        Raises:
            ClientGone: Nobody takes it any more.
        """
        if self._gone:
            raise ClientGone("the caller closed the connection before it had the whole answer")
        self._items.append(item)
        if isinstance(item, bytes):
            self._put += len(item)
            ready = self._is_full()
        else:
            ready = not (isinstance(item, Reply) and isinstance(item.body, Output))
        if ready:
            self._ready = True
        if (ready or self._wanted) and not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._news.set)
        if ready and isinstance(item, bytes):
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        while self._is_full():
            self._room.clear()
            if not self._is_full():
                break
            if not self._room.wait(RECEIVE_SECONDS):
                raise ClientGone(f"the caller took nothing of the answer for {RECEIVE_SECONDS:g} s")

    def _is_full(self) -> bool:
        return self._put - self._sent > WINDOW_BYTES and not self._gone

    # ---- on the loop

    @property
    def has_items(self) -> bool:
        """Whether something has been handed over and not been taken."""
        return bool(self._items)

    async def take(self) -> list[bytes | Reply | BaseException | None]:
        """Return what has been handed over: all of it, a window full, or what comes within some moments."""
        self._told = False
        if not self._ready:
            timer = self._loop.call_later(SETTLE_SECONDS, self._news.set)
            await self._news.wait()
            timer.cancel()
            self._news.clear()
        while not self._items:
            self._told, self._wanted = False, True
            if self._items:
                break
            await self._news.wait()
            self._news.clear()
        self._told = self._wanted = self._ready = False
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items

    def sent(self, size: int) -> None:
        """Note that bytes have been sent: there is room for more."""
        self._sent += size
        self._room.set()

    def abandon(self) -> None:
        """Have whoever still puts get an error."""
        self._gone = True
        self._room.set()
