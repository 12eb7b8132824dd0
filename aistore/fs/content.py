"""Bytes of objects: read whole or by ranges, written, downloaded and uploaded. All calls block."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from aistore.sdk.const import HEADER_RANGE, MIB
from aistore.sdk.errors import ErrChecksumMismatch, ErrRangeNotSatisfiable
from aistore.sdk.obj.content_iterator import ContentIterProvider, StreamBounds
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.obj.object_client import ObjectClient
from aistore.sdk.obj.verification import copy_twice
from aistore.wire.names import object_path
from aistore.wire.ranges import format_byte_range

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from aistore.sdk.bucket import Bucket
    from aistore.sdk.obj.object import Object

_PIECE = MIB

Progress = Callable[[int], None]
"""Told how many more bytes have been transferred; may raise to stop."""


def read_whole(obj: Object, *, validate: bool | None) -> bytes:
    """Return the bytes of an object.

    Args:
        obj: The object.
        validate: Compare with the cluster's checksum, as `Object.get_reader` takes it.
    """
    content = obj.get_reader(validate_checksum=validate).read_all()
    assert isinstance(content, bytes), "it is read by one stream"
    return content


def read_range(bucket: Bucket, name: str, start: int, end: int | None) -> tuple[bytes, ObjectIdentity]:
    """Return bytes of an object, fewer than asked for only at its end, and which version they are of.

    Args:
        bucket: Its bucket.
        name: Its name.
        start: First byte; negative counts from the end, and then `end` must be `None`.
        end: The byte after the last, from 0 on. `None`: to the end.

    Raises:
        ErrObjNotFound: There is no such object.
        ErrRangeNotSatisfiable: The bytes are not there, but the object is longer.
    """
    if end is not None and end <= start:
        return b"", ObjectIdentity()
    bounds = (None, -start) if start < 0 else (start, None if end is None else end - 1)
    headers = {HEADER_RANGE: format_byte_range(bounds)}
    client = ObjectClient(
        bucket.client, object_path(bucket.name, name), bucket.qparam, headers, byte_range=bounds
    )
    known = StreamBounds()
    try:
        content = ContentIterProvider(client, _PIECE).read_all(known)
    except ErrRangeNotSatisfiable:
        # Believed only of an object that does end before `start`.
        if bucket.object(name).head().size > max(start, 0):
            raise
        return b"", ObjectIdentity()
    assert known.identity is not None
    return content, known.identity


def download(
    obj: Object,
    target: Callable[[], AbstractContextManager[BinaryIO]],
    progress: Progress | None = None,
    *,
    validate: bool | None = None,
) -> None:
    """Copy an object to a local file.

    Args:
        obj: The object.
        target: Opens the file, which has its name only when all bytes are there.
        progress: Told of each piece. Default: nobody is.
        validate: Compare with the cluster's checksum, as `Object.get_reader` takes it. Default: `None`.

    Raises:
        ErrChecksumMismatch: The bytes are not those of the checksum, also when read again; the file stays.
    """
    reader = obj.get_reader(chunk_size=_PIECE, validate_checksum=validate)

    def copy(file: BinaryIO) -> None:
        copied = 0
        try:
            with reader.as_file() as source:
                while piece := source.read(_PIECE):
                    file.write(piece)
                    copied += len(piece)
                    if progress is not None:
                        progress(len(piece))
        except ErrChecksumMismatch:
            if progress is not None:
                progress(-copied)
            raise

    copy_twice(target, copy)


def file_size(path: str) -> int | None:
    """Return how many bytes a local file has, `None` for a directory.

    Args:
        path: Its path.
    """
    info = Path(path).stat()
    return None if stat.S_ISDIR(info.st_mode) else info.st_size


def upload(path: str, obj: Object, progress: Progress | None = None) -> None:
    """Copy a local file to an object, which appears or changes when all bytes are there.

    Args:
        path: Path of the file.
        obj: The object.
        progress: Told of each piece. Default: nobody is.
    """
    with Path(path).open("rb") as file:
        obj.get_writer().put_stream(file if progress is None else _Watched(file, progress))  # type: ignore[arg-type]  # what it needs of a file


class _Watched:
    """A file to upload; tells how much is read, and takes it back when it is read again."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._told = 0
        self.tell = file.tell
        self.fileno = file.fileno

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._told += len(piece)
        self._progress(len(piece))
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and self._told:
            self._progress(-self._told)
            self._told = 0
        return self._file.seek(offset, whence)
