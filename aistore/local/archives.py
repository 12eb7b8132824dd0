"""Objects that are archives: their members listed, found and read.

A content file never changes, so the members of archives that were scanned are remembered by their files.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from aistore.errors import ErrArchiveFormat, ErrArchiveTruncated, InvalidArgument
from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.wire.archive import formats
from aistore.wire.archive.formats import HEAD_SIZE, Format, by_content, by_name, open_tar
from aistore.wire.archive.members import (
    MAX_HOPS,
    Link,
    final_target,
    link_path,
    member_path,
    path_bytes,
    path_text,
)
from aistore.wire.archive.tar import TarReader, with_holes
from aistore.wire.archive.writer import ArchiveWriter
from aistore.wire.archive.zip import ZipArchive, ZipMember, member_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.local.store import ObjectReader
    from aistore.wire.archive.tar_headers import SparseMap

MAX_MEMBERS = 1_000_000
"""Members of an archive that are listed."""

MAX_REMEMBERED = 300_000
"""Members of all archives that are remembered; each takes some 400 bytes."""

_CHUNK = 256 << 10
_IN_MEMORY = 8 << 20
_DAMAGED = (ErrArchiveFormat, ErrArchiveTruncated)


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: The path that it is listed and read by.
        size: Its size in bytes.
        mtime: When it was modified, in seconds of Unix time.
        offset: Where its bytes are in a plain tar, if they are in one piece; else -1.
        sparse: Its parts from `start` on, if it has holes.
        start: Where its parts begin in a plain tar.
        zipped: Where it is in a zip.
    """

    name: str
    size: int
    mtime: int
    offset: int = -1
    sparse: SparseMap[int] | None = None
    start: int = -1
    zipped: ZipMember | None = None


class Index:
    """The members of an archive, the first of each path.

    Attributes:
        members: They, by path.
        fault: Why there may be more; empty for a sound archive.
    """

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.fault = ""

    @cached_property
    def listed(self) -> list[tuple[str, int]]:
        """Path and size of each member, in byte order of their paths."""
        return sorted(
            ((member.name, member.size) for member in self.members.values()),
            key=lambda listed: path_bytes(listed[0]),
        )

    def add(self, member: Member) -> None:
        """Add a member, unless there is one of its path.

        Raises:
            ErrArchiveFormat: There are too many.
        """
        if len(self.members) >= MAX_MEMBERS:
            raise ErrArchiveFormat(f"more than {MAX_MEMBERS} members")
        self.members.setdefault(member.name, member)

    def note(self, fault: str) -> None:
        """Remember what is wrong with the archive, if nothing was before."""
        self.fault = self.fault or fault


