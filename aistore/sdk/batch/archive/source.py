"""Where the bytes of an archive come from."""

from __future__ import annotations

from typing import Any, Protocol


class Source(Protocol):
    """A stream of bytes that is read once."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill the start of a buffer with what is there, at least one byte; return how many, 0 at the end."""


class ArchiveReader(Protocol):
    """Hands out the regular files of an archive, in order."""

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next member, past what is left of the one before.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrArchiveTruncated: The archive ends in the middle of a member.
            ErrBatchFormat: It is damaged, or no archive.
        """

    def read_member(self) -> bytes:
        """Return the bytes of the member that `next_member` went to; once."""

    def has_more_at_hand(self) -> bool:
        """Return whether another member follows, as far as that can be told without waiting."""

    def close(self) -> None:
        """Give back memory and temporary files; the source stays open."""


class _ReadSource:
    """A source made of an object that can only `read`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)


def as_source(stream: Any) -> Source:
    """Return `stream` as a source.

    Args:
        stream: Anything with `readinto`, or at least `read`.
    """
    return stream if hasattr(stream, "readinto") else _ReadSource(stream)
