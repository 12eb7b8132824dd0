"""An object's bytes as one stream."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from aistore.sdk.const import STATUS_PARTIAL_CONTENT
from aistore.sdk.errors import AISChunkedEncodingError
from aistore.sdk.obj.content_iterator.base import BaseContentIterProvider, StreamBounds
from aistore.sdk.obj.content_iterator.body import ObjectBody, requested

if TYPE_CHECKING:
    import requests


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
            body = self._body(response, bounds, offset)
            if bounds is not None and body.length is not None:
                bounds.expected_end = bounds.start + body.length
            pieces = body.pieces(self._chunk_size)
            verifier = bounds.verifier if bounds is not None else None
            if verifier is None:
                yield from pieces
                return
            for piece in pieces:
                verifier.update(piece)
                yield piece
            verifier.finish()
        finally:
            response.close()

    def read_all(self, bounds: StreamBounds | None = None) -> bytes:
        """Return all bytes of the object.

        Args:
            bounds: Filled in with what the answer says. Default: `None`.
        """
        content = self._body(self._client.get(stream=False), bounds).content()
        _compare(bounds, content)
        return content

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
            body = self._body(response, bounds)
            filled = body.readinto(buffer)
            if body.length is not None and filled < body.length:
                raise AISChunkedEncodingError(f"{self._client.path}: got {filled} bytes of {body.length}")
            _compare(bounds, buffer[:filled])
            return filled
        finally:
            response.close()

    def _body(self, response: requests.Response, bounds: StreamBounds | None, offset: int = 0) -> ObjectBody:
        """Return the requested bytes in a response, and fill in what it says of them.

        A 200 to a request for the rest of the bytes has them from the first on.
        """
        start = offset if offset and response.status_code == STATUS_PARTIAL_CONTENT else 0
        body = ObjectBody(response, requested(self._client, start), self._client.path)
        if bounds is not None:
            bounds.start = start
            bounds.identity = body.identity
            if bounds.verifier is not None:
                bounds.verifier.begin(bounds.identity)
        return body


def _compare(bounds: StreamBounds | None, content: bytes | memoryview) -> None:
    if bounds is not None and bounds.verifier is not None:
        bounds.verifier.update(content)
        bounds.verifier.finish()
