"""Entries from zip archives."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from aistore.sdk.batch.extractor.archive_stream_extractor import ArchiveStreamExtractor
from aistore.sdk.batch.types import MossOut, MossReq, MossResp
from aistore.wire.archive.formats import ZIP_FORMATS

if TYPE_CHECKING:
    from requests import Response


class ZipStreamExtractor(ArchiveStreamExtractor):
    """Takes the entries from zip archives once they are there; large ones wait in a temporary file."""

    def get_supported_formats(self) -> tuple[str, ...]:
        """Return the formats."""
        return ZIP_FORMATS

    def extract(
        self,
        response: Response,
        data_stream: Any,
        moss_req: MossReq,
        moss_resp: MossResp | None = None,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        """Yield every entry of a request with its bytes, in order.

        Args:
            response: The answer; given up at the end.
            data_stream: Its archive: anything with `readinto` or `read`.
            moss_req: The request.
            moss_resp: The list that came with the archive. Default: `None`, the archive was streamed.
        """
        return self._extract(response, data_stream, moss_req, moss_resp)
