"""Content codings: undo gzip and deflate where a server insists on them (the SDK asks for neither)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from aistore.wire.http1.parse import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
    try:
        yield from _decode(pieces, encoding)
    except zlib.error as err:
        raise MalformedMessageError(f"cannot undo {encoding}: {err}") from err


def _decode(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    coder = None
    fed = False
    for piece in pieces:
        data = piece
        while data:
            fed = True
            if coder is None:
                coder = zlib.decompressobj(_window(encoding, data))
            out = coder.decompress(data)
            if out:
                yield out
            # What follows the end of a gzip member is another member.
            data = coder.unused_data
            if coder.eof:
                coder = None
                if "gzip" not in encoding.lower():
                    return
    if coder is not None and fed:
        raise zlib.error("coded body ends early")


def _window(encoding: str, data: bytes) -> int:
    if "gzip" in encoding.lower():
        return 16 + zlib.MAX_WBITS
    # "deflate" means a zlib stream, but some servers send it without the zlib header.
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
