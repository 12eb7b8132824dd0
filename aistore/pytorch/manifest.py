"""A listing in a file or an object, so that several processes read one and one of them asks the cluster."""

from __future__ import annotations

import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from aistore.sdk.bck.urls import object_of
from aistore.sdk.errors import ErrObjNotFound, InvalidArgument
from aistore.sdk.models.prepare import prepared
from aistore.sdk.polling import poll
from aistore.wire.serialization import decode_json, encode_json

if TYPE_CHECKING:
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient

_WAIT = 600.0  # for another process to list: ten million objects take a few minutes


class ManifestRow(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """An object of a listing, or a member of it.

    Attributes:
        source: Number of its source.
        name: Its name.
        size: Its size in bytes; -1: not known.
        archpath: Path of the member; "" for the object itself.
    """

    source: int
    name: str
    size: int = -1
    archpath: str = ""


class _Content(msgspec.Struct, frozen=True):
    sources: list[str]
    objects: list[ManifestRow]


class AnyManifest(ABC):
    """Where a listing is kept.

    Args:
        path: Path or URL, for messages.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(
        self, sources: list[str], make: Callable[[], list[ManifestRow]], is_first: bool
    ) -> list[ManifestRow]:
        """Return the listing that is kept; make it first when there is none.

        Args:
            sources: What the listing is of.
            make: Lists.
            is_first: Whether this is the first worker of rank 0.

        Raises:
            InvalidArgument: The listing is of something else (also a `ValueError`).
            Timeout: Another process has been listing for ten minutes.
        """
        content = self._read(lambda: encode_json(_Content(sources, make())), is_first)
        if content.sources != sources:
            raise InvalidArgument(
                f"manifest {self.path!r} is of {', '.join(content.sources)}, not of {', '.join(sources)}: "
                "use another file"
            )
        return content.objects

    def write(self, sources: list[str], rows: list[ManifestRow]) -> None:
        """Keep a listing, whatever there is.

        Args:
            sources: What it is of.
            rows: The listing.
        """
        self._write(encode_json(_Content(sources, rows)))

    @abstractmethod
    def clear(self) -> None:
        """Have the next reader list anew."""

    @abstractmethod
    def _read(self, make: Callable[[], bytes], is_first: bool) -> _Content: ...

    @abstractmethod
    def _write(self, data: bytes) -> None: ...


class FileManifest(AnyManifest):
    """A file that holds a listing, written by whoever gets its lock first.

    Invariant: a file that does not decode was not written to its end, and is written again.

    Args:
        path: The file; made when it is not there. Ranks on several machines need a shared file system.
        create: Whether to make it.
    """

    def __init__(self, path: str, create: bool = True) -> None:
        super().__init__(path)
        self._create = create

    def clear(self) -> None:
        """Have the next reader list anew."""
        with suppress(FileNotFoundError):
            os.truncate(self.path, 0)

    def _read(self, make: Callable[[], bytes], is_first: bool) -> _Content:
        with self._opened() as file:
            content = _decode(file.read())
            if content is None:
                data = make()
                _replace(file, data)
                content = decode_json(data, prepared(_Content))
        return content

    def _write(self, data: bytes) -> None:
        with self._opened() as file:
            _replace(file, data)

    @contextmanager
    def _opened(self) -> Generator[BinaryIO, None, None]:
        flags = os.O_RDWR | (os.O_CREAT if self._create else 0)
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file, _locked(file, self.path):
            yield file


class ObjectManifest(AnyManifest):
    """An object that holds a listing. Rank 0 writes it when it is not there; the others wait for it.

    Args:
        obj: The object.
    """

    def __init__(self, obj: Object) -> None:
        super().__init__(obj.get_semantic_url())
        self._obj = obj

    def clear(self) -> None:
        """Have the next reader list anew."""
        with suppress(ErrObjNotFound):
            self._obj.delete()

    def _read(self, make: Callable[[], bytes], is_first: bool) -> _Content:
        content = self._load()
        if content is None and is_first:
            self._write(make())
        return content or poll(
            self._load, timeout=_WAIT, action=f"rank 0 to list into {self.path}", max_interval=1
        )

    def _write(self, data: bytes) -> None:
        self._obj.get_writer().put_content(data)

    def _load(self) -> _Content | None:
        try:
            data = self._obj.get_reader().read_all()
        except ErrObjNotFound:
            return None
        content = _decode(data)
        if content is None:
            raise InvalidArgument(f"{self.path} is no manifest: name one, or an object that is not there")
        return content


def manifest_at(where: str | os.PathLike[str], client: Callable[[], RequestClient]) -> AnyManifest:
    """Return the manifest at a path or URL; asks nothing.

    Args:
        where: Path of a file, or URL of an object.
        client: Returns the client, for objects.

    Raises:
        InvalidArgument: A URL that names no object (also a `ValueError`).
    """
    path = os.fspath(where)
    if "://" not in path:
        return FileManifest(path)
    return ObjectManifest(object_of(client(), path))


def temporary_manifest(owner: object) -> FileManifest | None:
    """Make a manifest for the workers of this process; `None` where there is no place for files.

    Args:
        owner: When it goes, or the process ends, the file does.
    """
    try:
        fd, path = tempfile.mkstemp(prefix="aistore-listing-")
    except OSError:
        return None
    os.close(fd)
    weakref.finalize(owner, _remove, path, os.getpid())
    return FileManifest(path, create=False)


def _remove(path: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked worker inherits the finalizer, not the file
        with suppress(FileNotFoundError):
            os.unlink(path)


def _decode(data: bytes) -> _Content | None:
    try:
        content: _Content = decode_json(data, prepared(_Content))
    except msgspec.MsgspecError:
        return None
    return content


def _replace(file: BinaryIO, data: bytes) -> None:
    file.seek(0)
    file.truncate()
    file.write(data)
    file.flush()


@contextmanager
def _locked(file: BinaryIO, path: str) -> Generator[None, None, None]:
    import fcntl

    def lock() -> bool | None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return True

    poll(lock, timeout=_WAIT, action=f"listing into {path}", max_interval=0.5)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
