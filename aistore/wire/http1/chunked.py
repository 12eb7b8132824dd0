"""Chunked bodies (RFC 9112, 7.1): decoding and encoding, without I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aistore.wire.http1.parse import MAX_HEAD, MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_SIZE_LINE = 4096
"""Longest line that announces a chunk, extensions included, in bytes."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# Without the white space around extensions that 7.1.1 calls bad: other parsers refuse it.
_EXTENSION = rb";%b(?:=(?:%b|\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*\"))?" % (_TOKEN, _TOKEN)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:%b)*\r\n" % _EXTENSION)
# A trailer must not frame the message (RFC 9110, 6.5.1).
_TRAILER = re.compile(
    rb"(?!(?i:content-length|transfer-encoding|host):)%b:[^\0-\x08\n-\x1f\x7f]*\r\n" % _TOKEN
)
_JOIN_UP_TO = 64 * 1024  # longer pieces are not copied to frame them

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedDecoder:
    """A decoder that separates payload from framing as bytes arrive.

    The payload is never copied here: `advance` returns its position, the caller takes it and calls
    `consumed`. While `remaining` is positive the next bytes on the wire are payload, so the caller may as
    well receive up to that many straight into its buffer.

    Invariant: every split of the same bytes into calls gives the same payload, or the same error.

    Attributes:
        remaining: Bytes of payload left in the current chunk.
        done: Whether the body has ended.
    """

    __slots__ = ("_line", "_state", "_trailers", "remaining")

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._trailers = 0
        self.remaining = 0

    @property
    def done(self) -> bool:
        """Whether the body has ended."""
        return self._state == _DONE

    def consumed(self, count: int) -> None:
        """Say that `count` bytes of payload were taken.

        Args:
            count: At most `remaining`.
        """
        self.remaining -= count
        if not self.remaining:
            self._state = _DATA_END

    def advance(self, data: bytes, pos: int) -> int:
        """Pass over framing.

        Args:
            data: What has arrived.
            pos: Where to go on in it.

        Returns:
            Where payload begins (then `remaining` is positive), the body ended (then `done`), or
            `len(data)` when more is needed.

        Raises:
            MalformedMessageError: When the framing breaks the rules.
        """
        while pos < len(data) and self._state not in (_DATA, _DONE):
            line, pos = self._take_line(data, pos)
            if line:
                self._on_line(line)
        return pos

    def skip(self, data: bytes, pos: int = 0) -> tuple[int, int]:
        """Pass over framing and payload.

        Args:
            data: What has arrived.
            pos: Where to go on in it.

        Returns:
            The position where the body ended, or `len(data)`, and the number of bytes of payload.

        Raises:
            MalformedMessageError: When the framing breaks the rules.
        """
        payload = 0
        while pos < len(data) and not self.done:
            if self.remaining:
                size = min(self.remaining, len(data) - pos)
                self.consumed(size)
                pos += size
                payload += size
            else:
                pos = self.advance(data, pos)
        return pos, payload

    def _take_line(self, data: bytes, pos: int) -> tuple[bytes, int]:
        limit = MAX_HEAD if self._state == _TRAILERS else MAX_SIZE_LINE
        end = data.find(b"\n", pos)
        stop = len(data) if end < 0 else end + 1
        line = self._line + data[pos:stop]
        # Only CR LF may follow the payload: anything else is refused at its first byte.
        if self._state == _DATA_END and not b"\r\n".startswith(line):
            raise MalformedMessageError("chunk longer than announced")
        if len(line) > limit:
            raise MalformedMessageError("line of the chunked framing too long")
        if end < 0:
            self._line = line
            return b"", stop
        self._line = b""
        return line, stop

    def _on_line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            self._state = _SIZE
        elif self._state == _SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise MalformedMessageError(f"malformed chunk size {line[:64]!r}")
            self.remaining = int(match[1], 16)
            self._state = _DATA if self.remaining else _TRAILERS
        elif line == b"\r\n":
            self._state = _DONE
        else:
            self._trailers += len(line)
            if self._trailers > MAX_HEAD or not _TRAILER.fullmatch(line):
                raise MalformedMessageError("malformed or too long trailer")


def encode_size(size: int) -> bytes:
    """Write the line before the bytes of a chunk; CR LF follows them.

    Args:
        size: Number of bytes, positive.
    """
    return b"%x\r\n" % size


LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body."""


def encode_chunks(
    pieces: Iterable[bytes | bytearray | memoryview],
) -> Iterator[bytes | bytearray | memoryview]:
    """Frame a body whose length is not known beforehand.

    Args:
        pieces: The body; empty pieces are left out, because an empty chunk is the end.

    Yields:
        The bytes to send, the end of the body included.
    """
    for piece in pieces:
        size = len(piece)
        if 0 < size <= _JOIN_UP_TO:
            yield b"".join((encode_size(size), piece, b"\r\n"))
        elif size:
            yield encode_size(size)
            yield piece
            yield b"\r\n"
    yield LAST_CHUNK
