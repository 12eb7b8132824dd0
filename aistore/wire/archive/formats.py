"""The archive formats, and which of them a name, a MIME text or the first bytes mean."""

from __future__ import annotations

import enum
from typing import Protocol

from aistore.errors import InvalidArgument
from aistore.wire.archive.compression import (
    GZIP,
    LZ4,
    Compressor,
    Content,
    ContentSource,
    DecompressingSource,
    Source,
    new_compressor,
    require_lz4,
)
from aistore.wire.archive.tar import TarReader

HEAD_SIZE = 262
"""Bytes of an archive's beginning that `by_content` needs."""
DEFAULT_BUFFER_SIZE = 64 * 1024
_BUFFER = 256 * 1024


class ArchiveReader(Protocol):
    """Hands out the regular files of an archive, in order."""

    def next_member(self) -> tuple[bytes, int] | None:
        """Go to the next member, past what is left of the one before.

        Returns:
            Its name and its size in bytes; `None` at the end of the archive.

        Raises:
            ErrArchiveTruncated: The archive ends in the middle of a member.
            ErrArchiveFormat: It is damaged, or no archive.
        """

    def read_member(self) -> bytes:
        """Return the bytes of the member that `next_member` went to; once."""

    def has_more_at_hand(self) -> bool:
        """Return whether another member follows, as far as that can be told without waiting."""


class Format(enum.Enum):
    """An archive format; the value is its usual extension."""

    TAR = ".tar"
    TGZ = ".tgz"
    ZIP = ".zip"
    LZ4 = ".tar.lz4"

    @property
    def content_type(self) -> str:
        """MIME type of a stream of this format."""
        return _CONTENT_TYPES[self]

    @property
    def compression(self) -> str | None:
        """Compression of a tar; `None` for none."""
        return _COMPRESSIONS.get(self)


_CONTENT_TYPES = {
    Format.TAR: "application/x-tar",
    Format.TGZ: "application/gzip",
    Format.ZIP: "application/zip",
    Format.LZ4: "application/x-lz4",
}
_COMPRESSIONS = {Format.TGZ: GZIP, Format.LZ4: LZ4}

# The order matters: of several texts that are contained in another the first one here wins, as on a cluster.
_TEXTS = (
    ("tar.gz", Format.TGZ),
    ("tar.lz4", Format.LZ4),
    ("tar", Format.TAR),
    ("tgz", Format.TGZ),
    ("zip", Format.ZIP),
)
EXTENSIONS = {
    ".tar": Format.TAR,
    ".tgz": Format.TGZ,
    ".tar.gz": Format.TGZ,
    ".tar.lz4": Format.LZ4,
    ".zip": Format.ZIP,
}
"""The extensions of names, and their formats."""

TAR_FORMATS = tuple(name for name, kind in EXTENSIONS.items() if kind is not Format.ZIP)
ZIP_FORMATS = (Format.ZIP.value,)


def by_mime(text: str) -> Format | None:
    """Return the format that a MIME text such as `.tar` or `application/x-tar` contains, if any.

    Args:
        text: The text.
    """
    return next((kind for part, kind in _TEXTS if part in text), None)


def by_name(name: str) -> Format | None:
    """Return the format that an object's name ends with, if any.

    Args:
        name: The name.
    """
    return EXTENSIONS.get(suffix_of(name))


def suffix_of(name: str) -> str:
    """Return the extension that makes a name that of an archive, or an empty text.

    Args:
        name: The name.
    """
    return next((suffix for suffix in EXTENSIONS if name.endswith(suffix)), "")


def by_content(head: bytes) -> Format | None:
    """Return the format that an object's first `HEAD_SIZE` bytes show, if any.

    Args:
        head: The bytes.
    """
    if head[257:262] == b"ustar":
        return Format.TAR
    if head.startswith(b"\x1f\x8b"):
        return Format.TGZ
    if head.startswith(b"PK"):
        return Format.ZIP
    if head.startswith(b"\x04\x22\x4d\x18"):
        return Format.LZ4
    return None


def check_format(kind: Format | str) -> None:
    """Check that archives of a format can be read and written here.

    Args:
        kind: The format, or one of `EXTENSIONS`.

    Raises:
        InvalidArgument: A package that it needs is not installed, or it is no extension of an archive.
    """
    found = EXTENSIONS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise InvalidArgument(f"archive format must be one of {', '.join(EXTENSIONS)}, not {kind!r}")
    if found is Format.LZ4:
        require_lz4()


def tar_source(source: Source, kind: Format) -> Source:
    """Return a source of the tar that a source has compressed.

    Args:
        source: The archive.
        kind: Its format, any but zip.

    Raises:
        InvalidArgument: A package that it needs is not installed.
    """
    return source if kind.compression is None else DecompressingSource(source, kind.compression)


def tar_compressor(kind: Format) -> Compressor | None:
    """Return a new compressor of a tar; `None` for a plain one.

    Args:
        kind: The format, any but zip.

    Raises:
        InvalidArgument: A package that it needs is not installed.
    """
    return None if kind.compression is None else new_compressor(kind.compression)


def open_tar(content: Content, kind: Format, *, links: bool = False) -> TarReader:
    """Return a reader of a tar that can be read at any offset; a plain one is not read where it is skipped.

    Args:
        content: The archive.
        kind: Its format, any but zip.
        links: Hand out links too. Default: `False`.

    Raises:
        InvalidArgument: A package that it needs is not installed.
    """
    return TarReader(tar_source(ContentSource(content), kind), _BUFFER, links=links)
