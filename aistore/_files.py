"""Files on this machine that objects become: written whole or not at all, and never outside their folder.

Names of objects come from a cluster, and a folder may have links in it that another user has made. So what is
in a folder is opened below its descriptor, component by component, and no link is followed.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from typing import Any, BinaryIO

from aistore.errors import SDKError

PART_PREFIX = ".aistore-"
PART_SUFFIX = ".part"
_DIGITS = 16
_PREFIX_LENGTH = len(PART_PREFIX) + _DIGITS + 1

unfinished: set[str] = set()
"""Paths of files that are being written: a process that ends at once removes them first."""

# Windows opens no file below a descriptor: there components are checked for links before they are used.
_BELOW_DESCRIPTORS = (
    hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
    and {os.open, os.mkdir, os.stat, os.unlink, os.rename, os.rmdir} <= os.supports_dir_fd
)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_REFUSED = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}  # names that a file system does not take
# Standard output and other open files: what such links lead to has no path, or is not to be replaced.
_STREAMS = ("/dev/std", "/dev/fd/", "/proc/")
_SHOWN = 5


class ErrNotAFile(SDKError, OSError):  # noqa: N818 - named like the other errors of the SDK
    """Objects that cannot be files in a folder.

    Args:
        names: What is in the way, by the name of the object.
        folder: The folder.

    Attributes:
        names: What is in the way, by the name of the object.
        folder: The folder.
    """

    def __init__(self, names: Mapping[str, str], folder: str) -> None:
        shown = "; ".join(f"{name!r} {why}" for name, why in list(names.items())[:_SHOWN])
        more = f"; and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        what = "1 object cannot be a file" if len(names) == 1 else f"{len(names):,} objects cannot be files"
        BaseException.__init__(self, f"{what} below {folder}: {shown}{more}")
        self.names = dict(names)
        self.folder = folder

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.names, self.folder)


def is_part(name: str) -> bool:
    """Return whether a file's name is that of one that is being written.

    Args:
        name: The name.
    """
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


class Folder:
    """A folder in which objects become files by their names, and nowhere else; safe for threads.

    Links within it are not followed: one in the place of a file is replaced, one in the place of a folder is
    an error. The folder itself may be a link.

    Args:
        root: The folder; it need not exist yet.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)
        self._lock = threading.Lock()
        self._written: dict[tuple[int, int], str] = {}

    def unfit(self, names: Iterable[str]) -> dict[str, str]:
        """Return the names that cannot be those of files, and why.

        Of a name and others below it, as `a` and `a/b`, the others become files.

        Args:
            names: Names, with slashes, below the folder.
        """
        given = list(names)
        faults = {name: why for name in given if (why := _fault(name))}
        folders: set[str] = set()
        for name in given:
            above = "" if name in faults else name.rpartition("/")[0]
            while above and above not in folders:
                folders.add(above)
                above = above.rpartition("/")[0]
        return {**faults, **{name: "is also a folder" for name in given if name in folders}}

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file to write, which has its name only once it is whole; its folders are made.

        Args:
            name: Its name, with slashes, below the folder.

        Raises:
            ErrNotAFile: The name cannot be that of a file, or something else is in its place.
        """
        *above, last = name.split("/")
        try:
            if why := _fault(name):
                raise _Unfit(why)
            with (
                self._open(above) as directory,
                _replacing(directory, last, lambda part: self._finish(directory, part, last, name)) as file,
            ):
                yield file
        except _Unfit as err:
            raise ErrNotAFile({name: str(err)}, self.root) from None

    def make(self, name: str = "") -> None:
        """Make a folder below this one, or this one; it may exist.

        Args:
            name: Its name, with slashes. Default: this one.

        Raises:
            ErrNotAFile: The name cannot be that of a folder, or something else is in its place.
        """
        try:
            with self._open(name.split("/") if name else []):
                pass
        except _Unfit as err:
            raise ErrNotAFile({name: str(err)}, self.root) from None

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and the folders below this one that are empty then.

        Args:
            names: Names of files, with slashes; those that are gone are no error.
        """
        for name in names:
            *above, last = name.split("/")
            with suppress(FileNotFoundError, _Unfit), self._open(above, create=False) as directory:
                directory.unlink(last)
            with suppress(OSError, _Unfit):  # a folder is not empty
                while above:
                    *above, last = above
                    with self._open(above, create=False) as directory:
                        directory.rmdir(last)

    @contextmanager
    def _open(self, parts: list[str], *, create: bool = True) -> Iterator[Directory]:
        """Open the folder with this path below the root."""
        if parts and (why := _fault("/".join(parts))):
            raise _Unfit(why)
        if create:
            os.makedirs(self.root, exist_ok=True)
        directory = Directory.open(self.root)
        try:
            for part in parts:
                below = self._step(directory, part, create=create)
                directory.close()
                directory = below
            yield directory
        finally:
            directory.close()

    def _step(self, directory: Directory, part: str, *, create: bool) -> Directory:
        where = os.path.join(directory.path, part)
        try:
            if create:
                directory.mkdir(part)
            return directory.child(part)
        except OSError as err:
            if err.errno in _REFUSED:
                raise _Unfit(f"cannot be below {where}: {os.strerror(err.errno).lower()}") from None
            found = directory.find(part)
            if found is not None and stat.S_ISLNK(found.st_mode):
                out = " that leads out of the folder" if _leads_out(where, self.root) else ""
                raise _Unfit(f"cannot be below {where}, a link{out}") from None
            if found is not None and not stat.S_ISDIR(found.st_mode):
                raise _Unfit(f"cannot be below {where}: a file is where a folder must be") from None
            raise

    def _finish(self, directory: Directory, part: str, last: str, name: str) -> None:
        """Give a whole file its name, unless that is the name of another object's file here.

        Names that differ only in case, or in how accents are encoded, are one in some file systems.
        """
        with self._lock:
            now, made = directory.find(last), directory.find(part)
            other = self._written.get((now.st_dev, now.st_ino)) if now is not None else None
            if other is not None and other != name:
                raise _Unfit(f"is the same file as {other!r} here")
            directory.replace(part, last)
            if made is not None:
                self._written[made.st_dev, made.st_ino] = name


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which is at `path` only once it is whole.

    A link at `path` is replaced; see `followed`. A device or pipe is written to directly.

    Args:
        path: The file; its folder must exist.

    Raises:
        ErrNotAFile: A folder is at `path`.
    """
    text = os.fspath(path)
    if _is_special(text):
        with open(text, "wb") as file:
            yield file
        return
    above, last = os.path.split(text)
    try:
        with (
            closing(Directory.open(above or os.curdir)) as directory,
            _replacing(directory, last, lambda part: directory.replace(part, last)) as file,
        ):
            yield file
    except _Unfit as err:
        raise ErrNotAFile({last: str(err)}, above or os.curdir) from None


def followed(path: str | os.PathLike[str]) -> str:
    """Return the file that a path leads to, if it is a link: for paths that a user has named.

    Args:
        path: The path.
    """
    text = os.fspath(path)
    return os.path.realpath(text) if os.path.islink(text) and not text.startswith(_STREAMS) else text


class Part:
    """A file beside another that has its beginning, kept until a later run goes on.

    Args:
        path: The file that it becomes; its folder must exist.
        identity: The content: another one has another part.
    """

    def __init__(self, path: str | os.PathLike[str], identity: str) -> None:
        self._folder, self._last = os.path.split(os.fspath(path))
        self._name = f"{_part_prefix(path)}{_digest(identity)}{PART_SUFFIX}"

    def _opened(self) -> closing[Directory]:
        return closing(Directory.open(self._folder or os.curdir))

    def open(self) -> BinaryIO:
        """Open it to read and to append to; it is made if need be, and not through a link."""
        with self._opened() as directory:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_FOLLOW | _BINARY
            return os.fdopen(directory.open_file(self._name, flags), "a+b")

    def finish(self) -> None:
        """Give it the name of the file, and the permissions of the one that it replaces."""
        with self._opened() as directory:
            before = directory.find(self._last)
            if before is not None and stat.S_ISREG(before.st_mode):
                os.chmod(os.path.join(self._folder, self._name), stat.S_IMODE(before.st_mode))
            directory.replace(self._name, self._last)

    def remove(self) -> None:
        """Remove it, if it is there."""
        with self._opened() as directory, suppress(FileNotFoundError):
            directory.unlink(self._name)

    def remove_if_empty(self) -> None:
        """Remove it if it is empty."""
        with self._opened() as directory:
            found = directory.find(self._name)
        if found is not None and not found.st_size:
            self.remove()


def remove_parts(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Remove what stopped downloads have left beside files that are whole now.

    Args:
        paths: The files.
    """
    prefixes: dict[str, set[str]] = {}
    for path in paths:
        prefixes.setdefault(os.path.dirname(path), set()).add(_part_prefix(path))
    for folder, wanted in prefixes.items():
        with os.scandir(folder or os.curdir) as entries:
            left = [one.path for one in entries if is_part(one.name) and one.name[:_PREFIX_LENGTH] in wanted]
        for path in left:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _part_prefix(path: str | os.PathLike[str]) -> str:
    folder, last = os.path.split(os.fspath(path))
    return f"{PART_PREFIX}{_digest(os.path.join(os.path.realpath(folder), last))}-"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


