"""Listing with the members of archives, as if each archive were also a directory (protocol/05)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from aistore.local.archives import open_archive
from aistore.local.catalog.objects import encode_name
from aistore.local.errors import LocalError, NotFound
from aistore.local.listing import Entry, EntryFlag, Formatter, Query
from aistore.wire.archive.formats import by_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.state import State

_MEMBER = (EntryFlag.CACHED | EntryFlag.IN_ARCHIVE).value
_ARCHIVE = (EntryFlag.CACHED | EntryFlag.ARCHIVE).value


def with_members(
    state: State, bucket: Bucket, query: Query, after: str, unreadable: list[str]
) -> Iterator[tuple[str, Entry]]:
    """Objects in order; an archive is followed by its members, in order of their names.

    `after` may be a member's name: the archive that it is in is continued first. The names of archives that
    cannot be read, or not to their end, are added to `unreadable` after the members before the damage.
    """
    make = Formatter(state, bucket, query).entry
    enclosing = _enclosing_archive(state, bucket, after or query.prefix)
    if enclosing is not None and (after or enclosing.name != query.prefix):
        yield from _members(state, bucket, enclosing, query.prefix, after, unreadable)
    start = enclosing.name if enclosing is not None and after else after
    for meta in state.store.walk(bucket, query.prefix, after=start):
        is_archive = by_name(meta.name) is not None
        yield meta.name, make(meta, _ARCHIVE if is_archive else EntryFlag.CACHED.value)
        if is_archive:
            yield from _members(state, bucket, meta, query.prefix, "", unreadable)


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
    state: State, bucket: Bucket, meta: ObjectMeta, prefix: str, after: str, unreadable: list[str]
) -> Iterator[tuple[str, Entry]]:
    try:
        with state.store.open(bucket, meta.name) as reader:
            index = open_archive(reader).index()
    except NotFound:
        return
    except LocalError:
        unreadable.append(meta.name)
        return
    base = f"{meta.name}/"
    if not (prefix.startswith(base) or base.startswith(prefix)):
        return
    # Members are in byte order: a page in the midst of many does not go through those before.
    inner = prefix[len(base) :]
    start = bisect_left(index.listed, encode_name(inner), key=_key)
    if after.startswith(base):
        start = max(start, bisect_right(index.listed, encode_name(after[len(base) :]), key=_key))
    for member, size in islice(index.listed, start, None):
        if not member.startswith(inner):
            break
        name = base + member
        yield name, Entry(name, size=size, flags=_MEMBER)
    if index.fault:
        unreadable.append(meta.name)


def _key(listed: tuple[str, int]) -> bytes:
    return encode_name(listed[0])
