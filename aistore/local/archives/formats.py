"""Which archive format is meant: by name, by MIME text, by content (protocol/11)."""

from __future__ import annotations

import enum

from aistore.local.errors import InvalidRequest

HEAD_SIZE = 262
"""Bytes of an object's beginning that `by_content` needs."""


class Format(enum.Enum):
    """An archive format; the value is its canonical extension."""

    TAR = ".tar"
    TGZ = ".tgz"
    ZIP = ".zip"
    LZ4 = ".tar.lz4"

    @property
    def content_type(self) -> str:
        """MIME type of a stream of this format."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {
    Format.TAR: "application/x-tar",
    Format.TGZ: "application/gzip",
    Format.ZIP: "application/zip",
    Format.LZ4: "application/x-lz4",
}

# The order matters: of several texts that are contained in another the first one here wins, as on a cluster.
_TEXTS = (
    ("tar.gz", Format.TGZ),
    ("tar.lz4", Format.LZ4),
    ("tar", Format.TAR),
    ("tgz", Format.TGZ),
    ("zip", Format.ZIP),
)
_SUFFIXES = {
    ".tar": Format.TAR,
    ".tgz": Format.TGZ,
    ".tar.gz": Format.TGZ,
    ".zip": Format.ZIP,
    ".tar.lz4": Format.LZ4,
}


def by_mime(text: str) -> Format:
    """The format that a MIME text such as `.tar` or `application/x-tar` contains.

    Raises:
        InvalidRequest: It contains none (`errUnknownMime`).
    """
    for part, known in _TEXTS:
        if part in text:
            return known
    raise InvalidRequest(f'unknown mime type "{text}"', tcode="errUnknownMime")


def by_name(name: str) -> Format | None:
    """The format that an object's name ends with, or None."""
    return _SUFFIXES.get(suffix_of(name))


def suffix_of(name: str) -> str:
    """The extension that makes an object's name that of an archive, or an empty text."""
    return next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")


def by_content(head: bytes) -> Format | None:
    """The format that an object's first `HEAD_SIZE` bytes show, or None."""
    if head[257:262] == b"ustar":
        return Format.TAR
    if head.startswith(b"\x1f\x8b"):
        return Format.TGZ
    if head.startswith(b"PK"):
        return Format.ZIP
    if head.startswith(b"\x04\x22\x4d\x18"):
        return Format.LZ4
    return None
