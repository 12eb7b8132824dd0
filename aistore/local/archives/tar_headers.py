"""Headers of tars that describe others, bounded: `tarfile` reads each of them whole."""

from __future__ import annotations

import tarfile

MAX_HEADER = 1 << 20
"""Bytes of one extended header, and of all global ones of an archive together."""

_EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
_SPARSE_GOES_ON = 482


class BoundedInfo(tarfile.TarInfo):
    """A header whose extensions are not over-long; make a class of it for each archive, by `for_archive`."""

    _global_bytes = 0

    @classmethod
    def for_archive(cls) -> type[BoundedInfo]:
        """A class that counts one archive's global headers."""
        return type("ArchiveInfo", (cls,), {})

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> BoundedInfo:
        """Take a header block.

        Raises:
            tarfile.ReadError: It announces an extension that is too long.
        """
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENDED:
            size = info.size
            if info.type == tarfile.XGLTYPE:
                size = cls._global_bytes = cls._global_bytes + info.size
            if size > MAX_HEADER:
                raise tarfile.ReadError(f"extended headers of {size} bytes: at most {MAX_HEADER} are read")
        if info.type == tarfile.GNUTYPE_SPARSE and buf[_SPARSE_GOES_ON]:
            raise tarfile.ReadError("a sparse file with more holes than its header has room for")
        return info
