"""A connection of the multi-threaded server: heads and bodies of requests, and output in few calls."""

from __future__ import annotations

import contextlib
import io
import socket
import time
from typing import Any, BinaryIO, cast

from aistore.sdk.etl.webserver.exchange import Gatherer, check_size
from aistore.wire.http1.chunked import ChunkedDecoder
from aistore.wire.http1.messages import RequestGuard, skip_empty_lines
from aistore.wire.http1.parse import (
    CHUNKED,
    MalformedMessageError,
    RequestHead,
    find_end,
    parse_request,
)

# How long a head may take to come, from its first byte on.
HEAD_SECONDS = 60.0
RECEIVE_BYTES = (1 << 16) + 8192  # an object of 64 KiB comes together with its head
# Bodies up to this size are received by one call, straight into the bytes that the transform gets.
_AT_ONCE_MAX = 64 << 20
# Of these sizes, what came with the head is not joined to the rest but received into one place with it.
_IN_PLACE = range(256 << 10, 4 << 20)
_ALL = getattr(socket, "MSG_WAITALL", 0)
_BUFFER_BYTES = 1 << 16


class BadBody(ConnectionError):  # noqa: N818 - an OSError, as a reader of a file expects
    """A body that is framed wrongly or ends early; nothing after it on the connection can be trusted."""


class Source:
    """What arrives on a connection; reads like a buffered file.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""

    def fill(self) -> bool:
        """Receive more; False at the end of the connection.

        Raises:
            OSError: The connection failed, or nothing came in time.
        """
        more = self._receive(RECEIVE_BYTES)
        self._data = self._data + more if self._data else more
        return bool(more)

    @property
    def has_buffered(self) -> bool:
        """Whether something has been received and not been read."""
        return bool(self._data)

    def has_data(self) -> bool:
        """Wait for data; False at the end of the connection."""
        return bool(self._data) or self.fill()

    def read_head(self) -> RequestHead | None:
        """Read the head of a request; None when the connection ends before it is complete.

        Raises:
            MalformedMessageError: It breaks the rules.
            OSError: The connection failed, or the head did not come in time.
        """
        searched = 0
        deadline = time.monotonic() + HEAD_SECONDS
        while True:
            if not searched:
                self._data = skip_empty_lines(self._data)
            end = find_end(self._data, searched)
            if end >= 0:
                head = parse_request(self._data, end)
                self._data = self._data[end:]
                return head
            # One byte may be half of an empty line.
            searched = len(self._data) if len(self._data) > 1 else 0
            if not self.fill():
                return None
            if time.monotonic() > deadline:
                raise TimeoutError("the head of the request did not come in time")

    def read1(self, size: int = RECEIVE_BYTES) -> bytes:
        """Read what is there, up to `size` bytes; b"" is the end of the connection."""
        if not self._data:
            return self._receive(size)
        data, self._data = self._data[:size], self._data[size:]
        return data

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes; fewer at the end of the connection."""
        have = len(self._data)
        if have >= size:
            data, self._data = self._data[:size], self._data[size:]
            return data
        if have and size in _IN_PLACE:
            return self._read_in_place(size)
        pieces, self._data = [self._data] if have else [], b""
        left = size - have
        while left:
            piece = self._receive(min(left, _AT_ONCE_MAX), _ALL)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_in_place(self, size: int) -> bytes:
        # The bytes of a `BytesIO` that is filled exactly are handed out without a copy.
        whole = io.BytesIO()
        whole.seek(size - 1)
        whole.write(b"\0")
        with whole.getbuffer() as view:
            have = len(self._data)
            view[:have], self._data = self._data, b""
            while have < size:
                count = self._waiting(self._sock.recv_into, view[have:], size - have, _ALL)
                if not count:
                    break
                have += count
        whole.truncate(have)
        return whole.getvalue()

    def readinto1(self, buffer: Any) -> int:
        """Read what is there into a buffer; 0 is the end of the connection."""
        if not self._data:
            count: int = self._waiting(self._sock.recv_into, buffer)
            return count
        size = min(len(buffer), len(self._data))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size

    def pass_framing(self, decoder: ChunkedDecoder) -> bool:
        """Pass over the framing of a chunked body, up to payload or its end.

        Args:
            decoder: Where the body stands.

        Returns:
            False at the end of the connection.

        Raises:
            MalformedMessageError: The framing breaks the rules.
        """
        while not decoder.remaining and not decoder.done:
            if not self.has_data():
                return False
            pos = decoder.advance(self._data, 0)
            self._data = self._data[pos:]
        return True

    def close(self) -> None:
        """Do nothing: the connection belongs to the server."""

    def _receive(self, size: int, flags: int = 0) -> bytes:
        data: bytes = self._waiting(self._sock.recv, size, flags)
        return data

    @staticmethod
    def _waiting(receive: Any, *args: Any) -> Any:
        try:
            return receive(*args)
        except BlockingIOError:
            raise TimeoutError("nothing was received in time") from None


