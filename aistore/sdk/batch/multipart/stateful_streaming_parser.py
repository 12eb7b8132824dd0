"""The parts of a multipart body, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from aistore.sdk.batch.errors import MultipartDecodeError
from aistore.sdk.batch.multipart.body_stream_reader import BodyStreamReader
from aistore.sdk.batch.multipart.multipart_stream_buffer import MultipartStreamBuffer
from aistore.sdk.const import MULTIPART_MARKER, UNIX_LINE_END, WIN_LINE_END

# A blank line ends the headers; the first of these that is found counts.
_BLANK_LINES = (WIN_LINE_END, UNIX_LINE_END)


class StatefulStreamingParser:
    """Takes a multipart body apart while it arrives.

    Args:
        content_iter: The body, in pieces.
        boundary: The boundary of its content type, without dashes.
        max_buffer_size: The most that the headers of a part may have, in bytes.
    """

    def __init__(self, content_iter: Iterator[bytes], boundary: bytes, max_buffer_size: int) -> None:
        self._max_header_size = max_buffer_size
        self._buffer = MultipartStreamBuffer(content_iter, MULTIPART_MARKER + boundary, max_buffer_size)
        self._body: BodyStreamReader | None = None
        self._ended = False

    def get_next_part(self) -> tuple[bytes, BodyStreamReader] | None:
        """Return headers and body of the next part; what is left of the one before is skipped.

        Returns:
            Both, or `None` after the last part.

        Raises:
            MultipartDecodeError: The headers are too long, or the body ends before the closing boundary.
        """
        if self._ended:
            return None
        if self._body is None:
            for _ in self._buffer.read_until_boundary():
                pass  # the preamble
        else:
            self._body.skip_rest()
        if self._is_closed():
            self._ended = True
            return None
        self._body = BodyStreamReader(self._buffer)
        return self._read_headers(), self._body

    def _is_closed(self) -> bool:
        """Return whether the boundary that was just read is the last."""
        if not self._buffer.ensure_data_available(2):
            raise MultipartDecodeError("multipart body ends without its closing boundary")
        if self._buffer.get_data_slice(0, 2) == MULTIPART_MARKER:
            return True
        # The rest of the boundary's line, and nothing more: the line after it may be the blank one.
        while (end := self._buffer.find_pattern(b"\n")) < 0:
            self._require_more("boundary")
        if self._buffer.get_data_slice(0, end).strip():
            raise MultipartDecodeError("multipart boundary is followed by other text")
        # Its line end stays: with no headers at all it is the first half of the blank line.
        return False

    def _read_headers(self) -> bytes:
        while True:
            found = [(self._buffer.find_pattern(line), line) for line in _BLANK_LINES]
            places = [(position, line) for position, line in found if position >= 0]
            # A blank line of LF may be completed by what is held, one of CRLF before it by what is not.
            if places:
                position, line = min(places)
                return self._buffer.consume_before_pattern(position, line, clean_endings=False).strip()
            self._require_more("headers")

    def _require_more(self, what: str) -> None:
        if self._buffer.get_buffer_size() > self._max_header_size:
            raise MultipartDecodeError(f"multipart {what} longer than {self._max_header_size} bytes")
        if not self._buffer.force_read_chunk():
            raise MultipartDecodeError(f"multipart body ends within its {what}")
