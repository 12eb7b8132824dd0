"""Content codings: undo gzip and deflate where a server insists on them (the SDK asks for neither)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated
from aistore.wire.archive.compression import DEFLATE, GZIP, DecompressingSource
from aistore.wire.http1.parse import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 64 * 1024


def is_coded(encoding: str | None) -> bool:
    """Tell whether a `Content-Encoding` is one that `decode` undoes.

    Args:
        encoding: Value of the field, or None.
    """
    return bool(encoding) and str(encoding).strip().lower() in ("gzip", "x-gzip", "deflate")


def decode(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo a content coding, piece by piece.

    Args:
        pieces: The body as it travelled.
        encoding: `gzip`, `x-gzip` or `deflate`.

    Yields:
        Decoded bytes, never empty.

    Raises:
        MalformedMessageError: The body is not coded so, or ends early.
    """
    source = _Pieces(pieces)
    if not source.has_more():
        return
    decoded = DecompressingSource(source, GZIP if "gzip" in encoding.lower() else DEFLATE)
    buffer = memoryview(bytearray(_PIECE))
    try:
        while count := decoded.readinto(buffer):
            yield bytes(buffer[:count])
    except (ErrArchiveFormat, ErrArchiveTruncated) as err:
        raise MalformedMessageError(f"cannot undo {encoding}: {err}") from err


class _Pieces:
    """A source of the bytes of pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = memoryview(b"")

    def has_more(self) -> bool:
        """Return whether there are bytes."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._left = memoryview(piece)
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the start of a buffer.

        Args:
            buffer: Writable.
        """
        if not self.has_more():
            return 0
        view = memoryview(buffer)
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
