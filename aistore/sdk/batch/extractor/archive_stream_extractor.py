"""What takes the entries from an answer's archive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from aistore.sdk.batch.archives import open_archive
from aistore.sdk.batch.drain import settle
from aistore.sdk.batch.pairing import pair_members
from aistore.sdk.batch.types import MossOut, MossReq, MossResp
from aistore.wire.archive.formats import DEFAULT_BUFFER_SIZE
from aistore.wire.archive.tar import TarReader

if TYPE_CHECKING:
    from requests import Response


class ArchiveStreamExtractor(ABC):
    """Takes the entries from archives of some formats."""

    def get_supported_formats(self) -> tuple[str, ...]:
        """Return the formats, as file name extensions; none unless a subclass says so."""
        return ()

    @abstractmethod
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

        Raises:
            ErrBatchIncomplete: The archive ends before the last entry.
            ErrBatchFormat: It is damaged, or its members are not those asked for (also a `RuntimeError`).
        """

    def _extract(
        self,
        response: Response,
        data_stream: Any,
        moss_req: MossReq,
        moss_resp: MossResp | None,
        buffer_size: int = DEFAULT_BUFFER_SIZE,
        views: bool = False,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        delivered = 0
        reader = open_archive(data_stream, moss_req.output_format, buffer_size)
        try:
            read = reader.read_view if views and isinstance(reader, TarReader) else None
            for entry in pair_members(reader, moss_req, moss_resp, read):
                delivered += 1
                yield entry
        finally:
            reader.close()
            # Also when the caller took the last entry and did not ask whether there is another.
            settle(response, is_complete=delivered == len(moss_req.moss_in))
