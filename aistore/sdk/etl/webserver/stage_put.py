"""Puts an object to the next stage of a pipeline, which may answer while the object is still being sent.

A stage that streams writes its result as it reads. A client that sends everything before it reads anything,
as `requests` and `httpx` do, and such a stage wait for each other as soon as the buffers of their connection
are full. Here whoever reads the answer sends the object: while there is nothing to read, it writes as much as
the connection takes. So one thread suffices, TLS connections included, and neither side is held in memory.
"""

from __future__ import annotations

import contextlib
import io
import selectors
import ssl
from collections.abc import Generator, Iterable, Iterator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from aistore.sdk.const import HEADER_CONTENT_LENGTH, HEADER_TRANSFER_ENCODING, STATUS_OK
from aistore.sdk.errors import ETLDirectPutTransientError
from aistore.sdk.etl.webserver.base_etl_server import CountingIterator
from aistore.sdk.etl.webserver.blocking_stream import close_output, whole
from aistore.sdk.etl.webserver.exchange import HopAnswer, Output, is_refused
from aistore.sdk.etl.webserver.outgoing import auth_headers, hop_answer, own_ssl_context

if TYPE_CHECKING:
    import socket

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
        response = _exchange(url, chunks, length, headers, settings, cleanup)
        answer = _answer(response, cleanup)
    except (OSError, HTTPException) as exc:
        cleanup.close()
        if is_refused(exc) or isinstance(exc, ssl.SSLCertVerificationError):
            raise
        raise ETLDirectPutTransientError(url, exc) from exc
    except BaseException:
        cleanup.close()
        raise
    return answer, chunks.bytes_sent


def _exchange(
    url: str,
    chunks: Iterable[bytes],
    length: int | None,
    headers: dict[str, str],
    settings: ServerSettings,
    cleanup: contextlib.ExitStack,
) -> HTTPResponse:
    """Begin the exchange: return when the stage's status and headers are there."""
    parts = urlsplit(url)
    host, limit = str(parts.hostname), settings.connect_timeout
    connection = (
        HTTPSConnection(host, parts.port, timeout=limit, context=own_ssl_context())
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=limit)
    )
    cleanup.callback(connection.close)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest("PUT", path, skip_accept_encoding=True)
    framing = (
        (HEADER_TRANSFER_ENCODING, "chunked") if length is None else (HEADER_CONTENT_LENGTH, str(length))
    )
    for name, value in (*headers.items(), framing, ("Connection", "close")):
        connection.putheader(name, value)
    connection.endheaders()
    pieces = _in_chunks(chunks) if length is None else iter(chunks)
    both_ways = _BothWays(connection.sock, pieces, settings.read_timeout)
    cleanup.callback(both_ways.close)
    # All that `HTTPResponse` wants of a socket is the file to read from.
    response = HTTPResponse(cast("Any", both_ways), method="PUT")
    cleanup.callback(response.close)
    response.begin()
    if both_ways.ended:  # which `begin` takes for the end of the headers
        raise RemoteDisconnected("the stage closed the connection in the middle of its answer's headers")
    return response


def _answer(response: HTTPResponse, cleanup: contextlib.ExitStack) -> HopAnswer:
    body = _body(response, cleanup)
    if response.status == STATUS_OK:
        first = next(body, b"")
        if first:
            content_type = response.headers.get("Content-Type") or ""
            stream = Output(first, body, _announced(response))
            return HopAnswer(STATUS_OK, stream, content_type=content_type)
    text = bytearray()
    for chunk in body:
        text += chunk
        if len(text) >= _ERROR_BODY_MAX:
            break
    body.close()
    return hop_answer(response.status, bytes(text), response.headers)


def _body(response: HTTPResponse, cleanup: contextlib.ExitStack) -> Generator[bytes, None, None]:
    """Read the answer's body; at its end, or when it is given up, the exchange is over."""
    with cleanup:
        left = _announced(response)
        while left is None or left > 0:
            chunk = response.read1(READ_BYTES if left is None else min(left, READ_BYTES))
            if not chunk:
                if left:
                    raise IncompleteRead(b"", left)
                return
            if left is not None:
                left -= len(chunk)
            yield chunk


def _announced(response: HTTPResponse) -> int | None:
    text = response.headers.get(HEADER_CONTENT_LENGTH, "")
    return int(text) if text.isdecimal() and not response.chunked else None


def _in_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Frame a body whose length is not known beforehand (RFC 9112, 7.1)."""
    for chunk in chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


class _BothWays(io.RawIOBase):
    """Reads from a connection and meanwhile writes pieces to it.

    Args:
        sock: The connection.
        pieces: What to write; taken one after the other, none before it can be written.
        timeout: Seconds without progress in either direction, or None for no limit.

    Attributes:
        ended: Whether the other side has ended the connection.
    """

    def __init__(self, sock: socket.socket, pieces: Iterator[bytes], timeout: float | None) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._pieces: Iterator[bytes] | None = pieces
        self._unsent = memoryview(b"")
        self._timeout = timeout
        self.ended = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what `HTTPResponse` reads from."""
        return io.BufferedReader(self, READ_BYTES)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, writing until something is; 0 at the end."""
        while True:
            try:
                count = self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if not self._write():
                    self._wait()
            else:
                self.ended = not count
                return count

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
        super().close()
