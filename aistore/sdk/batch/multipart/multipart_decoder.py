"""Multipart answers taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aistore.sdk.batch.errors import MultipartDecodeError
from aistore.sdk.batch.multipart.body_stream_reader import BodyStreamReader
from aistore.sdk.batch.multipart.stateful_streaming_parser import StatefulStreamingParser
from aistore.sdk.const import (
    DEFAULT_CHUNK_SIZE,
    DEFAULT_MAX_BUFFER_SIZE,
    HEADER_CONTENT_TYPE,
    HTTP_BOUNDARY_REGEX,
    UTF_ENCODING,
)
from aistore.sdk.errors import InvalidArgument

if TYPE_CHECKING:
    from requests import Response


class MultipartDecoder:
    """Takes multipart answers apart.

    Args:
        encoding: Of the boundary. Default: UTF-8.
        parse_as_stream: Hand bodies out as files that are read while they arrive, each to be read before the
            next part is asked for, instead of as bytes. Default: `False`.
        chunk_size: How much to receive at a time, in bytes. Default: 32 KiB.
        max_buffer_size: The most that the headers of a part may have, in bytes. Default: 64 KiB.
    """

    def __init__(
        self,
        encoding: str = UTF_ENCODING,
        parse_as_stream: bool = False,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        max_buffer_size: int = DEFAULT_MAX_BUFFER_SIZE,
    ) -> None:
        self.encoding = encoding
        self.parse_as_stream = parse_as_stream
        self.chunk_size = chunk_size
        self.max_buffer_size = max_buffer_size

    def decode(self, response: Response) -> Iterator[tuple[bytes, bytes | BodyStreamReader]]:
        """Yield headers and body of each part.

        Args:
            response: The answer, not read yet.

        Raises:
            MultipartDecodeError: It is not multipart, has no boundary, or is cut short (also a `ValueError`).
        """
        parser = StatefulStreamingParser(
            iter(response.iter_content(chunk_size=self.chunk_size)),
            self._boundary(response),
            self.max_buffer_size,
        )
        while part := parser.get_next_part():
            headers, body = part
            yield headers, body if self.parse_as_stream else body.read()

    def _boundary(self, response: Response) -> bytes:
        content_type = str(response.headers.get(HEADER_CONTENT_TYPE, ""))
        if not content_type.lower().startswith("multipart/"):
            raise MultipartDecodeError(f"not a multipart answer: content type {content_type!r}")
        match = re.search(HTTP_BOUNDARY_REGEX, content_type)
        if match is None:
            raise MultipartDecodeError(f"multipart content type without a boundary: {content_type!r}")
        boundary = match.group(1).strip().strip('"')
        if not boundary:
            raise InvalidArgument("multipart boundary is empty")
        return boundary.encode(self.encoding)
