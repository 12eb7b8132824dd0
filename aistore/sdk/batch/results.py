"""The answer to a batch as it arrives, asked for again when it breaks off."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.sdk.batch.entries import BatchEntries
from aistore.sdk.batch.errors import ErrBatchFormat, ErrBatchIncomplete, MultipartDecodeError
from aistore.sdk.batch.extractor.archive_stream_extractor import ArchiveStreamExtractor
from aistore.sdk.batch.extractor.tar_stream_extractor import TarStreamExtractor
from aistore.sdk.batch.multipart.multipart_decoder import MultipartDecoder
from aistore.sdk.batch.pairing import full_name
from aistore.sdk.batch.types import MossOut, MossReq, MossResp
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.stream_errors import STREAM_ERRORS

if TYPE_CHECKING:
    from requests import Response

# Each must have brought entries. A cluster ends an answer early after eight missing ones.
_MAX_RESUMES = 20


class BatchResults(BatchEntries):
    """Iterates over the entries of an answer. Closing or dropping it gives the connection up.

    Args:
        request: What was asked for.
        response: The answer, not read yet; `None` when nothing was asked for.
        send: Asks for the rest, when the answer breaks off.
        extractor: Takes the entries from the archive.
        tar_buffer_size: How much of a tar to receive at a time, in bytes. Default: 64 KiB.
        views: Yield views of a tar's members, instead of copies. Default: `False`.
    """

    def __init__(
        self,
        request: MossReq,
        response: Response | None,
        send: Callable[[MossReq], Response],
        extractor: ArchiveStreamExtractor,
        tar_buffer_size: int | None = None,
        views: bool = False,
    ) -> None:
        options: dict[str, Any] = {"views": True} if views else {}
        if tar_buffer_size is not None:
            options["buffer_size"] = tar_buffer_size
        exchange = _Exchange(request, response, send, extractor, options)
        super().__init__(exchange, exchange.entries())


class _Exchange:
    """A request, and its answers."""

    def __init__(
        self,
        request: MossReq,
        response: Response | None,
        send: Callable[[MossReq], Response],
        extractor: ArchiveStreamExtractor,
        options: dict[str, Any],
    ) -> None:
        self._request = request
        self._response = response
        self._send = send
        self._extractor = extractor
        self._options = options

    def close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def entries(self) -> Generator[tuple[MossOut, bytes], None, None]:
        request = self._request
        total = len(request.moss_in)
        resumes = 0
        while request.moss_in:
            delivered = 0
            try:
                for entry in self._extract(request):
                    delivered += 1
                    yield entry
            except ErrBatchIncomplete as err:
                if not delivered or resumes == _MAX_RESUMES:
                    raise ErrBatchIncomplete(err.missing, total) from (err.__cause__ or err)
            else:
                return
            resumes += 1
            request = request.subset(request.moss_in[delivered:])
            try:
                self._response = self._send(request)
            except STREAM_ERRORS as err:
                raise ErrBatchIncomplete(_names(request), total) from err

    def _extract(self, request: MossReq) -> Generator[tuple[MossOut, bytes], None, None]:
        response = self._response
        assert response is not None
        answer: MossResp | None = None
        stream: Any = response.raw
        try:
            if not request.streaming_get:
                answer, stream = split_answer(response)
            entries = self._start(response, stream, request, answer)
        except STREAM_ERRORS as err:
            response.close()
            raise ErrBatchIncomplete(_names(request), len(request.moss_in)) from err
        except BaseException:
            response.close()
            raise
        try:
            yield from entries
        finally:
            entries.close()
            self._response = None

    def _start(
        self, response: Response, stream: Any, request: MossReq, answer: MossResp | None
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        if isinstance(self._extractor, TarStreamExtractor):
            return self._extractor.extract(response, stream, request, answer, **self._options)
        return self._extractor.extract(response, stream, request, answer)


def _names(request: MossReq) -> list[str]:
    return [full_name(entry) for entry in request.moss_in]


def split_answer(response: Any) -> tuple[MossResp, Any]:
    """Return list and archive of an answer that is not streamed; the archive is read as it arrives.

    Args:
        response: The answer, not read yet: its headers, and `iter_content`.

    Raises:
        ErrBatchFormat: It is something else.
    """
    parts = MultipartDecoder(parse_as_stream=True).decode(response)
    try:
        _, listed = next(parts)
        assert not isinstance(listed, bytes)
        answer = MossResp.model_validate_json(listed.read())
        _, archive = next(parts)
    except (StopIteration, MultipartDecodeError, InvalidArgument, msgspec.MsgspecError) as err:
        raise ErrBatchFormat(f"Get-Batch answer is not a list of entries and an archive: {err}") from err
    return answer, archive
