"""The data folder, held by a descriptor: bytes and rows go to the same folder, or nowhere."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from aistore.local.errors import FolderReplaced

if TYPE_CHECKING:
    from pathlib import Path

    _Identity = tuple[int, int]


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
        found = None
        with contextlib.suppress(OSError):
            found = _identity(os.stat(self.path))
            if found == self._identity and entry:
                found = _identity(os.stat(self._prefix + entry))
        if found != (self._entries[entry] if entry else self._identity):
            raise FolderReplaced(self._prefix + entry)

    def __del__(self) -> None:
        # Not before the last writer is gone that removes its file.
        with contextlib.suppress(AttributeError, OSError):
            os.close(self.fd)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
