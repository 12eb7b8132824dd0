"""The archive of a Get-Batch answer as it arrives, compared with what was asked for on its way."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aistore.sdk.batch.archives import open_archive
from aistore.sdk.batch.errors import ErrBatchFormat
from aistore.sdk.batch.pairing import full_name, pair_members
from aistore.sdk.batch.results import split_answer
from aistore.sdk.batch.types import MossReq
from aistore.sdk.transport.pieces import PieceStream
from aistore.sdk.transport.response import Response
from aistore.wire.archive.formats import DEFAULT_BUFFER_SIZE
from aistore.wire.archive.tar import TarReader

if TYPE_CHECKING:
    import requests

# What the end of a zip has besides names: an entry's record, and the record of the end with its comment.
_ZIP_RECORD = 256
_ZIP_END = 128 * 1024


def checked_body(response: requests.Response, request: MossReq) -> Any:
    """Return the body of an answer as a stream with urllib3's interface, which the caller closes.

    Names and number of the members are compared with the request on their way.

    Args:
        response: The answer, not read yet. Of a mock in the place of a response nothing is compared.
        request: What was asked for.

    Raises:
        ErrBatchIncomplete: (reading) Entries are missing at the end of the archive; it names them.
        ErrBatchMismatch: (reading) A member is not the entry at its place.
        ErrBatchEntryNotFound: (reading) An entry is missing, and the request did not say to continue.
        ErrBatchFormat: (reading) The archive is damaged.
    """
    if type(response) is not Response:
        return response.raw
    tee = _Tee(response)
    check = _zip_pieces if request.output_format == ".zip" else _tar_pieces
    return PieceStream(response.raw, check(tee, request))


class _Tee:
    """A body for those who check it; what they have read is kept for the caller.

    Args:
        response: The answer.
    """

    def __init__(self, response: Response) -> None:
        self.headers = response.headers
        self._raw = response.raw
        self._kept: list[bytes] = []

    def readinto(self, buffer: Any, /) -> int:
        count: int = self._raw.readinto(buffer)
        with memoryview(buffer) as given, given.cast("B") as view:
            self._kept.append(bytes(view[:count]))
        return count

    def iter_content(self, chunk_size: int) -> Iterator[bytes]:
        while data := self._raw.read1(chunk_size):
            self._kept.append(data)
            yield data

    def take(self) -> list[bytes]:
        kept, self._kept = self._kept, []
        return kept


def _tar_pieces(tee: _Tee, request: MossReq) -> Iterator[bytes]:
    listed, archive = (None, tee) if request.streaming_get else split_answer(tee)
    reader = open_archive(archive, str(request.output_format), DEFAULT_BUFFER_SIZE)
    assert isinstance(reader, TarReader)
    try:
        for entry, pieces in pair_members(reader, request, listed, reader.pieces):
            if entry.err_msg is None:
                for _ in pieces:
                    yield from tee.take()
            yield from tee.take()
    finally:
        reader.close()
    for _ in tee.iter_content(DEFAULT_BUFFER_SIZE):
        yield from tee.take()


def _zip_pieces(tee: _Tee, request: MossReq) -> Iterator[bytes]:
    # A zip has its list of members at the end, where each is named twice.
    names = sum(len(full_name(entry).encode("utf-8", "surrogateescape")) for entry in request.moss_in)
    most = _ZIP_END + 2 * names + _ZIP_RECORD * len(request.moss_in)
    end = bytearray()
    for data in tee.iter_content(DEFAULT_BUFFER_SIZE):
        end += data
        del end[:-most]
        yield from tee.take()
    for _ in pair_members(_ZipList(bytes(end)), request, None):
        pass


class _ZipList:
    """The members of a zip by name and size, from its end alone.

    Args:
        end: The last bytes of the archive.

    Raises:
        ErrBatchFormat: They are not the end of a zip.
    """

    def __init__(self, end: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(end)) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as err:
            raise ErrBatchFormat(f"Get-Batch answer is not a zip archive: {err}") from err
        self._members = [(_name_of(info), info.file_size) for info in reversed(infos)]

    def next_member(self) -> tuple[bytes, int] | None:
        return self._members.pop() if self._members else None

    def read_member(self) -> bytes:
        return b""

    def has_more_at_hand(self) -> bool:
        return bool(self._members)

    def close(self) -> None:
        self._members = []


def _name_of(info: zipfile.ZipInfo) -> bytes:
    # Bit 11 says UTF-8; anything else was decoded as code page 437.
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
