"""The body of an HTTP/1.1 request as a binary file: framing as strict as a proxy in front of us could be."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from email.message import Message
from typing import Any, BinaryIO, cast

from aistore.sdk.const import HEADER_CONTENT_LENGTH, HEADER_TRANSFER_ENCODING
from aistore.sdk.etl.webserver.exchange import Gatherer, check_size
from aistore.sdk.etl.webserver.http_head import Fields

_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;[^\r\n]*)?\r\n")
_LINE_MAX = 8192
_TRAILERS_MAX = 64
_BUFFER_BYTES = 1 << 16


class BadBody(ConnectionError):  # noqa: N818 - an OSError, as a reader of a file expects
    """A body that is framed wrongly or ends early; nothing after it on the connection can be trusted."""


class BadFraming(ValueError):  # noqa: N818 - told apart from what user code raises
    """Headers that do not say unambiguously where the body ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def body_of(headers: Mapping[str, str] | Message, stream: BinaryIO) -> RequestBody:
    """Make the body of a request from its headers and the connection.

    Raises:
        BadFraming: Both lengths, several lengths, or an encoding other than chunked.
    """
    lengths = _all(headers, HEADER_CONTENT_LENGTH)
    encodings = _all(headers, HEADER_TRANSFER_ENCODING)
    if encodings:
        if lengths:
            raise BadFraming(400, "both Content-Length and Transfer-Encoding")
        if [e.strip().lower() for e in encodings] != ["chunked"]:
            raise BadFraming(
                501, f"Transfer-Encoding {', '.join(encodings)!r} is not supported, only chunked"
            )
        return RequestBody(stream, None)
    if len({length.strip() for length in lengths}) > 1:
        raise BadFraming(400, "several Content-Length headers")
    length = lengths[0].strip() if lengths else "0"
    if not _LENGTH.fullmatch(length):
        raise BadFraming(400, f"Content-Length {length!r} is not a number")
    return RequestBody(stream, int(length))


def _all(headers: Mapping[str, str] | Message, name: str) -> list[str]:
    """Return every value of a header: iterating gives repeated ones too."""
    if isinstance(headers, Fields):
        return headers.get_all(name)
    return [str(value) for key, value in headers.items() if key.lower() == name.lower()]


class RequestBody(io.RawIOBase):
    """Reads exactly one body from a connection.

    Args:
        stream: The buffered connection.
        length: Bytes of the body, or None when it is chunked.
    """

    def __init__(self, stream: BinaryIO, length: int | None) -> None:
        self._stream = stream
        self._chunked = length is None
        self._left = length or 0  # bytes of the body, or of the current chunk
        self.done = length == 0
        self.broken = False

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
            if self._chunked and self._left == 0 and not self._next_chunk():
                return 0
            view = memoryview(buffer)[: self._left]
            count: int = self._stream.readinto1(view)  # type: ignore[attr-defined]  # a BufferedReader
            if not count:
                raise BadBody("the connection ended in the middle of the request's body")
            self._left -= count
            if self._left == 0:
                self._end_piece()
            return count
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
        if self._chunked:
            gatherer = Gatherer(limit)
            while chunk := self.read(_BUFFER_BYTES):
                gatherer.add(chunk)
            return gatherer.joined()
        check_size(limit, self._left)
        try:
            data = self._stream.read(self._left) if self._left else b""
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

    def _end_piece(self) -> None:
        if not self._chunked:
            self.done = True
        elif self._stream.read(2) != b"\r\n":
            raise BadBody("a chunk of the request's body does not end with CRLF")

    def _next_chunk(self) -> bool:
        line = self._stream.readline(_LINE_MAX)
        match = _CHUNK_SIZE.fullmatch(line)
        if not match:
            raise BadBody("the request's body has a malformed chunk size")
        self._left = int(match[1], 16)
        if self._left:
            return True
        for _ in range(_TRAILERS_MAX):
            line = self._stream.readline(_LINE_MAX)
            if line == b"\r\n":
                self.done = True
                return False
            if not line.endswith(b"\r\n"):
                break
        raise BadBody("the request's body has malformed trailers")
