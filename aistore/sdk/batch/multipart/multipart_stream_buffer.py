"""The part of a multipart body that is being read, up to the next boundary."""

from __future__ import annotations

from collections.abc import Iterator

from aistore.sdk.batch.multipart.sliding_window_buffer import SlidingWindowBuffer

BOUNDARY_MARGIN = 8
"""What may stand around a boundary: two dashes on each side, and line ends."""


class MultipartStreamBuffer:
    """Reads a body as far as it is asked to, and finds boundaries in it wherever its pieces are cut.

    Args:
        content_iter: The body, in pieces.
        boundary: What separates parts, with its two leading dashes.
        max_buffer_size: How much to hold besides one piece, in bytes; more than a boundary.
    """

    def __init__(self, content_iter: Iterator[bytes], boundary: bytes, max_buffer_size: int) -> None:
        self._content_iter = content_iter
        self._boundary = boundary
        self._buffer = SlidingWindowBuffer(max_buffer_size, self.get_boundary_size())
        self._exhausted = False

    @property
    def boundary(self) -> bytes:
        """What separates parts."""
        return self._boundary

    def get_boundary_size(self) -> int:
        """Return how many bytes at the end may be the start of a boundary."""
        return len(self._boundary) + BOUNDARY_MARGIN

    def get_buffer_size(self) -> int:
        """Return how many bytes are held."""
        return len(self._buffer)

    def get_safe_content_size(self) -> int:
        """Return how many of the bytes held cannot be part of a boundary that is cut off."""
        return max(0, len(self._buffer) - self.get_boundary_size())

    def get_data_slice(self, start: int = 0, end: int | None = None) -> bytes:
        """Return a copy of bytes that are held.

        Args:
            start: The first. Default: 0.
            end: The one after the last. Default: `None`, all.
        """
        return self._buffer.get_data_bytes(start, end)

    def is_exhausted(self) -> bool:
        """Return whether the body has no more pieces."""
        return self._exhausted

    def has_data(self) -> bool:
        """Return whether there is anything left, reading a piece if need be."""
        return self.ensure_data_available(1)

    def has_boundary(self) -> bool:
        """Return whether a boundary is in the bytes held."""
        return self.find_boundary_position() >= 0

    def find_boundary_position(self) -> int:
        """Return where the next boundary is in the bytes held, -1 if it is not."""
        return self.find_pattern(self._boundary)

    def find_pattern(self, pattern: bytes, start: int = 0) -> int:
        """Return where a pattern is in the bytes held, -1 if it is not.

        Args:
            pattern: What to look for.
            start: Where to start. Default: 0.
        """
        return self._buffer.find_relative(pattern, start)

    def append_chunk(self, chunk: bytes, no_slide: bool = False) -> None:
        """Hold more bytes.

        Args:
            chunk: The bytes.
            no_slide: Keep positions valid. Default: `False`.
        """
        if no_slide:
            self._buffer.append_no_slide(chunk)
        else:
            self._buffer.append(chunk)

    def read_chunk(self) -> bytes | None:
        """Return the body's next piece without holding it; `None` at the end."""
        chunk = next(self._content_iter, None)
        if chunk is None:
            self._exhausted = True
        return chunk

    def force_read_chunk(self) -> int:
        """Hold one more piece, and return how many bytes it has; 0 at the end."""
        chunk = self.read_chunk()
        while chunk == b"":
            chunk = self.read_chunk()
        if chunk is None:
            return 0
        self.append_chunk(chunk)
        return len(chunk)

    def ensure_data_available(self, min_bytes: int = 0) -> bool:
        """Read until enough is held.

        Args:
            min_bytes: How much is enough. Default: 0, anything.

        Returns:
            Whether it is; not when the body ends before.
        """
        wanted = max(min_bytes, 1)
        while len(self._buffer) < wanted:
            if self._exhausted or not self.force_read_chunk():
                return False
        return True

    def consume_data(self, length: int) -> bytes:
        """Return bytes that are held, and forget them.

        Args:
            length: How many at most.
        """
        return self._buffer.consume(length)

    def consume_before_pattern(self, pos: int, pattern: bytes, clean_endings: bool = True) -> bytes:
        """Return the bytes before a pattern that was found, and forget them and the pattern.

        Args:
            pos: Where it was found.
            pattern: It.
            clean_endings: Leave out the line end before it, which belongs to it. Default: `True`.
        """
        data = self._buffer.consume(pos)
        self._buffer.discard(len(pattern))
        return _without_line_end(data) if clean_endings else data

    def skip_whitespace(self) -> int:
        """Forget white space at the start, and return how many bytes it was."""
        return self._buffer.skip_leading_whitespace()

    def read_until_boundary(self, clean_endings: bool = True) -> Iterator[bytes]:
        """Yield what comes before the next boundary, in pieces, and forget the boundary.

        Without a boundary, everything that is left is yielded.

        Args:
            clean_endings: Leave out the line end before the boundary, which belongs to it. Default: `True`.
        """
        while True:
            position = self.find_boundary_position()
            if position >= 0:
                if data := self.consume_before_pattern(position, self._boundary, clean_endings):
                    yield data
                return
            if safe := self.get_safe_content_size():
                yield self.consume_data(safe)
            if not self.force_read_chunk():
                if data := self.consume_data(len(self._buffer)):
                    yield data
                return


def _without_line_end(data: bytes) -> bytes:
    return data[:-2] if data.endswith(b"\r\n") else data.removesuffix(b"\n")
