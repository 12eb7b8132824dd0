"""Entries of a batch: opened a few ahead of their turn, so that the disk works while the network does."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.archives import open_archive
from aistore.local.errors import ChecksumMismatch, LocalError, NotFound, RangeNotSatisfiable
from aistore.wire.checksums import any_hasher

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from aistore.local.batch.request import BatchRequest, Entry
    from aistore.local.store import ObjectReader, Store

AHEAD = 16
"""Entries that are opened, and asked of the disk, before their turn."""

_CHUNK = 256 << 10
_WILL_NEED = 4 << 20
_SECOND = 1_000_000_000


class Content(NamedTuple):
    """An entry's bytes: exactly `size` of them."""

    size: int
    mtime: int
    pieces: Iterator[bytes]


class Opened:
    """An entry whose object is open, or known to be missing."""

    def __init__(self, store: Store, entry: Entry) -> None:
        self.entry = entry
        self.error: LocalError | None = None
        self._reader: ObjectReader | None = None
        try:
            self._reader = store.open(entry.bucket, entry.name)
        except NotFound as err:
            self.error = err
        else:
            store.accessed(entry.bucket, self._reader.meta)
            _advise(self._reader, entry)

    def content(self) -> Content:
        """The bytes that are wanted.

        Raises:
            LocalError: There is no such object or member, it is no archive, or the range is beyond its end.
        """
        if self._reader is None:
            assert self.error is not None
            raise self.error
        entry, reader = self.entry, self._reader
        mtime = reader.meta.mtime // _SECOND
        if not entry.archpath:
            start, size = _bounds(entry, reader.meta.size)
            pieces = _verified(reader, entry) if entry.is_whole else reader.chunks(start, size, _CHUNK)
            return Content(size, mtime, pieces)
        try:
            member, pieces = open_archive(reader).find(entry.archpath)
        except NotFound as err:
            path = f"{entry.archpath} in {entry.bucket.bck}/{entry.name}"
            raise NotFound(f"{path} does not exist", with_node=True) from err
        start, size = _bounds(entry, member.size)
        if not entry.is_whole:
            pieces = _slice(pieces, start, size)
        return Content(size, mtime, pieces)

    def close(self) -> None:
        """Release the object."""
        if self._reader is not None:
            self._reader.close()


def _verified(reader: ObjectReader, entry: Entry) -> Iterator[bytes]:
    """Return the bytes of a whole object, compared with its checksum before the first is sent.

    Raises:
        ChecksumMismatch: They are not those that were written.
    """
    meta = reader.meta
    hasher = any_hasher(meta.cksum_type)
    kept: list[bytes] | None = [] if meta.size <= _WILL_NEED else None
    for piece in reader.chunks(0, meta.size, _CHUNK):
        hasher.update(piece)
        if kept is not None:
            kept.append(piece)
    actual = hasher.hexdigest()
    if meta.cksum and actual != meta.cksum:
        where = f"{entry.bucket.bck}/{entry.name}"
        raise ChecksumMismatch(meta.cksum_type, meta.cksum, actual, where)
    return iter(kept) if kept is not None else reader.chunks(0, meta.size, _CHUNK)


def _advise(reader: ObjectReader, entry: Entry) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            start = 0 if entry.archpath else entry.start
            os.posix_fadvise(reader.fileno(), start, _WILL_NEED, os.POSIX_FADV_WILLNEED)


def _bounds(entry: Entry, available: int) -> tuple[int, int]:
    if entry.is_whole:
        return 0, available
    size = available - entry.start if entry.length < 0 else entry.length
    if entry.start >= available or entry.start + size > available:
        wanted = f"start={entry.start}, length={entry.length}"
        name = entry.member_name(only_object=False)
        raise RangeNotSatisfiable(
            f"range [{wanted}] of {name} is out of bounds: it has {available} bytes",
            tcode="ErrRangeNotSatisfiable",
        )
    return entry.start, size


def _slice(pieces: Iterator[bytes], start: int, size: int) -> Iterator[bytes]:
    for piece in pieces:
        if start >= len(piece):
            start -= len(piece)
            continue
        part = piece[start : start + size]
        start = 0
        size -= len(part)
        yield part
        if not size:
            return


def opened(store: Store, request: BatchRequest) -> Generator[Opened, None, None]:
    """Every entry in order, those to come already open; each is closed when the next is asked for."""
    waiting: deque[Opened] = deque()
    entries = iter(request.entries)
    try:
        while True:
            while len(waiting) < AHEAD and (entry := next(entries, None)) is not None:
                waiting.append(Opened(store, entry))
            if not waiting:
                return
            yield waiting[0]
            waiting.popleft().close()
    finally:
        for left in waiting:
            left.close()
