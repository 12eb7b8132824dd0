"""The archive formats of Get-Batch, by the name that a request gives them."""

from __future__ import annotations

from typing import Any

from aistore.sdk.batch.archive.compression import DecompressingSource, require_lz4
from aistore.sdk.batch.archive.source import ArchiveReader, as_source
from aistore.sdk.batch.archive.tar import TarReader
from aistore.sdk.batch.archive.zip import ZipReader
from aistore.sdk.const import EXT_TAR, EXT_TARGZ, EXT_TARLZ4, EXT_TGZ, EXT_ZIP

TAR_FORMATS = (EXT_TAR, EXT_TGZ, EXT_TARGZ, EXT_TARLZ4)
ZIP_FORMATS = (EXT_ZIP,)
DEFAULT_BUFFER_SIZE = 64 * 1024


def check_format(name: str) -> None:
    """Check that archives of a format can be read here.

    Args:
        name: One of `TAR_FORMATS` or `ZIP_FORMATS`.

    Raises:
        InvalidArgument: A package that it needs is not installed.
    """
    if name == EXT_TARLZ4:
        require_lz4()


def open_archive(stream: Any, name: str | None, buffer_size: int = DEFAULT_BUFFER_SIZE) -> ArchiveReader:
    """Return a reader of an archive.

    Args:
        stream: Its bytes: anything with `readinto` or `read`.
        name: Its format. `None`: tar.
        buffer_size: How much of a tar to receive at a time, in bytes. Default: 64 KiB.
    """
    source = as_source(stream)
    name = (name or EXT_TAR).lower()
    if name in ZIP_FORMATS:
        return ZipReader(source)
    if name in (EXT_TGZ, EXT_TARGZ):
        source = DecompressingSource(source, "gzip")
    elif name == EXT_TARLZ4:
        source = DecompressingSource(source, "lz4")
    return TarReader(source, buffer_size)
