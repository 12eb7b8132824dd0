"""An object's bytes as one stream."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from aistore.sdk.const import HEADER_CONTENT_ENCODING, HEADER_CONTENT_LENGTH, STATUS_PARTIAL_CONTENT
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider, StreamBounds
from aistore.sdk.obj.content_iterator.fill import copy_pieces, fill_exactly
from aistore.sdk.obj.identity import ObjectIdentity

if TYPE_CHECKING:
    import requests


def body_length(response: requests.Response) -> int | None:
    """Return how many bytes the body has once decoded, or `None` when the headers do not say.

    Args:
        response: An answer whose body is not read yet.
    """
    encoding = response.headers.get(HEADER_CONTENT_ENCODING)
    if isinstance(encoding, str) and encoding.strip().lower() not in ("", "identity"):
        return None
    try:
        return int(response.headers[HEADER_CONTENT_LENGTH])
    except (KeyError, ValueError, TypeError):
        return None


def _note(bounds: StreamBounds | None, response: requests.Response, offset: int = 0) -> None:
    """Fill in what the headers say; a 200 to a request for a range starts at 0 all the same."""
    if bounds is None:
        return
    length = body_length(response)
    bounds.start = offset if response.status_code == STATUS_PARTIAL_CONTENT else 0
    bounds.expected_end = None if length is None else bounds.start + length
    bounds.identity = ObjectIdentity.from_headers(response.headers, response.status_code)


class ContentIterProvider(BaseContentIterProvider):
    """Reads an object with one GET for each iterator."""

    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        """Return an iterator over the object's bytes; its GET is sent when the first chunk is asked for.

        Args:
            offset: How many bytes to leave out at the start. When the answer starts at 0 all the same, so
                does the iterator, and `bounds.start` says so. Default: 0.
            bounds: Filled in when the answer is here. Default: `None`.
        """
        response = self._client.get(stream=True, offset=offset)
        try:
            _note(bounds, response, offset)
            yield from response.iter_content(chunk_size=self._chunk_size)
        finally:
            response.close()

    def read_all(self, bounds: StreamBounds | None = None) -> bytes:
        """Return all bytes of the object.

        Args:
            bounds: Filled in with what the answer says. Default: `None`.
        """
        response = self._client.get(stream=False)
        _note(bounds, response)
        return response.content

    def readinto(self, buffer: memoryview, bounds: StreamBounds | None = None) -> int:
        """Read the object to the start of `buffer`.

        Args:
            buffer: Writable and contiguous, as bytes.
            bounds: Filled in with what the answer says. Default: `None`.

        Returns:
            How many bytes the object has.

        Raises:
            InvalidArgument: The buffer is too small; nothing was written to it if the answer tells its
                length.
        """
        response = self._client.get(stream=True)
        try:
            _note(bounds, response)
            length = body_length(response)
            if length is None:
                return self._copy(response, buffer)
            if length > len(buffer):
                raise InvalidArgument(f"buffer has {len(buffer)} bytes, {self._client.path} has {length}")
            fill_exactly(response.raw, buffer[:length], self._client.path)
            return length
        finally:
            response.close()

    def _copy(self, response: requests.Response, buffer: memoryview) -> int:
        return copy_pieces(
            response.iter_content(chunk_size=self._chunk_size),
            buffer,
            lambda _: f"buffer has {len(buffer)} bytes, {self._client.path} has more",
        )
