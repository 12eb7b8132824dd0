"""Received bytes that are not used yet."""

from __future__ import annotations

from aistore.sdk.const import WHITESPACE_CHARS


class SlidingWindowBuffer:
    """A buffer that is filled at its end and used up from its start.

    Args:
        max_size: From this many bytes on, used-up bytes are dropped when more are appended.
        boundary_size: Length of the pattern that is looked for; kept for the user of the buffer.

    Attributes:
        buffer: The bytes; those from `start_pos` to `end_pos` are not used up.
        total_processed: How many bytes were used up so far.
    """

    def __init__(self, max_size: int, boundary_size: int) -> None:
        self.max_size = max_size
        self.boundary_size = boundary_size
        self.buffer = bytearray()
        self.start_pos = 0
        self.end_pos = 0
        self.total_processed = 0

    def __len__(self) -> int:
        return self.end_pos - self.start_pos

    def append(self, data: bytes) -> None:
        """Add bytes at the end; used-up ones may be dropped, so that positions change.

        Args:
            data: The bytes.
        """
        if self.start_pos and self.end_pos + len(data) > self.max_size:
            del self.buffer[: self.start_pos]
            self.end_pos -= self.start_pos
            self.start_pos = 0
        self.append_no_slide(data)

    def append_no_slide(self, data: bytes) -> None:
        """Add bytes at the end; positions stay valid.

        Args:
            data: The bytes.
        """
        self.buffer += data
        self.end_pos = len(self.buffer)

    def find(self, pattern: bytes, start: int = 0) -> int:
        """Return the position of a pattern in `buffer`, -1 if it is not there.

        Args:
            pattern: What to look for.
            start: Position to start at, if it is not used up. Default: 0.
        """
        return self.buffer.find(pattern, max(start, self.start_pos))

    def find_relative(self, pattern: bytes, start: int = 0) -> int:
        """Return where, after the bytes used up, a pattern is; -1 if it is not there.

        Args:
            pattern: What to look for.
            start: Where to start, counted likewise. Default: 0.
        """
        position = self.find(pattern, self.start_pos + start)
        return position if position < 0 else position - self.start_pos

    def get_data_bytes(self, start: int = 0, end: int | None = None) -> bytes:
        """Return a copy of bytes that are not used up.

        Args:
            start: The first, counted after the bytes used up. Default: 0.
            end: The one after the last. Default: `None`, all.
        """
        stop = self.end_pos if end is None else min(self.start_pos + end, self.end_pos)
        return bytes(memoryview(self.buffer)[self.start_pos + start : stop])

    def consume(self, length: int) -> bytes:
        """Use bytes up and return them.

        Args:
            length: How many at most.
        """
        data = self.get_data_bytes(0, length)
        self.discard(len(data))
        return data

    def discard(self, length: int) -> None:
        """Use bytes up.

        Args:
            length: How many at most.
        """
        count = min(length, len(self))
        self.start_pos += count
        self.total_processed += count

    def skip_leading_whitespace(self) -> int:
        """Use up white space at the start, and return how many bytes it was."""
        data = self.get_data_bytes()
        count = len(data) - len(data.lstrip(bytes(WHITESPACE_CHARS)))
        self.discard(count)
        return count

    def clear(self) -> None:
        """Use everything up."""
        self.total_processed += len(self)
        self.buffer.clear()
        self.start_pos = self.end_pos = 0
