"""Listing with the members of archives, as if each archive were also a directory (protocol/05)."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from aistore.local.archives import by_name, open_archive
from aistore.local.errors import LocalError
from aistore.local.listing import Entry, EntryFlag, Formatter, Query, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.state import State

_MEMBER = (EntryFlag.CACHED | EntryFlag.IN_ARCHIVE).value
_ARCHIVE = (EntryFlag.CACHED | EntryFlag.ARCHIVE).value
_KEPT = 16

Members = list[tuple[str, int]]


class _Remembered:
    """Members of the archives listed last, by content file: as that never changes, nor does what is in it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_file: OrderedDict[str, Members] = OrderedDict()

    def get(self, state: State, bucket: Bucket, meta: ObjectMeta) -> Members:
        with self._lock:
            if meta.file in self._by_file:
                return self._by_file[meta.file]
        made: Members = []
        try:
            with state.store.open(bucket, meta.name) as reader:
                made = sorted({member.name: member.size for member in open_archive(reader).members()}.items())
        except LocalError:
            # Listed as an archive by its name; what is in it can't be told.
            return made
        with self._lock:
            self._by_file[meta.file] = made
            if len(self._by_file) > _KEPT:
                self._by_file.popitem(last=False)
        return made


_remembered = _Remembered()


def with_members(state: State, bucket: Bucket, query: Query, after: str) -> Iterator[tuple[str, Entry]]:
    """Objects in order; an archive is followed by its members, in order of their names.

    `after` may be a member's name: the archive that it is in is continued first.
    """
    make = Formatter(state, bucket, query).entry
    enclosing = _enclosing_archive(state, bucket, after or query.prefix)
    if enclosing is not None and (after or enclosing.name != query.prefix):
        yield from _members(state, bucket, enclosing, query.prefix, after)
    start = enclosing.name if enclosing is not None and after else after
    for meta in state.store.walk(bucket, query.prefix, after=start):
        is_archive = by_name(meta.name) is not None
        yield meta.name, make(meta, _ARCHIVE if is_archive else EntryFlag.CACHED.value)
        if is_archive:
            yield from _members(state, bucket, meta, query.prefix, "")


def _enclosing_archive(state: State, bucket: Bucket, name: str) -> ObjectMeta | None:
    """The archive that a name is a member of, or is itself."""
    end = name.find("/")
    while end >= 0:
        if by_name(name[:end]) is not None:
            meta = state.store.find(bucket, name[:end])
            if meta is not None:
                return meta
        end = name.find("/", end + 1)
    return state.store.find(bucket, name) if by_name(name) is not None else None


def _members(
    state: State, bucket: Bucket, meta: ObjectMeta, prefix: str, after: str
) -> Iterator[tuple[str, Entry]]:
    for member, size in _remembered.get(state, bucket, meta):
        name = f"{meta.name}/{member}"
        if name.startswith(prefix) and name > after:
            yield name, Entry(text(name), size=size, flags=_MEMBER)