class _Unfit(Exception):  # noqa: N818 - its text is the reason why a name cannot be that of a file
    pass


class Directory:
    """An open folder: what is in it is addressed by name, and no link is followed."""

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: str) -> Directory:
        """Open a folder by its path, following links."""
        if not _BELOW_DESCRIPTORS:
            if not os.path.isdir(path):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return cls(path, None)
        return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def close(self) -> None:
        """Close it."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _at(self, name: str, argument: str = "dir_fd") -> tuple[str, dict[str, Any]]:
        if self._descriptor is None:
            return os.path.join(self.path, name), {}
        return name, {argument: self._descriptor}

    def child(self, name: str) -> Directory:
        """Open a folder that is in this one, and no link."""
        path = os.path.join(self.path, name)
        if self._descriptor is not None:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            return Directory(path, os.open(name, flags, dir_fd=self._descriptor))
        found = self.find(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not stat.S_ISDIR(found.st_mode) or os.path.realpath(path) != os.path.join(
            os.path.realpath(self.path), name
        ):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return Directory(path, None)

    def find(self, name: str) -> os.stat_result | None:
        """Return what is under a name, itself if it is a link; `None` for nothing."""
        where, below = self._at(name)
        try:
            return os.stat(where, follow_symlinks=False, **below)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names of what is in it, sorted."""
        return sorted(os.listdir(self.path if self._descriptor is None else self._descriptor))

    def open_regular(self, name: str) -> BinaryIO:
        """Open a file to read; no link, and nothing that would hold up whoever opens it.

        Raises:
            OSError: It cannot be opened, or is no regular file.
        """
        descriptor = self.open_file(name, os.O_RDONLY | _NO_FOLLOW | _BINARY | _NO_WAIT)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "not a regular file", os.path.join(self.path, name))
        return file

    def open_file(self, name: str, flags: int) -> int:
        """Open a file and return its descriptor."""
        where, below = self._at(name)
        return os.open(where, flags, 0o666, **below)

    def mkdir(self, name: str) -> None:
        """Make a folder unless something has the name."""
        where, below = self._at(name)
        with suppress(FileExistsError):
            os.mkdir(where, **below)

    def replace(self, old: str, new: str) -> None:
        """Give a file another name."""
        source, source_below = self._at(old, "src_dir_fd")
        target, target_below = self._at(new, "dst_dir_fd")
        os.replace(source, target, **source_below, **target_below)

    def unlink(self, name: str) -> None:
        """Remove a file or link."""
        where, below = self._at(name)
        os.unlink(where, **below)

    def rmdir(self, name: str) -> None:
        """Remove an empty folder."""
        where, below = self._at(name)
        os.rmdir(where, **below)


