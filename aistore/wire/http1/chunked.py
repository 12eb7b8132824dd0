"""Decode a chunked body (RFC 9112, 7.1) without doing I/O."""

from __future__ import annotations

import re

from aistore.wire.http1.parse import MAX_HEAD, MalformedAnswerError

MAX_SIZE_LINE = 4096
"""Longest line that announces a chunk, extensions included, in bytes."""

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n\0]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n")

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedDecoder:
    """Tells payload from framing in what arrives.

    The payload is never copied here: `advance` says where it is, the caller takes it and says how much with
    `consumed`. While `remaining` is positive the next bytes on the wire are payload, so the caller may as
    well receive up to that many straight into a buffer of its own.

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
            MalformedAnswerError: When the framing breaks the rules.
        """
        while pos < len(data) and self._state not in (_DATA, _DONE):
            line, pos = self._take_line(data, pos)
            if line:
                self._on_line(line)
        return pos

    def skip(self, data: bytes) -> tuple[int, int]:
        """Pass over framing and payload.

        Args:
            data: What has arrived.

        Returns:
            Where the body ended, or `len(data)`, and how many bytes of payload there were.

        Raises:
            MalformedAnswerError: When the framing breaks the rules.
        """
        pos = payload = 0
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
            raise MalformedAnswerError("chunk longer than announced")
        if len(line) > limit:
            raise MalformedAnswerError("line of the chunked framing too long")
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
                raise MalformedAnswerError(f"malformed chunk size {line[:64]!r}")
            self.remaining = int(match[1], 16)
            self._state = _DATA if self.remaining else _TRAILERS
        elif line == b"\r\n":
            self._state = _DONE
        else:
            self._trailers += len(line)
            if self._trailers > MAX_HEAD or not _TRAILER.fullmatch(line):
                raise MalformedAnswerError("malformed or too long trailer")


def encode_chunk(size: int) -> bytes:
    """Frame a chunk of a request body.

    Args:
        size: Number of bytes, positive; after them comes CR LF.

    Returns:
        The line before them.
    """
    return b"%x\r\n" % size


LAST_CHUNK = b"0\r\n\r\n"
"""What ends a chunked body."""
