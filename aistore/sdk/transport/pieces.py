"""The body of a response after something was done to its bytes, with the interface of the body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aistore.sdk.transport.answer_face import AnswerFace

if TYPE_CHECKING:
    from aistore.sdk.transport.stream import BodyReader

_SIZE = 64 * 1024


class PieceStream(AnswerFace):
    """Pieces of bytes, made of a body, as a stream with the interface of a `urllib3.HTTPResponse`.

    Args:
        raw: The body; closed with the stream.
        pieces: What was made of it.
        length: How many bytes that is; `None` when it is not known.
    """

    def __init__(self, raw: BodyReader, pieces: Iterator[bytes], length: int | None = None) -> None:
        super().__init__()
        self._raw = raw
        self._pieces = pieces
        self._rest = b""
        self._head, self._url = raw._head, raw.geturl()  # noqa: SLF001 - of the same response
        self._length = -1 if length is None else length
        self._pos = 0

    @property
    def data(self) -> bytes:
        """The rest of the bytes."""
        return self.read()

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._pos

    def isclosed(self) -> bool:
        """Return whether the connection is given up."""
        return self._raw.isclosed()

    def release_conn(self) -> None:
        """Give up the connection."""
        self.close()

    def drain_conn(self) -> None:
        """Read and drop the rest of the body, so that the connection can be used again."""
        self._raw.drain_conn()

    def readinto(self, buffer: Any, /) -> int:
        """Fill the start of a buffer; return how many bytes, 0 at the end.

        Args:
            buffer: Writable buffer.
        """
        with memoryview(buffer) as given, given.cast("B") as view:
            self._rest = self._rest or next(self._pieces, b"")
            part = self._rest[: len(view)]
            self._rest = self._rest[len(part) :]
            view[: len(part)] = part
        self._pos += len(part)
        return len(part)

    def read1(self, amt: int | None = -1, decode_content: bool | None = None) -> bytes:
        """Read what is there, at least one byte; `b""` at the end.

        Args:
            amt: The most to read in bytes; negative or None for no limit.
            decode_content: Without effect.
        """
        return super().read(_SIZE if amt is None or amt < 0 else amt) or b""

    def read(
        self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False
    ) -> bytes:
        """Read `amt` bytes, fewer only at the end.

        Args:
            amt: How many; None or negative for the rest.
            decode_content: Without effect.
            cache_content: Without effect.
        """
        if amt is None or amt < 0:
            return b"".join(iter(self.read1, b""))
        pieces = []
        while amt and (piece := self.read1(amt)):
            pieces.append(piece)
            amt -= len(piece)
        return b"".join(pieces)

    def readall(self) -> bytes:
        """Read the rest."""
        return self.read()

    def stream(self, amt: int | None = _SIZE, decode_content: bool | None = None) -> Iterator[bytes]:
        """Return an iterator over pieces of `amt` bytes, the last excepted.

        Args:
            amt: How many; None for 64 KiB.
            decode_content: Without effect.
        """
        return iter(lambda: self.read(amt or _SIZE), b"")

    def close(self) -> None:
        """Give up the connection."""
        self._raw.close()
        super().close()
