"""Pages of a bucket's objects: recursive, by virtual directory, or with archive members (protocol/05)."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from aistore.local import work
from aistore.local.catalog.objects import decode_name, encode_name, prefix_end
from aistore.local.gotime import format_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.state import State

MAX_PAGE_BYTES = 16 << 20
"""Bytes of names and metadata in a page: a page with long ones has fewer entries than asked for."""

_BATCH = 1000


class Flag(IntFlag):
    """Flags of a listing that mean something for buckets of this machine."""

    CACHED = 1
    ARCH_DIR = 8
    NAME_ONLY = 16
    NAME_SIZE = 32
    NOT_CACHED = 512
    NO_RECURSION = 2048
    DIFF = 4096
    NO_DIRS = 8192
    INVENTORY = 32768


class EntryFlag(IntFlag):
    """What an entry is."""

    CACHED = 64
    IN_ARCHIVE = 128
    DIRECTORY = 256
    ARCHIVE = 512
    CHUNKED = 8192


class Query(NamedTuple):
    """What is asked for.

    Attributes:
        prefix: Names begin with this.
        after: Names come after this one: the token of the page before, or `start_after`.
        limit: Entries of a page.
        flags: Bits.
        props: Which properties an entry has.
        time_format: Go layout of times.
    """

    prefix: str
    after: str
    limit: int
    flags: Flag
    props: frozenset[str]
    time_format: str = ""


class Entry(NamedTuple):
    """One line of a page; empty and zero are left out when it is encoded."""

    name: str
    checksum: str = ""
    atime: str = ""
    version: str = ""
    location: str = ""
    custom: str = ""
    size: int = 0
    copies: int = 0
    flags: int = 0


class Page(NamedTuple):
    """Entries of a listing.

    Attributes:
        entries: They.
        token: Continues after them; empty when there are no more.
        unreadable: Names of archives whose members could not be listed, or not all.
    """

    entries: list[Entry]
    token: str
    unreadable: list[str]


def list_page(state: State, bucket: Bucket, query: Query) -> Page:
    """One page. A full page has a token even if nothing remains, as on the cluster."""
    after = query.after
    unreadable: list[str] = []
    if query.flags & Flag.ARCH_DIR:
        from aistore.local.listing_archives import with_members

        source = with_members(state, bucket, query, after, unreadable)
    elif query.flags & Flag.NO_RECURSION:
        source = _directory(state, bucket, query, after)
    else:
        source = _recursive(state, bucket, query, after)
    entries: list[Entry] = []
    last = ""
    size = 0
    for name, entry in source:
        if not len(entries) % _BATCH:
            work.check()
        entries.append(entry)
        last = name
        size += len(name) + len(entry.custom)
        if len(entries) == query.limit or size > MAX_PAGE_BYTES:
            return Page(entries, last, unreadable)
    return Page(entries, "", unreadable)


class Formatter:
    """Makes entries of objects.

    Args:
        state (State): The cluster.
        bucket (Bucket): Whose objects.
        query (Query): Which properties.
    """

    def __init__(self, state: State, bucket: Bucket, query: Query) -> None:
        self._state = state
        self._bucket = bucket
        self._query = query
        self._minimal = query.props <= {"name", "size", "cached", "status"}
        self._size = "size" in query.props

    def entry(self, meta: ObjectMeta, flags: int = EntryFlag.CACHED.value) -> Entry:
        """The entry of an object."""
        if meta.chunks:
            flags |= EntryFlag.CHUNKED.value
        size = meta.size if self._size else 0
        if self._minimal:
            return Entry(meta.name, size=size, flags=flags)
        props = self._query.props
        return Entry(
            meta.name,
            checksum=meta.cksum if "checksum" in props else "",
            atime=format_go(meta.atime, self._query.time_format) if "atime" in props else "",
            version=str(meta.version) if meta.version and "version" in props else "",
            location=self._location(meta) if "location" in props else "",
            custom=_custom(meta) if "custom" in props else "",
            size=size,
            copies=1 if "copies" in props else 0,
            flags=flags,
        )

    def _location(self, meta: ObjectMeta) -> str:
        index = self._state.store.place(self._bucket.bck, meta.name)
        mountpath = self._state.store.files.mountpath(index)
        return f"{self._state.nodes.targets[index].label}:mp[{mountpath}, local]"


def _custom(meta: ObjectMeta) -> str:
    return f"[{' '.join(f'{key}:{value}' for key, value in meta.custom.items())}]" if meta.custom else ""


def _recursive(state: State, bucket: Bucket, query: Query, after: str) -> Iterator[tuple[str, Entry]]:
    make = Formatter(state, bucket, query).entry
    batch = min(query.limit, 10 * _BATCH)
    for meta in state.catalog.objects.walk(bucket.id, query.prefix, after=after, batch=batch):
        yield meta.name, make(meta)


def _directory(state: State, bucket: Bucket, query: Query, after: str) -> Iterator[tuple[str, Entry]]:
    """Objects directly below the prefix, and an entry for each directory below, unless they are unwanted."""
    objects = state.catalog.objects
    make = Formatter(state, bucket, query).entry
    prefix = encode_name(query.prefix)
    # A prefix that names a directory means its content, with or without the slash.
    if prefix and not prefix.endswith(b"/") and objects.page(bucket.id, prefix + b"/", prefix + b"0", 1):
        prefix += b"/"
    end = prefix_end(prefix)
    start = prefix
    if after:
        raw = encode_name(after)
        start = max(prefix, prefix_end(raw) if raw.endswith(b"/") else raw + b"\0")
    while start < end:
        found = objects.page(bucket.id, start, end, min(query.limit, _BATCH))
        for meta in found:
            raw = encode_name(meta.name)
            slash = raw.find(b"/", len(prefix))
            if slash < 0:
                yield meta.name, make(meta)
                continue
            folder = raw[: slash + 1]
            name = decode_name(folder)
            if not query.flags & Flag.NO_DIRS:
                yield name, Entry(name, flags=EntryFlag.DIRECTORY.value)
            start = prefix_end(folder)
            break
        else:
            if len(found) < min(query.limit, _BATCH):
                return
            start = encode_name(found[-1].name) + b"\0"