@contextmanager
def _replacing(directory: Directory, last: str, finish: Callable[[str], None]) -> Iterator[BinaryIO]:
    """Open a new file that is whole when `finish` gives it its name; what fails leaves nothing behind."""
    try:
        before = directory.find(last)
    except OSError as err:
        if err.errno not in _REFUSED:
            raise
        raise _Unfit(f"cannot be a file here: {os.strerror(err.errno).lower()}") from None
    if before is not None and stat.S_ISDIR(before.st_mode):
        raise _Unfit("is a folder here")
    part = f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}"
    path = os.path.join(directory.path, part)
    unfinished.add(path)
    try:
        descriptor = directory.open_file(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY)
        with os.fdopen(descriptor, "wb") as file:
            if before is not None and stat.S_ISREG(before.st_mode):
                os.chmod(descriptor if os.chmod in os.supports_fd else path, stat.S_IMODE(before.st_mode))
            yield file
        finish(part)
    except IsADirectoryError as err:
        if os.path.basename(str(err.filename2 or "")) != last:
            raise
        raise _Unfit("is a folder here") from None
    finally:
        with suppress(FileNotFoundError):
            directory.unlink(part)
        unfinished.discard(path)


def _fault(name: str) -> str:
    """Say what keeps a name from being that of a file in a folder; "" for nothing."""
    if "\0" in name:
        return "has a NUL character"
    parts = name.split("/")
    if "" in parts:
        return "has an empty path element" if name else "is empty"
    if "." in parts or ".." in parts:
        return "has a path element '.' or '..'"
    if os.sep != "/" and (os.sep in name or ":" in name):
        return f"has a {os.sep!r} or ':'"
    return ""


def _is_special(path: str) -> bool:
    if path.startswith(_STREAMS):
        return True
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _leads_out(path: str, root: str) -> bool:
    real = os.path.realpath(root)
    return os.path.commonpath([os.path.realpath(path), real]) != real
