"""Reading from what gives its bytes in pieces of its own choice."""

from __future__ import annotations

from collections.abc import Callable


def gather(take: Callable[[int], memoryview], size: int | None) -> bytes:
    """Return the next `size` bytes, fewer only at the end.

    Args:
        take: Returns up to so many bytes (-1: any number), none only at the end.
        size: How many. -1 and `None`: all that are left.
    """
    wanted = -1 if size is None or size < 0 else size
    parts: list[memoryview] = []
    while wanted:
        part = take(wanted)
        if not part:
            break
        parts.append(part)
        if wanted > 0:
            wanted -= len(part)
    return b"".join(parts)
