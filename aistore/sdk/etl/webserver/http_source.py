"""A connection of the multi-threaded server: what arrives, buffered, and what is sent, in as few calls."""

from __future__ import annotations

import contextlib
import io
import socket
from typing import Any

from aistore.sdk.etl.webserver.http_head import RequestHead, find_end, parse_head

RECEIVE_BYTES = (1 << 16) + 8192  # an object of 64 KiB comes together with its head
# Bodies up to this size are received by one call, straight into the bytes that the transform gets.
_AT_ONCE_MAX = 64 << 20
# Of these sizes, what came with the head is not joined to the rest but received into one place with it.
_IN_PLACE = range(256 << 10, 4 << 20)
_ALL = getattr(socket, "MSG_WAITALL", 0)


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
            BadHead: It breaks the rules.
            OSError: The connection failed.
        """
        searched = 0
        # An empty line before the request line is to be ignored (RFC 9112, 2.2).
        if self._data[:2] == b"\r\n":
            self._data = self._data[2:]
        while True:
            end = find_end(self._data, searched)
            if end >= 0:
                head = parse_head(self._data, end)
                self._data = self._data[end:]
                return head
            searched = len(self._data)
            if not self.fill():
                return None

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

    def readline(self, limit: int) -> bytes:
        """Read a line, up to `limit` bytes."""
        while (end := self._data.find(b"\n")) < 0 and len(self._data) < limit and self.fill():
            pass
        return self.read1(min(end + 1 or len(self._data), limit)) if self._data else b""

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
