"""Puts an object to the next stage of a pipeline, which may answer while the object is still being sent.

A stage that streams writes its result as it reads. A client that sends everything before it reads anything,
as `requests` and `httpx` do, and such a stage wait for each other as soon as the buffers of their connection
are full. Here whoever reads the answer sends the object: while there is nothing to read, it writes as much as
the connection takes. So one thread suffices, TLS connections included, and neither side is held in memory.
"""

from __future__ import annotations

import contextlib
import selectors
import ssl
from typing import TYPE_CHECKING

from aistore.errors import AISConnectionError, AISProtocolError, AISSSLError, ETLDirectPutTransientError
from aistore.sdk.const import STATUS_OK
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, is_refused
from aistore.sdk.etl.webserver.outgoing import auth_headers, hop_answer, own_ssl_context
from aistore.sdk.transport.connection import open_connection
from aistore.sdk.transport.url import parse_origin, split_url
from aistore.wire.http1.chunked import encode_chunks
from aistore.wire.http1.messages import ResponseParser
from aistore.wire.http1.parse import Headers, MalformedMessageError, ResponseHead
from aistore.wire.http1.write import encode_head, encode_lines

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator, Iterator

    from aistore.sdk.etl.webserver.settings import ServerSettings

READ_BYTES = 1 << 16
# A result of this size fits into the buffers of a connection: it can be sent whole before reading.
SMALL_BYTES = 1 << 16
_ERROR_BODY_MAX = 1 << 16


def needs_both_ways(data: bytes | Output) -> bool:
    """Say whether a result has to be sent to a stage while its answer is read."""
    return isinstance(data, Output) or len(data) > SMALL_BYTES


def put_to_stage(
    url: str, data: bytes | Output, headers: dict[str, str], settings: ServerSettings
) -> tuple[HopAnswer, int]:
    """Put a result to another ETL server.

    Args:
        url: Where to.
        data: The result; a stream is closed when the answer has been read to its end, or fails.
        headers: Further headers.
        settings: Time limits, token and TLS.

    Returns:
        What the stage answered, a successful body as a stream, and the bytes sent so far.

    Raises:
        ETLDirectPutTransientError: The connection failed; it may succeed when it is tried again.
        ConnectionRefusedError: Nobody listens there.
    """
    chunks = CountingIterator(whole(data) if isinstance(data, Output) else iter([data]))
    length = None if isinstance(data, Output) else len(data)
    cleanup = contextlib.ExitStack()
    if isinstance(data, Output):
        cleanup.callback(close_output, data)
    try:
        headers = {**auth_headers(settings, url), **headers}
        response = _Exchange(url, chunks, length, headers, settings, cleanup)
        answer = _answer(response, response.read_head())
    except OSError as exc:
        cleanup.close()
        if is_refused(exc) or isinstance(exc, AISSSLError):
            raise
        raise ETLDirectPutTransientError(url, exc) from exc
    except BaseException:
        cleanup.close()
        raise
    return answer, chunks.bytes_sent


class _Exchange:
    """A request that is sent while its response is read.

    Args:
        url: Where to.
        chunks: The body.
        length: Its length in bytes, or None when it is not known beforehand.
        headers: Further headers.
        settings: Time limits and TLS.
        cleanup: What is to be done at the end; the connection is closed then.
    """

    def __init__(
        self,
        url: str,
        chunks: CountingIterator,
        length: int | None,
        headers: dict[str, str],
        settings: ServerSettings,
        cleanup: contextlib.ExitStack,
    ) -> None:
        origin_text, target = split_url(url)
        origin = parse_origin(origin_text)
        context = own_ssl_context() if origin.scheme == "https" else None
        connection = open_connection(origin, context, settings.connect_timeout, settings.read_timeout)
        cleanup.callback(connection.close)
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        lines = encode_lines(headers)
        connection.send(
            encode_head("PUT", target, origin.netloc, lines, framing + b"\r\nConnection: close\r\n")
        )
        assert connection.sock is not None
        pieces = encode_chunks(chunks) if length is None else iter(chunks)
        self._both_ways = _BothWays(connection.sock, pieces, settings.read_timeout)
        cleanup.callback(self._both_ways.close)
        self._cleanup = cleanup
        self.parser = ResponseParser("PUT")

    def read_head(self) -> ResponseHead:
        """Receive up to the end of the head."""
        while (head := self.parser.head) is None:
            self._receive()
        return head

    def body(self) -> Generator[bytes, None, None]:
        """Read the response's body; at its end, or when it is closed, the exchange is over."""
        with self._cleanup:
            while True:
                pieces, self.parser.pieces = self.parser.pieces, []
                yield from pieces
                if self.parser.is_complete:
                    return
                self._receive()

    def _receive(self) -> None:
        data = self._both_ways.receive()
        try:
            if data:
                self.parser.feed(data)
            else:
                self.parser.end()
        except MalformedMessageError as exc:
            raise (AISProtocolError if data else AISConnectionError)(str(exc)) from exc


def _answer(response: _Exchange, head: ResponseHead) -> HopAnswer:
    body = response.body()
    if head.status == STATUS_OK:
        first = next(body, b"")
        if first:
            length = response.parser.length if response.parser.length >= 0 else None
            stream = Output(first, body, length)
            return HopAnswer(STATUS_OK, stream, content_type=head.fields.get("content-type", ""))
    text = bytearray()
    for chunk in body:
        text += chunk
        if len(text) >= _ERROR_BODY_MAX:
            break
    body.close()
    return hop_answer(head.status, bytes(text), Headers(head.fields))


class _BothWays:
    """Reads from a connection and meanwhile writes pieces to it.

    Args:
        sock: The connection.
        pieces: What to write; taken one after the other, none before it can be written.
        timeout: Seconds without progress in either direction, or None for no limit.
    """

    def __init__(
        self,
        sock: socket.socket,
        pieces: Iterator[bytes | bytearray | memoryview],
        timeout: float | None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._pieces: Iterator[bytes | bytearray | memoryview] | None = pieces
        self._unsent = memoryview(b"")
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)

    def receive(self) -> bytes:
        """Receive what is there, writing until something is; b"" at the end of the connection."""
        while True:
            try:
                return self._sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if not self._write():
                    self._wait()

    def _write(self) -> bool:
        """Write some; False when nothing is left to write or the connection takes no more."""
        if not self._unsent and self._pieces is not None:
            self._unsent = memoryview(next(self._pieces, b""))
            if not self._unsent:
                self._pieces = None
        if not self._unsent:
            return False
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except ConnectionError:
            # The stage takes no more; what it has answered can still be read, or fails by itself.
            self._unsent = memoryview(b"")
            self._pieces = None
        return True

    def _wait(self) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._sock, events)
        if not self._selector.select(self._timeout):
            raise TimeoutError(f"nothing sent or received for {self._timeout:g} s")

    def close(self) -> None:
        """Stop; the connection is closed by who made it."""
        self._selector.close()
