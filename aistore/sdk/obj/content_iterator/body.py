"""The body of a response to GET, as far as it is what was requested, in the form that a reader needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import STATUS_PARTIAL_CONTENT
from aistore.sdk.errors import ErrRangeMismatch, InvalidArgument
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.transport.pieces import PieceStream
from aistore.sdk.transport.response import Response
from aistore.wire.ranges import EVERYTHING, BodyRange, Bounds, locate_range, rest_of

if TYPE_CHECKING:
    import requests

    from aistore.sdk.obj.object_client import ObjectClient
    from aistore.sdk.obj.verification import Verifier

_SKIP = 64 * 1024


class ObjectBody:
    """The requested bytes in the body of a response: everything, or a range.

    Args:
        response: The response; its body is not read yet.
        bounds: What was requested.
        path: Path of the object, for errors.

    Attributes:
        fields: Header fields of the response, by names in lower case.
        range: Where the requested bytes are in the body; `None` when they are all of it.

    Raises:
        ErrRangeMismatch: The response does not have the requested range (also requests'
            `ChunkedEncodingError`).
        ErrRangeNotSatisfiable: The object ends before the range starts.
    """

    __slots__ = ("_path", "_response", "fields", "range")

    def __init__(self, response: requests.Response, bounds: Bounds, path: str) -> None:
        self._response = response
        self._path = path
        self.fields = fields_of(response)
        self.range = _locate(response, self.fields, bounds, path)

    @property
    def length(self) -> int | None:
        """How many bytes there are; `None` when only the end of the body shows it."""
        return body_length(self.fields) if self.range is None else self.range.length

    @property
    def identity(self) -> ObjectIdentity:
        """Which version of the object the bytes are of."""
        as_stored = type(self._response) is Response and not _is_coded(self.fields)
        return ObjectIdentity.of(self.fields, getattr(self._response, "status_code", 0), as_stored=as_stored)

    def pieces(self, chunk_size: int) -> Iterator[bytes]:
        """Return an iterator over the bytes.

        Args:
            chunk_size: Bytes in each piece of the body.
        """
        pieces: Iterator[bytes] = self._response.iter_content(chunk_size=chunk_size)
        return pieces if self.range is None else self.range.cut(pieces)

    def content(self) -> bytes:
        """Return the bytes."""
        content = self._response.content
        return content if self.range is None else b"".join(self.range.cut([content]))

    def raw(self, verifier: Verifier | None = None) -> Any:
        """Return the bytes as a stream with urllib3's interface, not decoded.

        Args:
            verifier: Compares a whole object with its checksum, at the end of the stream. Default: `None`.
        """
        raw: Any = self._response.raw
        if type(self._response) is not Response:
            return raw
        if self.range is None:
            if verifier is not None:
                raw.watch(verifier)
            return raw
        if self.range.alone and body_length(self.fields) is not None:
            return raw
        return PieceStream(raw, self.range.cut(iter(lambda: raw.read(_SKIP), b"")), self.range.length)

    def readinto(self, view: memoryview, cancelled: Callable[[], bool] = bool) -> int:
        """Read the bytes to the start of `view`.

        Args:
            view: Where to put them.
            cancelled: Called between reads; reading stops when it returns true. Default: never.

        Returns:
            How many were read: fewer than there are where the body ends early, or reading was stopped.

        Raises:
            InvalidArgument: There are more than `view` holds; when their number is known, nothing was read.
        """
        length = self.length
        if length is None:
            return copy_pieces(
                self.pieces(_SKIP),
                view,
                lambda _: f"buffer has {len(view)} bytes, {self._path} has more",
            )
        if length > len(view):
            raise InvalidArgument(f"buffer has {len(view)} bytes, {self._path} has {length}")
        raw = self._response.raw
        part = self.range
        skip = 0 if part is None else part.skip
        while skip and not cancelled():
            skipped = len(raw.read(min(skip, _SKIP)))
            if not skipped:
                return 0
            skip -= skipped
        filled = fill(raw, view[:length], cancelled)
        if part is not None and part.alone and body_length(self.fields) is None and raw.read(1):
            raise part.too_long()
        return filled


def fields_of(response: requests.Response) -> Mapping[str, str]:
    """Return the header fields of a response, by names in lower case.

    Args:
        response: The response; of a mock only the fields that are text count.
    """
    if type(response) is Response:
        return response.fields
    headers: Any = response.headers
    pairs = headers.items() if isinstance(headers, Mapping) else ()
    return {str(name).lower(): value for name, value in pairs if isinstance(value, str)}


def requested(client: ObjectClient, offset: int = 0) -> Bounds:
    """Return what a GET of a client requests.

    Args:
        client: The client.
        offset: How many bytes are left out at the start. Default: 0.
    """
    bounds: Any = client.bounds
    if not isinstance(bounds, tuple):  # a mock in the place of the client has none
        bounds = EVERYTHING
    wanted: Bounds = rest_of(bounds, offset) if offset else bounds
    return wanted


def body_length(fields: Mapping[str, str]) -> int | None:
    """Return how many bytes a body has once decoded, or `None` when the header does not say.

    Args:
        fields: The header fields, by names in lower case.
    """
    if _is_coded(fields):
        return None
    length = fields.get("content-length")
    return int(length) if length is not None and length.isdecimal() else None


def _is_coded(fields: Mapping[str, str]) -> bool:
    coding = fields.get("content-encoding")
    return bool(coding) and str(coding).strip().lower() not in ("", "identity")


def _locate(
    response: requests.Response, fields: Mapping[str, str], bounds: Bounds, path: str
) -> BodyRange | None:
    """Return where the requested bytes are in a body, `None` when they are all of it."""
    status: Any = getattr(response, "status_code", None)
    if type(response) is Response:
        if bounds == EVERYTHING and status != STATUS_PARTIAL_CONTENT:
            return None
        if status == STATUS_PARTIAL_CONTENT and bounds != EVERYTHING and _is_coded(fields):
            raise ErrRangeMismatch(f"{path}: got a part of an encoded form, requested bytes of the object")
    elif type(status) is not int or (status == STATUS_PARTIAL_CONTENT and "content-range" not in fields):
        # Of a session or mock in the place of the transport, a 206 without more is the range.
        return None
    found = locate_range(path, bounds, status, fields.get("content-range"), body_length(fields))
    return None if found == BodyRange(path) else found


def fill(raw: Any, view: memoryview, cancelled: Callable[[], bool] = bool) -> int:
    """Read from a body until `view` is full or the body ends.

    Args:
        raw: The body; offers `readinto`.
        view: Where to put the bytes.
        cancelled: Called between reads; reading stops when it returns true. Default: never.

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
