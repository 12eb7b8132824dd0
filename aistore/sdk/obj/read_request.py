"""What is sent to read an object, from what `Object.get_reader` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from aistore.sdk.const import (
    HEADER_OBJECT_BLOB_CHUNK_SIZE,
    HEADER_OBJECT_BLOB_DOWNLOAD,
    HEADER_OBJECT_BLOB_WORKERS,
    HEADER_RANGE,
    QPARAM_ARCHMODE,
    QPARAM_ARCHPATH,
    QPARAM_ARCHREGX,
    QPARAM_LATEST,
)
from aistore.sdk.errors import InvalidArgument
from aistore.wire.ranges import Bounds, parse_byte_range

if TYPE_CHECKING:
    from aistore.sdk.archive_config import ArchiveConfig
    from aistore.sdk.blob_download_config import BlobDownloadConfig
    from aistore.sdk.etl import ETLConfig


class ReadRequest(NamedTuple):
    """The request to read an object.

    Attributes:
        params: Query parameters.
        headers: Header fields.
        bounds: First and last byte, as far as they are given.
    """

    params: dict[str, str]
    headers: dict[str, str]
    bounds: Bounds

    @classmethod
    def of(
        cls,
        bucket_params: Mapping[str, str],
        archive_config: ArchiveConfig | None,
        blob_download_config: BlobDownloadConfig | None,
        etl: ETLConfig | None,
        byte_range: str | None,
        *,
        latest: bool,
    ) -> ReadRequest:
        """Make the request; arguments are those of `Object.get_reader`, besides the bucket's own parameters.

        Raises:
            InvalidArgument: A range that cannot be, or with a blob download.
        """
        if byte_range and blob_download_config:
            raise InvalidArgument("Cannot use `byte_range` with `blob_download_config`")
        params, headers = dict(bucket_params), dict[str, str]()
        bounds: Bounds = (None, None)
        if archive_config:
            if archive_config.mode:
                params[QPARAM_ARCHMODE] = archive_config.mode.value
            params[QPARAM_ARCHPATH] = archive_config.archpath
            params[QPARAM_ARCHREGX] = archive_config.regex
        if blob_download_config:
            headers.update(_blob_headers(blob_download_config))
        if etl:
            etl.update_qparams(params)
        if latest:
            params[QPARAM_LATEST] = "true"
        if byte_range:
            bounds = parse_byte_range(byte_range)
            headers[HEADER_RANGE] = byte_range
        return cls(params, headers, bounds)


def refuse_with_workers(
    byte_range: str | None,
    blob_download_config: BlobDownloadConfig | None,
    etl: ETLConfig | None,
    archive_config: ArchiveConfig | None,
) -> None:
    """Refuse what cannot be read in ranges at a time.

    Raises:
        InvalidArgument: One of these is given; the text names it.
    """
    others = {
        "byte_range": byte_range,
        "blob_download_config": blob_download_config,
        "etl": etl,
        "archive_config": archive_config,
    }
    for option, value in others.items():
        if value:
            raise InvalidArgument(f"Cannot use `num_workers` with `{option}`")


def _blob_headers(config: BlobDownloadConfig) -> dict[str, str]:
    headers = {HEADER_OBJECT_BLOB_DOWNLOAD: "true"}
    if config.chunk_size is not None:
        headers[HEADER_OBJECT_BLOB_CHUNK_SIZE] = config.chunk_size
    if config.num_workers is not None:
        headers[HEADER_OBJECT_BLOB_WORKERS] = config.num_workers
    return headers
