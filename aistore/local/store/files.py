"""Content files: where they are, how they are named, and who clears up.

A content file is written once, under a name never used before, and never changed. It counts from the moment a
catalog row names it. So a process that dies at any moment leaves either the old object or the new one; what
it leaves besides is a file that no row names, in the folders of that run (`boot`). `Files.sweep` finds those
after the next start, in the background.

    <root>/t<target>/<boot>/<folder>/<number>~<base name>
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from aistore.local.disk_errors import check_writable, disk_error
from aistore.local.errors import OutOfSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.local.catalog import Catalog
    from aistore.local.data_folder import DataFolder

_MAX_BASE = 100
_TARGET = re.compile(r"t[0-9]+")
_RUN = re.compile(r"[0-9a-f]{1,15}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
# The data are their owner's alone.
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
# Of the disk, so that objects can still be deleted when it is full: removing a row takes room at first.
_KEPT_FREE = (1 << 20, 64 << 20)
_KEPT_SHARE = 50
_FOLDER_SHIFT = 8
_FOLDER_SALT_BITS = 24
# Linux (64 bits): FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, and the flag that `chattr +T` sets.
_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHY = 0x80086601, 0x40086602, 0x00020000


def file_base(obj_name: str) -> str:
    """An object's base name, safe as the end of a file name and with its extension."""
    base = _UNSAFE.sub("_", obj_name.rpartition("/")[2])
    if len(base) > _MAX_BASE:
        stem, ext = os.path.splitext(base)
        ext = ext[:20]
        base = stem[: _MAX_BASE - len(ext)] + ext
    return base


