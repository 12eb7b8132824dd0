"""Which extractor takes which format."""

from __future__ import annotations

from aistore.sdk.batch.extractor.archive_stream_extractor import ArchiveStreamExtractor
from aistore.sdk.batch.extractor.tar_stream_extractor import TarStreamExtractor
from aistore.sdk.batch.extractor.zip_stream_extractor import ZipStreamExtractor
from aistore.sdk.errors import InvalidArgument
from aistore.wire.archive.formats import check_format

_EXTRACTORS: dict[str, ArchiveStreamExtractor] = {
    name: extractor
    for extractor in (TarStreamExtractor(), ZipStreamExtractor())
    for name in extractor.get_supported_formats()
}


def get_extractor(output_format: str) -> ArchiveStreamExtractor:
    """Return what takes the entries from archives of a format.

    Args:
        output_format: `.tar`, `.tgz`, `.tar.gz`, `.zip` or `.tar.lz4`, in any case.

    Raises:
        InvalidArgument: Another format, or one whose package is not installed (also a `ValueError`).
    """
    name = output_format.lower() if isinstance(output_format, str) else output_format
    extractor = _EXTRACTORS.get(name)
    if extractor is None:
        raise InvalidArgument(f"output_format must be one of {', '.join(_EXTRACTORS)}, not {output_format!r}")
    check_format(name)
    return extractor
