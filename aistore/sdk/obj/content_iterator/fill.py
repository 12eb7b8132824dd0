"""Reading a body of known length straight into memory that is there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aistore.sdk.errors import AISChunkedEncodingError


def fill(raw: Any, view: memoryview, cancelled: Callable[[], bool] = bool) -> int:
    """Read from a body until `view` is full or the body ends.

    Args:
        raw: The body; offers `readinto`.
        view: Where to put the bytes.
        cancelled: Asked between reads; reading stops when it is true. Default: never.

    Returns:
        How many bytes were read.
    """
    filled = 0
    while filled < len(view) and not cancelled():
        count = raw.readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled


def fill_exactly(raw: Any, view: memoryview, path: str) -> None:
    """Read a body that must have as many bytes as `view`.

    Args:
        raw: The body; offers `readinto`.
        view: Where to put the bytes.
        path: Path of the object, for the error.

    Raises:
        AISChunkedEncodingError: The body is shorter (also requests' `ChunkedEncodingError`).
    """
    filled = fill(raw, view)
    if filled < len(view):
        raise AISChunkedEncodingError(f"{path}: got {filled} bytes of {len(view)}")
