"""Reading members of an archive that is an object.

A content file never changes, so where its members are is remembered by its path: a plain tar is scanned once.
"""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.archives import codecs
from aistore.local.archives.formats import HEAD_SIZE, Format, by_content, by_name
from aistore.local.archives.tar_headers import BoundedInfo
from aistore.local.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.store import ObjectReader

_CHUNK = 256 << 10
_BUFFER = 256 << 10
_MAX_REMEMBERED = 500_000
MAX_ZIP_DIRECTORY = 128 << 20  # bytes; of a million members and more, which take seven times that in memory

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
)


class Member(NamedTuple):
    """A regular file in an archive; `offset` is that of its bytes in a plain tar, -1 elsewhere."""

    name: str
    size: int
    mtime: int
    offset: int = -1


class _File(io.RawIOBase):
    """An object as a seekable file; closing it leaves the object's reader open."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reader.meta.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # a writable buffer
        data = self._reader.read_at(self._at, len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Bounded(io.BufferedReader):
    """Refuses what `zipfile` reads in one piece, the directory, when it is large."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_ZIP_DIRECTORY:
            raise zipfile.BadZipFile(f"a directory of {size} bytes: at most {MAX_ZIP_DIRECTORY} are read")
        return super().read(size)


class _Index:
    """Members of plain tars by content file, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[str, Member]] = OrderedDict()
        self._count = 0

    def get(self, file: str) -> dict[str, Member] | None:
        with self._lock:
            found = self._known.get(file)
            if found is not None:
                self._known.move_to_end(file)
            return found

    def put(self, file: str, members: dict[str, Member]) -> None:
        with self._lock:
            if file in self._known or len(members) > _MAX_REMEMBERED:
                return
            self._known[file] = members
            self._count += len(members)
            while self._count > _MAX_REMEMBERED:
                _, forgotten = self._known.popitem(last=False)
                self._count -= len(forgotten)


_index = _Index()


class Archive:
    """An object that is an archive. The object's reader stays the caller's.

    Args:
        reader (ObjectReader): The object.
        kind (Format): Its format.
    """

    def __init__(self, reader: ObjectReader, kind: Format) -> None:
        self.reader = reader
        self.kind = kind

    def _broken(self, err: Exception) -> InvalidRequest:
        return InvalidRequest(f'"{self.reader.meta.name}" is not a sound {self.kind.value} archive: {err}')

    def members(self) -> Iterator[Member]:
        """Every regular file, in the archive's order.

        Raises:
            InvalidRequest: The archive is damaged.
        """
        for member, _ in self.files():
            yield member

    def files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Every regular file with its bytes, which must be taken before the next file is asked for.

        Raises:
            InvalidRequest: The archive is damaged.
        """
        try:
            for member, pieces in self._zip_files() if self.kind is Format.ZIP else self._tar_files():
                yield member, self._sound(pieces)
        except _BROKEN as err:
            raise self._broken(err) from err

    def _sound(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except _BROKEN as err:
            raise self._broken(err) from err

    def _tar_files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        raw = io.BufferedReader(_File(self.reader), _BUFFER)
        plain = self.kind is Format.TAR
        stream = codecs.decompressing(self.kind, raw)
        mode = "r:" if plain else "r|"
        options = {"errorlevel": 1, "errors": "surrogateescape", "tarinfo": BoundedInfo.for_archive()}
        with tarfile.open(fileobj=stream, mode=mode, **options) as archive:  # type: ignore[call-overload]
            while (info := archive.next()) is not None:
                archive.members = []
                if not info.isreg() or info.issparse():
                    continue
                member = Member(info.name, info.size, int(info.mtime), info.offset_data if plain else -1)
                file = archive.extractfile(info)
                assert file is not None
                yield member, _exactly(file, info.size)

    def _zip_files(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        with zipfile.ZipFile(_Bounded(_File(self.reader), _BUFFER)) as archive:
            for info in archive.infolist():
                if info.filename and not info.is_dir():  # `is_dir` wants a name
                    with archive.open(info) as file:
                        yield Member(info.filename, info.file_size, 0), _exactly(file, info.file_size)

    def find(self, path: str) -> tuple[Member, Iterator[bytes]]:
        """A member by its path, with its bytes; of several members of one name the first.

        A leading slash, and the archive's own name in front, are tolerated.

        Raises:
            NotFound: There is none.
            InvalidRequest: The archive is damaged.
        """
        name = path.lstrip("/")
        if self.kind is Format.TAR:
            member = self._find_in_tar(name)
            if member is not None:
                if member.offset + member.size > self.reader.meta.size:
                    raise self._broken(EOFError(f"{member.name} is cut off"))
                return member, self.reader.chunks(member.offset, member.size, _CHUNK)
        else:
            files = self.files()
            for member, pieces in files:
                if _plain(member.name) == name:
                    return member, self._held(files, pieces)
        own = self.reader.meta.name + "/"
        if name.startswith(own):
            return self.find(name[len(own) :])
        raise NotFound(f"{name} does not exist")

    @staticmethod
    def _held(files: object, pieces: Iterator[bytes]) -> Iterator[bytes]:
        # `files` has the archive open as long as this is referred to.
        yield from pieces
        del files

    def _find_in_tar(self, name: str) -> Member | None:
        return self._tar_index().get(name)

    def index(self) -> int:
        """Look through a plain tar now, so that its members are found at once later; returns how many it has.

        Raises:
            InvalidRequest: The archive is damaged.
        """
        return len(self._tar_index())

    def _tar_index(self) -> dict[str, Member]:
        file = self.reader.path
        known = _index.get(file)
        if known is None:
            known = {}
            for member in self.members():
                known.setdefault(_plain(member.name), member)
            _index.put(file, known)
        return known


def _plain(name: str) -> str:
    return name.removeprefix("./").lstrip("/")


def _exactly(file: object, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data: bytes = file.read(min(left, _CHUNK))  # type: ignore[attr-defined]  # any readable file
        if not data:
            raise EOFError(f"{left} bytes are missing")
        left -= len(data)
        yield data


def indexed_members(path: str) -> int | None:
    """How many members of the plain tar in a content file are known where they are; None if none are."""
    known = _index.get(path)
    return None if known is None else len(known)


def open_archive(reader: ObjectReader, kind: Format | None = None) -> Archive:
    """The archive that an object is: of the given format, or by its name, or by its first bytes.

    Raises:
        InvalidRequest: It is none.
    """
    kind = kind or by_name(reader.meta.name) or by_content(reader.read_at(0, HEAD_SIZE))
    if kind is None:
        raise InvalidRequest(f'unrecognized or unsupported file format: "{reader.meta.name}"')
    return Archive(reader, kind)
