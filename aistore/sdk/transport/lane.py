"""A connection on which GETs are sent ahead of their answers (HTTP pipelining, RFC 9112, 9.3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from aistore.sdk.errors import AISNetworkError
from aistore.sdk.transport.connection import DeadConnectionError, describe
from aistore.sdk.transport.stream import BodyReader
from aistore.wire.http1.parse import (
    PLAIN_MAX,
    PLAIN_RESPONSE,
    RESPONSE_PREFIX,
    MalformedMessageError,
    ResponseHead,
    find_end,
    parse_response,
    response_length,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aistore.sdk.transport.connection import Connection
    from aistore.sdk.transport.pool import Pool

_BUFFER = 128 * 1024
_CHECKSUM = re.compile(rb"\r\n(Ais-Checksum-(?:Type|Value)): ([^\r\n\0]*)", re.IGNORECASE)


class LaneLostError(Exception):
    """No more answers come on this lane; what was not answered must be asked for elsewhere."""


class Lane:
    """Sends GETs to one server and hands out the answers in the same order.

    The caller keeps what is not answered yet small enough for the buffers of the operating system: while the
    server is not read from, it need not read.

    Invariant: `_buffer[_low:_high]` is what was received and not handed out yet.

    Args:
        conn: The connection; the lane owns it from now on.

    Attributes:
        waiting: How many answers are still to come.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn: Connection | None = conn
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._low = self._high = 0
        self.waiting = 0

    def send(self, heads: bytes, count: int) -> None:
        """Send requests.

        Args:
            heads: Their heads, one after the other.
            count: How many.

        Raises:
            LaneLostError: The connection is lost.
        """
        self.waiting += count
        try:
            self._open().send(heads)
        except (DeadConnectionError, AISNetworkError) as err:
            raise self._lost(str(err)) from err

    def answer(self) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, header fields (names in lower case) and body of the next answer.

        Raises:
            LaneLostError: It does not come, or not as it should.
        """
        self._open()
        if self._low == self._high:
            self._receive()
        plain = PLAIN_RESPONSE.match(self._buffer, self._low, self._high)
        if plain is not None and plain.end() - self._low <= PLAIN_MAX:
            length = int(plain[2])
            if length <= _BUFFER:
                status = int(plain[1])
                fields = _checksum_fields(self._buffer, self._low, plain.end())
                self._low = plain.end()
                body = self._read_short(length)
                self.waiting -= 1
                return status, fields, body
        try:
            head = self._read_head()
            length = response_length(head, "GET")
            body = self._read_short(length) if 0 <= length <= _BUFFER else self._read_long(head, length)
        except MalformedMessageError as err:
            raise self._lost(str(err)) from err
        self.waiting -= 1
        if not head.keep_alive:
            self.close()
        return head.status, head.fields, body

    def end(self, pool: Pool) -> None:
        """Give the connection up: to the pool when every answer has come, else by closing it.

        Args:
            pool: The pool.
        """
        conn = self._conn
        if conn is not None and not self.waiting and self._low == self._high:
            self._conn = None
            self._view.release()
            pool.give(conn)
        else:
            self.close()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()
            self._view.release()

    def give(self, conn: Connection) -> None:
        """Take the connection back from the reader of a body: what it received beyond that comes next."""
        rest, conn.buffer = conn.buffer, b""
        self._low, self._high = 0, len(rest)
        self._view[: len(rest)] = rest

    # ------------------------------------------------------------ receiving

    def _open(self) -> Connection:
        if self._conn is None:
            raise LaneLostError("the connection is closed")
        return self._conn

    def _lost(self, why: str) -> LaneLostError:
        self.close()
        return LaneLostError(why)

    def _read_head(self) -> ResponseHead:
        low, searched = self._low, 0
        while True:
            end = self._buffer.find(b"\r\n\r\n", low + searched, self._high)
            data = bytes(self._view[low : self._high if end < 0 else end + 4])
            if end >= 0:
                self._low = end + 4
                head = parse_response(data, find_end(data, 0, RESPONSE_PREFIX))
                if head.status < 200:
                    raise MalformedMessageError("an interim answer that nobody asked for")
                return head
            if data:
                find_end(data, 0, RESPONSE_PREFIX)  # says what can never become a head
            searched = max(0, self._high - low - 3)
            self._receive()
            low = self._low

    def _read_short(self, length: int) -> bytes:
        while self._high - self._low < length:
            self._receive()
        low = self._low
        self._low = low + length
        return bytes(self._view[low : low + length])

    def _receive(self) -> None:
        """Receive what is there, at least one byte."""
        conn = self._open()
        if self._low == self._high:
            self._low = self._high = 0
        elif self._high == _BUFFER:
            rest = self._view[self._low : self._high].tobytes()
            self._view[: len(rest)] = rest
            self._low, self._high = 0, len(rest)
        try:
            size = conn.recv_into(self._view[self._high :])
        except TimeoutError as err:
            raise self._lost("no answer within the read timeout") from err
        except (OSError, DeadConnectionError) as err:
            raise self._lost(f"connection lost: {describe(err)}") from err
        if not size:
            raise self._lost("the server closed the connection")
        self._high += size

    def _read_long(self, head: ResponseHead, length: int) -> bytes:
        conn = self._open()
        conn.buffer = bytes(self._view[self._low : self._high])
        self._low = self._high = 0
        # It gives the connection back to this lane, which stands in for the pool.
        reader = BodyReader(conn, cast("Pool", self), head, length, "GET", conn.origin.netloc)
        try:
            return reader.read()
        except AISNetworkError as err:
            raise self._lost(str(err)) from err
        finally:
            reader.close()


def _checksum_fields(data: bytearray, start: int, end: int) -> dict[str, str]:
    """Return the headers between two positions that tell the object's checksum, by names in lower case."""
    found = _CHECKSUM.findall(data, start, end)
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found}
