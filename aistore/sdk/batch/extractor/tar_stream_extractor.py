"""Entries from tar archives, plain or compressed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from aistore.sdk.batch.extractor.archive_stream_extractor import ArchiveStreamExtractor
from aistore.sdk.batch.types import MossOut, MossReq, MossResp
from aistore.wire.archive.formats import TAR_FORMATS

if TYPE_CHECKING:
    from requests import Response


class TarStreamExtractor(ArchiveStreamExtractor):
    """Takes the entries from tar archives while they arrive; memory holds one entry."""

    def get_supported_formats(self) -> tuple[str, ...]:
        """Return the formats."""
        return TAR_FORMATS

    def extract(
        self,
        response: Response,
        data_stream: Any,
        moss_req: MossReq,
        moss_resp: MossResp | None = None,
        *,
        buffer_size: int = 65536,
        views: bool = False,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        """Yield every entry of a request with its bytes, in order, as soon as they are there.

        Args:
            response: The answer; given up at the end.
            data_stream: Its archive: anything with `readinto` or `read`.
            moss_req: The request.
            moss_resp: The list that came with the archive. Default: `None`, the archive was streamed.
            buffer_size: How much to receive at a time, in bytes. Default: 64 KiB.
            views: Yield views of the bytes that end with the next entry, instead of copies. Default: `False`.
        """
        return self._extract(response, data_stream, moss_req, moss_resp, buffer_size, views)