class Quota:
    """Bytes that may be stored altogether.

    Objects, parts, files that are still to be removed and those being written count.

    Args:
        limit (int | None): None for no limit but the disk's.
        used (int): Bytes stored at the start.
        reclaim: Removes some of the files that are to be removed, and says whether there were any; called
            when the limit is reached.
    """

    def __init__(self, limit: int | None, used: int = 0, reclaim: Callable[[], bool] = lambda: False) -> None:
        self.limit = limit
        self._used = used
        self._reclaim = reclaim
        self._lock = threading.Lock()

    def room(self) -> int | None:
        """Bytes that still fit; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self._used)

    def take(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            OutOfSpace: They don't fit.
        """
        if self.limit is None:
            return
        while self._used + size > self.limit and self._reclaim():
            pass
        with self._lock:
            if self._used + size > self.limit:
                raise OutOfSpace(
                    f"out of space: used {self._used} of {self.limit} bytes (quota), {size} more don't fit"
                )
            self._used += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes less."""
        if self.limit is not None:
            with self._lock:
                self._used -= size


class Files:
    """The content files below a root folder.

    Args:
        folder (DataFolder): The root folder.
        targets (int): Number of target folders.
        boot (int): Number of this run, greater than that of any earlier run on the folder.
    """

    def __init__(self, folder: DataFolder, targets: int, boot: int) -> None:
        self.root = folder.path
        self._folder = folder
        self._prefix = f"{folder.path}/"
        self._count = itertools.count(1)
        self._prefixes = [f"t{target}/{boot:x}" for target in range(targets)]
        # ext4 places a folder by a hash of its name: those of another run are elsewhere.
        self._first_folder = secrets.randbits(_FOLDER_SALT_BITS)
        for target in range(targets):
            with contextlib.suppress(FileExistsError):
                os.mkdir(f"t{target}", _FOLDER_MODE, dir_fd=folder.fd)
            folder.watch(f"t{target}")

    def mountpath(self, target: int) -> str:
        """Folder of a target."""
        return str(self.root / f"t{target}")

    def path(self, file: str) -> str:
        """Absolute path of a content file."""
        return self._prefix + file

    def new_name(self, target: int, obj_name: str) -> str:
        """A relative path that was never used and never will be by anything else."""
        number = next(self._count)
        folder = self._first_folder + (number >> _FOLDER_SHIFT)
        return f"{self._prefixes[target]}/{folder:x}/{number:x}~{file_base(obj_name)}"

    def create(self, file: str) -> int:
        """Open a new content file for writing; the descriptor is the caller's.

        Raises:
            OutOfSpace: The disk is full.
            ReadOnlyDisk: It does not take writes.
            FolderReplaced: Another folder is at the path of the data folder.
        """
        self._folder.check(file.partition("/")[0])
        try:
            try:
                return os.open(file, _FLAGS, _FILE_MODE, dir_fd=self._folder.fd)
            except FileNotFoundError:
                self._make_folder(file)
                return os.open(file, _FLAGS, _FILE_MODE, dir_fd=self._folder.fd)
        except OSError as err:
            raise disk_error(err) from err

    def open(self, file: str) -> int:
        """Open a content file for reading; the descriptor is the caller's.

        Raises:
            FileNotFoundError: It was replaced or removed.
        """
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder.fd)

    def check_room(self, size: int) -> None:
        """Refuse bytes that would take what is kept for the catalog.

        Raises:
            OutOfSpace: The disk is full, but for that.
            ReadOnlyDisk: It does not take writes.
        """
        free, kept = self._free()
        if free - size < kept:
            check_writable(self.root)  # a read-only file system may have no free bytes at all
            raise OutOfSpace(
                f"out of space: {free} bytes are free, {kept} are kept for the catalog, {size} more don't fit"
            )

    def room(self) -> int:
        """Bytes that still fit on the disk."""
        free, kept = self._free()
        return max(0, free - kept)

    def _free(self) -> tuple[int, int]:
        disk = os.fstatvfs(self._folder.fd)
        least, most = _KEPT_FREE
        kept = max(least, min(most, disk.f_blocks * disk.f_frsize // _KEPT_SHARE))
        return disk.f_bavail * disk.f_frsize, kept

    def flush_folder(self, file: str) -> None:
        """Make a content file's name as durable as its bytes."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = os.open(os.path.dirname(file), flags, dir_fd=self._folder.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def link(self, old: str, new: str) -> bool:
        """Make `new` another name of the same bytes; False where the file system can't, or `old` is gone."""
        fd = self._folder.fd
        self._folder.check(new.partition("/")[0])
        try:
            try:
                os.link(old, new, src_dir_fd=fd, dst_dir_fd=fd)
            except FileNotFoundError:
                self._make_folder(new)
                os.link(old, new, src_dir_fd=fd, dst_dir_fd=fd)
        except FileNotFoundError:
            return False
        except OSError as err:
            if err.errno in {errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP}:
                return False
            raise disk_error(err) from err
        return True

    def remove(self, file: str) -> None:
        """Remove a content file if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file, dir_fd=self._folder.fd)

    def _make_folder(self, file: str) -> None:
        """Make the folder of a content file, in that of its run."""
        folder = os.path.dirname(file)
        run = os.path.dirname(folder)
        with contextlib.suppress(FileExistsError):
            os.mkdir(run, _FOLDER_MODE, dir_fd=self._folder.fd)
            fd = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folder.fd)
            try:
                _scatter(fd)
            finally:
                os.close(fd)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, _FOLDER_MODE, dir_fd=self._folder.fd)

    def sweep(self, catalog: Catalog, boots: list[int], stop: threading.Event, quota: Quota) -> None:
        """Remove the files of earlier runs that no row names; run after a start that followed a crash."""
        for boot in boots:
            for file, size in self._leftovers(catalog, boot):
                if stop.is_set():
                    return
                self.remove(file)
                quota.give_back(size)
            with catalog.db.write() as conn:
                conn.execute("DELETE FROM boots WHERE boot = ?", (boot,))

    def leftover_bytes(self, catalog: Catalog, boots: list[int]) -> int:
        """Bytes that `sweep` removes."""
        return sum(size for boot in boots for _, size in self._leftovers(catalog, boot))

    def _leftovers(self, catalog: Catalog, boot: int) -> Iterator[tuple[str, int]]:
        named = self._named(catalog, boot)
        for folder in self.root.glob(f"t*/{boot:x}/*"):
            place = folder.relative_to(self.root)
            for name in os.listdir(folder):
                if _number(name) not in named:
                    with contextlib.suppress(FileNotFoundError):
                        yield f"{place}/{name}", os.stat(folder / name).st_size

    @staticmethod
    def _named(catalog: Catalog, boot: int) -> set[str]:
        # One statement is one snapshot: a file that moves from a part to an object meanwhile is seen once.
        rows = catalog.db.reader().execute(
            "SELECT file FROM objects UNION ALL SELECT file FROM parts UNION ALL SELECT file FROM trash"
        )
        run = f"{boot:x}"
        return {_number(file.rpartition("/")[2]) for (file,) in rows if file.split("/", 2)[1] == run}


def _scatter(fd: int) -> None:
    """Have ext4 put the folders in this one far apart.

    It puts the files of a folder next to each other and, for a minute, does not use again the inodes of what
    was deleted there: each new file passes all of those. Other file systems refuse, which changes nothing.
    """
    if sys.platform != "linux":
        return
    import fcntl

    with contextlib.suppress(OSError):
        flags = bytearray(8)
        fcntl.ioctl(fd, _GET_FLAGS, flags)
        wanted = int.from_bytes(flags, sys.byteorder) | _TOP_OF_HIERARCHY
        fcntl.ioctl(fd, _SET_FLAGS, wanted.to_bytes(8, sys.byteorder))


def content_files(root: Path, on_error: Callable[[OSError], object]) -> Iterator[str]:
    """Every file in the folders of targets, relative to the root folder.

    Args:
        root (Path): The root folder.
        on_error: Called for a folder that can't be read, which is left out.
    """
    folders = [path.name for path in sorted(root.iterdir()) if _TARGET.fullmatch(path.name)]
    for depth in range(3):
        entries: list[str] = []
        for folder in folders:
            try:
                if depth == 2:
                    with os.scandir(root / folder) as found:
                        yield from [f"{folder}/{entry.name}" for entry in found]
                elif (root / folder).is_dir():
                    entries += sorted(f"{folder}/{name}" for name in os.listdir(root / folder))
            except NotADirectoryError:
                continue
            except OSError as err:
                on_error(err)
        folders = entries


def last_run(root: Path) -> int:
    """The greatest number of a run whose files are below a root folder, 0 where there are none."""
    names = [path.name for path in root.glob("t[0-9]*/*")]
    return max((int(name, 16) for name in names if _RUN.fullmatch(name)), default=0)


def _number(file_name: str) -> str:
    return file_name.partition("~")[0]
