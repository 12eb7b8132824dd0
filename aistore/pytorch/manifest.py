"""A listing in a file, so that several processes read the same one and only one of them asks the cluster."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import msgspec

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.polling import poll

_WAIT = 600.0  # for another process to list: ten million objects take a few minutes


class ManifestRow(msgspec.Struct, array_like=True, frozen=True):
    """An object of a listing: the number of its source, and its name."""

    source: int
    name: str


class _Content(msgspec.Struct, frozen=True):
    sources: list[str]
    objects: list[ManifestRow]


class Manifest:
    """A file that holds a listing, written by whoever gets its lock first.

    Invariant: a file that does not decode was not written to its end, and is written again.

    Args:
        path: The file; made when it is not there. Ranks on several machines need a shared file system.
        create: Whether to make it.
    """

    def __init__(self, path: str, create: bool = True) -> None:
        self.path = path
        self._create = create

    def read(self, sources: list[str], make: Callable[[], list[ManifestRow]]) -> list[ManifestRow]:
        """Return the listing in the file; write it first when it is not there.

        Args:
            sources: What the listing is of.
            make: Lists.

        Raises:
            InvalidArgument: The file holds the listing of something else (also a `ValueError`).
            Timeout: Another process has been writing the file for ten minutes.
        """
        flags = os.O_RDWR | (os.O_CREAT if self._create else 0)
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file, _locked(file, self.path):
            content = _decode(file.read())
            if content is None:
                content = _Content(sources, make())
                file.seek(0)
                file.truncate()
                file.write(msgspec.json.encode(content))
                file.flush()
        if content.sources != sources:
            raise InvalidArgument(
                f"manifest {self.path!r} is of {', '.join(content.sources)}, not of {', '.join(sources)}: "
                "use another file"
            )
        return content.objects

    def clear(self) -> None:
        """Have the next reader list anew."""
        with suppress(FileNotFoundError):
            os.truncate(self.path, 0)


def temporary_manifest(owner: object) -> Manifest | None:
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
    return Manifest(path, create=False)


def _remove(path: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked worker inherits the finalizer, not the file
        with suppress(FileNotFoundError):
            os.unlink(path)


def _decode(data: bytes) -> _Content | None:
    try:
        return msgspec.json.decode(data, type=_Content)
    except msgspec.MsgspecError:
        return None


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
