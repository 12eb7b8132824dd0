"""The data folder: held by a descriptor, so that bytes and rows go to the same folder, and private."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from aistore.local.errors import FolderReplaced

if TYPE_CHECKING:
    _Identity = tuple[int, int]

log = logging.getLogger(__name__)

# Bits of a mode that let other users in.
_OTHERS = 0o077
# The entries of a data folder that servers of any version make; what else is there is not ours to change.
_ENTRIES = re.compile(r"lock|catalog\..*|authn.*|journal|tls|etl|dsort|lost\+found|t[0-9]+")
_TARGET = re.compile(r"t[0-9]+")


class DataFolder:
    """The folder that a server keeps its data in, and entries of it that must stay what they are.

    A disk that is mounted over the folder, or a backup that is moved to its name, would take new content
    files while the catalog, which is open, stays in the folder before. So names are opened below the
    descriptor, and a change is refused when the path leads elsewhere by then.

    Args:
        path (Path): The folder, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._prefix = f"{path}/"
        self._identity = _identity(os.fstat(self.fd))
        self._entries: dict[str, _Identity] = {}

    def watch(self, name: str) -> None:
        """Remember which file or folder an entry is."""
        self._entries[name] = _identity(os.stat(name, dir_fd=self.fd))

    def check(self, entry: str = "") -> None:
        """Refuse to go on if the path, or a watched entry below it, is another folder or file by now.

        Raises:
            FolderReplaced: It is another, or does not exist.
        """
        # Every write does this: no calls of our own.
        try:
            found = os.stat(self._prefix)
            if (found.st_dev, found.st_ino) == self._identity:
                if not entry:
                    return
                found = os.stat(self._prefix + entry)
                if (found.st_dev, found.st_ino) == self._entries[entry]:
                    return
        except OSError:
            pass
        raise FolderReplaced(self._prefix + entry)

    def __del__(self) -> None:
        # Not before the last writer is gone that removes its file.
        with contextlib.suppress(AttributeError, OSError):
            os.close(self.fd)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def make_private(root: Path) -> None:
    """Take away what lets other users into a data folder that an older version made.

    A content file below folders that only their owner can enter can be reached by no one else: those are
    changed where a folder has to be.

    Raises:
        OSError: A folder can't be read, or its mode can't be changed.
    """
    try:
        _close(root)
    except PermissionError:
        log.warning("other users may look into %s: it belongs to another user", root)
    for entry in os.scandir(root):
        if not _ENTRIES.fullmatch(entry.name) or entry.is_symlink():
            continue
        if entry.is_dir():
            _close_below(Path(entry.path), only_open=bool(_TARGET.fullmatch(entry.name)))
        else:
            _close(Path(entry.path))


def _close_below(folder: Path, *, only_open: bool) -> None:
    """Close a folder and what is in it; with `only_open` the files of folders that were not closed alone."""
    was_open = _close(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _close_below(Path(entry.path), only_open=only_open)
            elif was_open or not only_open:
                _close(Path(entry.path))


def _close(path: Path) -> bool:
    """Whether other users had permissions, which they no longer have."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode) or not found.st_mode & _OTHERS:
        return False
    path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    return True


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by one that only its owner can read; it is whole after a crash, or what it was."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