class RequestBody(io.RawIOBase):
    """Reads exactly one body from a connection.

    Args:
        source: The connection.
        length: Bytes of the body, or `CHUNKED`.
    """

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._decoder = ChunkedDecoder() if length == CHUNKED else None
        self._left = length if length != CHUNKED else 0
        self.done = length == 0
        self.broken = False

    @property
    def left(self) -> int:
        """How many bytes are still to come, as far as that is known; 0 for a body in chunks."""
        return self._left

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end of the body.

        Raises:
            BadBody: The body is framed wrongly, or the connection ended before it did.
        """
        if self.done or not len(buffer):
            return 0
        try:
            limit = self._next_piece()
            if not limit:
                return 0
            count = self._source.readinto1(memoryview(buffer)[:limit])
            if not count:
                raise BadBody("the connection ended in the middle of the request's body")
            if self._decoder is not None:
                self._decoder.consumed(count)
            else:
                self._left -= count
                self.done = not self._left
            return count
        except MalformedMessageError as exc:
            self.broken = self.done = True
            raise BadBody(f"the request's body breaks the rules: {exc}") from exc
        except OSError:
            self.broken = self.done = True
            raise

    def read_whole(self, limit: int) -> bytes:
        """Read the rest of it into memory.

        Args:
            limit: Bytes it may have.

        Raises:
            ObjectTooLarge: It has more.
            BadBody: As for `readinto`.
        """
        if self._decoder is not None:
            gatherer = Gatherer(limit)
            while chunk := self.read(_BUFFER_BYTES):
                gatherer.add(chunk)
            return gatherer.joined()
        check_size(limit, self._left)
        try:
            data = self._source.read(self._left) if self._left else b""
            if len(data) < self._left:
                raise BadBody("the connection ended in the middle of the request's body")
        except OSError:
            self.broken = self.done = True
            raise
        self._left = 0
        self.done = True
        return data

    def open(self) -> BinaryIO:
        """Return it as a buffered file."""
        return cast("BinaryIO", io.BufferedReader(self, _BUFFER_BYTES))

    def _next_piece(self) -> int:
        """Return how many bytes come next; 0 at the end of the body."""
        decoder = self._decoder
        if decoder is None:
            return self._left
        if not decoder.remaining and not self._source.pass_framing(decoder):
            raise BadBody("the connection ended in the middle of the request's body")
        self.done = decoder.done
        return decoder.remaining


class GuardedInput(io.RawIOBase):
    """What arrives on a connection of a server that parses it itself, judged by the grammar of all servers.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._guard = RequestGuard()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive into a buffer; 0 at the end of the connection.

        Raises:
            MalformedMessageError: What arrived breaks the rules.
        """
        count = self._sock.recv_into(buffer)
        self._guard.feed(bytes(memoryview(buffer)[:count]))
        return count


class Sink(io.RawIOBase):
    """Gathers what is written and sends it at once when flushed.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Note a piece; it must not change until it is sent."""
        self._pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Send everything.

        Raises:
            OSError: The connection failed, or the peer took nothing in time.
        """
        pieces, self._pieces = self._pieces, []
        if not pieces:
            return
        try:
            sent = self._sock.sendmsg(pieces) if hasattr(self._sock, "sendmsg") else 0
            for piece in pieces:
                if sent < len(piece):
                    self._sock.sendall(memoryview(piece)[sent:])
                sent = max(0, sent - len(piece))
        except BlockingIOError:
            raise TimeoutError("the peer took nothing in time") from None

    def close(self) -> None:
        """Send what is left, as far as that goes; the connection belongs to the server."""
        with contextlib.suppress(OSError):
            super().close()