class _Indexes:
    """Indexes by content file; the least recently used are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, Format], Index] = OrderedDict()
        self._count = 0

    def get(self, file: str, kind: Format) -> Index | None:
        with self._lock:
            found = self._known.get((file, kind))
            if found is not None:
                self._known.move_to_end((file, kind))
            return found

    def put(self, file: str, kind: Format, index: Index) -> None:
        with self._lock:
            if (file, kind) in self._known:
                return
            self._known[file, kind] = index
            self._count += len(index.members)
            while self._count > MAX_REMEMBERED:
                _, forgotten = self._known.popitem(last=False)
                self._count -= len(forgotten.members)


_indexes = _Indexes()


class Archive:
    """An object that is an archive. The object's reader stays the caller's.

    Args:
        reader (ObjectReader): The object.
        kind (Format): Its format.
    """

    def __init__(self, reader: ObjectReader, kind: Format) -> None:
        self.reader = reader
        self.kind = kind

    def broken(self, fault: object) -> InvalidRequest:
        """The error for an archive that cannot be read, or not to its end."""
        return InvalidRequest(f'"{self.reader.meta.name}" is not a sound {self.kind.value} archive: {fault}')

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as err:
            raise self.broken(err) from err

    def _sound(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with self._naming():
            yield from pieces

    # ---- listing

    def index(self) -> Index:
        """The members; of a damaged archive those before the damage."""
        known = _indexes.get(self.reader.path, self.kind)
        if known is None:
            known = Index()
            try:
                self._index_zip(known) if self.kind is Format.ZIP else self._index_tar(known)
            except _DAMAGED as err:
                known.note(str(err))
            _indexes.put(self.reader.path, self.kind, known)
        return known

    def sound_index(self) -> Index:
        """The members.

        Raises:
            InvalidRequest: The archive is damaged.
        """
        index = self.index()
        if index.fault:
            raise self.broken(index.fault)
        return index

    def _index_tar(self, index: Index) -> None:
        reader = open_tar(self.reader, self.kind, links=True)
        links: dict[bytes, tuple[bytes, Link]] = {}
        last: Member | None = None
        try:
            while True:
                found = reader.next_member()
                # The bytes of the one before were there.
                if last is not None:
                    index.add(last)
                    last = None
                if found is None:
                    return
                path = member_path(found[0])
                if not path:
                    index.note(_name_fault(found[0]))
                elif reader.link is not None:
                    if path_text(path) not in index.members:
                        links.setdefault(path, (found[0], reader.link))
                elif path not in links:
                    last = self._tar_member(path_text(path), found[1], reader)
        finally:
            if last is not None and self.kind is Format.TAR and self._is_whole(last):
                index.add(last)
            _add_links(index, links)

    def _tar_member(self, path: str, size: int, reader: TarReader) -> Member:
        start = reader.offset if self.kind is Format.TAR else -1
        sparse = reader.sparse
        return Member(path, size, reader.mtime, -1 if sparse is not None else start, sparse, start)

    def _is_whole(self, member: Member) -> bool:
        stored = member.size if member.sparse is None else sum(member.sparse[1::2])
        return member.start + stored <= self.reader.size

    def _index_zip(self, index: Index) -> None:
        for found in ZipArchive(self.reader).members():
            member = self._zip_member(found)
            if member is None:
                index.note(_name_fault(found.name))
            elif found.fault:
                index.note(f"{member.name} {found.fault}")
            else:
                index.add(member)
        links: dict[bytes, tuple[bytes, Link]] = {}
        for path, member in list(index.members.items()):
            if member.zipped is not None and member.zipped.is_link:
                target = b"".join(member_pieces(self.reader, member.zipped))
                links[path_bytes(path)] = member.zipped.name, Link(target, is_hard=False)
                del index.members[path]
        _add_links(index, links)

    def _zip_member(self, found: ZipMember) -> Member | None:
        path = path_text(member_path(found.name))
        return Member(path, found.size, found.mtime, zipped=found) if path else None

    # ---- reading

    def _pieces(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member of a plain tar or a zip."""
        if member.zipped is not None:
            return member_pieces(self.reader, member.zipped)
        if member.sparse is None:
            return self.reader.chunks(member.offset, member.size, _CHUNK)

        def read(offset: int, size: int) -> Iterator[bytes]:
            return self.reader.chunks(member.start + offset, size, _CHUNK)

        return with_holes(member.sparse, member.size, read)

    def find(self, path: str) -> tuple[Member, Iterator[bytes]]:
        """A member by its path, with its bytes; of several members of one path the first.

        A leading slash or `./`, and the archive's own name in front, are tolerated.

        Raises:
            NotFound: There is none.
            InvalidRequest: The archive is damaged.
        """
        with self._naming():
            found = self._find(path)
        if found is None:
            raise NotFound(f"{path.lstrip('/')} does not exist")
        return found[0], self._sound(found[1])

    def _find(self, path: str) -> tuple[Member, Iterator[bytes]] | None:
        wanted = member_path(path_bytes(path))
        own = path_bytes(self.reader.meta.name) + b"/"
        candidates = [wanted, *([wanted[len(own) :]] if wanted.startswith(own) else [])]
        for candidate in filter(None, candidates):
            found = self._lookup(candidate) if self.kind.compression is None else self._search(candidate)
            if found is not None:
                return found
        return None

    def _lookup(self, path: bytes) -> tuple[Member, Iterator[bytes]] | None:
        index = self.index()
        member = index.members.get(path_text(path))
        if member is not None:
            return member, self._pieces(member)
        if len(index.members) >= MAX_MEMBERS and self.kind is Format.TAR:
            return self._search(path)
        if index.fault:
            raise self.broken(index.fault)
        return None

    def _search(self, path: bytes) -> tuple[Member, Iterator[bytes]] | None:
        """A member of a tar, found on the way through it."""
        known = _indexes.get(self.reader.path, self.kind)
        if known is not None and not known.fault and path_text(path) not in known.members:
            return None
        wanted: bytes = path
        for _ in range(MAX_HOPS):
            reader = open_tar(self.reader, self.kind, links=True)
            found = self._seek(reader, wanted)
            if found is None:
                return None
            if reader.link is None:
                return self._tar_member(path_text(path), found[1], reader), reader.pieces()
            wanted = link_path(found[0], reader.link)
        return None

    def _seek(self, reader: TarReader, path: bytes) -> tuple[bytes, int] | None:
        while (found := reader.next_member()) is not None:
            if member_path(found[0]) == path:
                return found
        return None

    def files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Every file with its bytes, which must be taken before the next file is requested.

        Links are given as the files that they point to; those of a compressed tar come last.

        Raises:
            InvalidRequest: The archive is damaged.
        """
        with self._naming():
            for member, pieces in self._zip_files() if self.kind is Format.ZIP else self._tar_files():
                yield member, self._sound(pieces)

    def _zip_files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        for found in ZipArchive(self.reader).members():
            member = self._zip_member(found)
            if member is None:
                _check_folder(found.name)
                continue
            target = self.index().members.get(member.name) if found.is_link else member
            if target is not None:
                yield target, self._pieces(target)

    def _tar_files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        reader = open_tar(self.reader, self.kind, links=True)
        links: dict[bytes, tuple[bytes, Link]] = {}
        while (found := reader.next_member()) is not None:
            path = member_path(found[0])
            if not path:
                _check_folder(found[0])
            elif reader.link is None:
                yield self._tar_member(path_text(path), found[1], reader), reader.pieces()
            elif self.kind.compression is not None:
                links.setdefault(path, (found[0], reader.link))
            else:
                target = self.index().members.get(path_text(path))
                if target is not None:
                    yield target, self._pieces(target)
        if links:
            yield from self._linked_files(links)

    def _linked_files(
        self, links: dict[bytes, tuple[bytes, Link]]
    ) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """The files that links of a compressed tar point to, found on a second way through it."""
        names: dict[bytes, list[bytes]] = {}
        for link in links:
            names.setdefault(final_target(link, links), []).append(link)
        reader = open_tar(self.reader, self.kind)
        while names and (found := reader.next_member()) is not None:
            wanted = names.pop(member_path(found[0]), None)
            if wanted is None:
                continue
            target = self._tar_member("", found[1], reader)
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
                copy.writelines(reader.pieces())
                for name in wanted:
                    copy.seek(0)
                    yield target._replace(name=path_text(name)), iter(lambda: copy.read(_CHUNK), b"")


def _name_fault(name: bytes) -> str:
    """The fault of a name by which no file can be read; none if it is the name of a folder."""
    return "" if name.endswith(b"/") else f"a member has the name {name[:100]!r}, by which it cannot be read"


def _check_folder(name: bytes) -> None:
    if fault := _name_fault(name):
        raise ErrArchiveFormat(fault)


def _add_links(index: Index, links: dict[bytes, tuple[bytes, Link]]) -> None:
    """Add links as the files that they point to; those that point to none are left out."""
    for path in links:
        target = index.members.get(path_text(final_target(path, links)))
        if target is not None:
            index.add(target._replace(name=path_text(path)))


def indexed_members(path: str) -> int | None:
    """Number of members of the plain tar in a content file; None before it was scanned."""
    known = _indexes.get(path, Format.TAR)
    return None if known is None or known.fault else len(known.members)


def by_mime(text: str) -> Format:
    """The format that a MIME text such as `.tar` or `application/x-tar` contains.

    Raises:
        InvalidRequest: It contains none (`errUnknownMime`).
    """
    kind = formats.by_mime(text)
    if kind is None:
        raise InvalidRequest(f'unknown mime type "{text}"', tcode="errUnknownMime")
    return kind


def _check_format(kind: Format) -> None:
    try:
        formats.check_format(kind)
    except InvalidArgument as err:
        raise LocalError(str(err), status=501) from err


def open_archive(reader: ObjectReader, kind: Format | None = None) -> Archive:
    """The archive that an object is: of the given format, or by its name, or by its first bytes.

    Raises:
        InvalidRequest: It is none.
        LocalError: A package that the format needs is not installed.
    """
    kind = kind or by_name(reader.meta.name) or by_content(reader.read_at(0, HEAD_SIZE))
    if kind is None:
        raise InvalidRequest(f'unrecognized or unsupported file format: "{reader.meta.name}"')
    _check_format(kind)
    return Archive(reader, kind)


def new_archive(kind: Format, sink: Callable[[bytes], object]) -> ArchiveWriter:
    """A writer of an archive.

    Raises:
        LocalError: A package that the format needs is not installed.
    """
    _check_format(kind)
    return ArchiveWriter(kind, sink)


def keep_members(writer: ArchiveWriter, reader: ObjectReader, kind: Format) -> None:
    """Begin an archive with the members of one that exists, byte for byte.

    Raises:
        InvalidRequest: That one is damaged, or of another format.
    """
    try:
        writer.keep(reader)
    except _DAMAGED as err:
        raise Archive(reader, kind).broken(err) from err
