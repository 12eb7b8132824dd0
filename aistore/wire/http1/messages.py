"""Messages of a connection as their bytes arrive, without I/O."""

from __future__ import annotations

from aistore.wire.http1.chunked import ChunkedDecoder
from aistore.wire.http1.parse import (
    CHUNKED,
    PLAIN_MAX,
    PLAIN_REQUEST,
    RESPONSE_PREFIX,
    UNTIL_CLOSE,
    MalformedMessageError,
    ResponseHead,
    find_end,
    parse_request,
    parse_response,
    request_length,
    response_length,
)

MAX_INTERIM = 16
"""Most interim (1xx) responses skipped for one request."""


def skip_empty_lines(data: bytes) -> bytes:
    """Remove empty lines before a request line, which a server ignores (RFC 9112, 2.2).

    Args:
        data: The bytes received after the end of the message before.
    """
    pos = 0
    while data.startswith(b"\r\n", pos):
        pos += 2
    return data[pos:] if pos else data


class RequestGuard:
    """Judges the requests of a connection before another parser gets them.

    Parsers of other packages differ in what they accept, from version to version. What this one lets pass is
    a request by the grammar of `parse` and `chunked`; what the other then refuses is refused all the same.

    Invariant: every split of the same bytes into calls of `feed` has the same outcome.

    Attributes:
        passed: How many of the bytes fed last belong to requests that ended with them.
    """

    __slots__ = ("_decoder", "_head", "_left", "_searched", "passed")

    def __init__(self) -> None:
        self.passed = 0
        self._head = b""
        self._searched = 0
        self._left = 0  # bytes to come of a body of known length
        self._decoder: ChunkedDecoder | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Args:
            data: The bytes received.

        Raises:
            MalformedMessageError: They break the rules.
        """
        pos = self.passed = 0
        if not self._left and not self._head and self._decoder is None:
            plain = PLAIN_REQUEST.match(data)
            if plain is not None and plain.end() <= PLAIN_MAX:
                pos = plain.end()
                self._left = int(plain[1] or 0)
        while pos < len(data):
            if self._left:
                step = min(self._left, len(data) - pos)
                self._left -= step
                pos += step
            elif self._decoder is not None:
                pos, _ = self._decoder.skip(data, pos)
                if self._decoder.done:
                    self._decoder = None
            else:
                self.passed = pos
                pos = self._feed_head(data, pos)

    def _feed_head(self, data: bytes, pos: int) -> int:
        rest = self._head + data[pos:]
        if not self._searched:
            rest = skip_empty_lines(rest)
        end = find_end(rest, self._searched)
        if end < 0:
            # One byte may be half of an empty line.
            self._head, self._searched = rest, len(rest) if len(rest) > 1 else 0
            return len(data)
        length = request_length(parse_request(rest, end))
        if length == CHUNKED:
            self._decoder = ChunkedDecoder()
        else:
            self._left = length
        self._head, self._searched = b"", 0
        return len(data) - (len(rest) - end)


class ResponseParser:
    """Takes one response apart.

    Args:
        method: Upper-case method of the request.

    Attributes:
        head: The head, or None before it has arrived.
        pieces: The body as it arrived; a caller that takes pieces removes them.
        length: How the body is framed (`response_length`), once there is a head.
        held: Bytes of the body that have arrived.
        is_complete: Whether the response has ended.
        is_reusable: Whether the connection may carry another request.
    """

    def __init__(self, method: str) -> None:
        self.head: ResponseHead | None = None
        self.pieces: list[bytes] = []
        self.held = 0
        self.is_complete = False
        self.is_reusable = True
        self._method = method
        self._buffer = b""
        self._interim = 0
        self.length = 0
        self._decoder: ChunkedDecoder | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Args:
            data: The bytes received.

        Raises:
            MalformedMessageError: They break the rules.
        """
        if self.head is None:
            data = self._feed_head(self._buffer + data)
            if self.head is None:
                return
        if self._decoder is not None:
            data = self._feed_chunks(data, self._decoder)
        elif self.length == UNTIL_CLOSE:
            self._take(data)
            return
        else:
            left = self.length - self.held
            self._take(data[:left])
            data = data[left:]
            self.is_complete = self.held == self.length
        if data:  # it was not asked for
            self.is_reusable = False

    def end(self) -> None:
        """Take the end of the connection.

        Raises:
            MalformedMessageError: The response is not complete.
        """
        self.is_reusable = False
        if self.is_complete:
            return
        if self.head is None or self.length != UNTIL_CLOSE:
            raise MalformedMessageError("the connection ended before the response did")
        self.is_complete = True

    def _feed_head(self, data: bytes) -> bytes:
        """Take the head if it is complete; return what follows it."""
        while True:
            end = find_end(data, len(self._buffer), RESPONSE_PREFIX)
            if end < 0:
                self._buffer = data
                return b""
            head = parse_response(data, end)
            data, self._buffer = data[end:], b""
            if head.status >= 200:
                break
            self._interim += 1
            if head.status == 101 or self._interim > MAX_INTERIM:
                raise MalformedMessageError("an interim response that was not asked for")
            if not data:
                return b""
        self.length = response_length(head, self._method)
        self.is_reusable = head.keep_alive
        if self.length == CHUNKED:
            self._decoder = ChunkedDecoder()
        self.is_complete = self.length == 0
        self.head = head
        return data

    def _feed_chunks(self, data: bytes, decoder: ChunkedDecoder) -> bytes:
        pos = 0
        while pos < len(data) and not decoder.done:
            if decoder.remaining:
                piece = data[pos : pos + decoder.remaining]
                decoder.consumed(len(piece))
                pos += len(piece)
                self._take(piece)
            else:
                pos = decoder.advance(data, pos)
        self.is_complete = decoder.done
        return data[pos:]

    def _take(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(piece)
            self.held += len(piece)
