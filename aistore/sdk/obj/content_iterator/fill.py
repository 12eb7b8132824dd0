"""Reading a body of known length straight into memory that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aistore.sdk.errors import AISChunkedEncodingError, InvalidArgument


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


def copy_pieces(pieces: Iterable[bytes], view: memoryview, too_large: Callable[[int], str]) -> int:
    """Copy pieces, whose length together is not known beforehand, to the start of `view`.

    Args:
        pieces: The pieces.
        view: Where to put the bytes.
        too_large: Words the error for so many bytes at least.

    Returns:
        How many bytes there were.

    Raises:
        InvalidArgument: They do not fit.
    """
    filled = 0
    for piece in pieces:
        end = filled + len(piece)
        if end > len(view):
            raise InvalidArgument(too_large(end))
        view[filled:end] = piece
        filled = end
    return filled
