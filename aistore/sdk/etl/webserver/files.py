"""Files that requests name (`etl_fqn`): which may be read, and how one is opened.

A path is judged twice: as it is written, and, once the file is open, by what was really opened, so that
neither a symbolic link nor an exchange of the file in between leads elsewhere.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import BinaryIO

from aistore.sdk.const import STATUS_FORBIDDEN
from aistore.sdk.etl.webserver.exchange import RequestFailed, check_size, is_object_fqn
from aistore.sdk.etl.webserver.settings import ENV_FQN, ENV_FQN_ROOTS, ServerSettings

# A pipe or a device must not hold up whoever opens it.
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FileRules:
    """Which files requests may name.

    Those below `AIS_ETL_FQN_ROOTS` where that is set, else objects' files as targets lay out their disks
    (`.../@provider/bucket/%ob/object`).

    Args:
        settings: The server's settings.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._enabled = settings.fqn
        self._roots = settings.fqn_roots
        self._below = tuple(root.rstrip(os.sep) + os.sep for root in settings.fqn_roots)

    def allows(self, path: str) -> bool:
        """Say whether a normalised path may be read; links are not followed."""
        if self._roots:
            return path.startswith(self._below) or path in self._roots
        return is_object_fqn(path)

    def check(self, path: str) -> None:
        """Refuse a normalised path that may not be read, links followed.

        Raises:
            RequestFailed: With 403.
        """
        self._check_enabled()
        if not self.allows(os.path.realpath(path)):
            raise self._refusal(path)

    def open(self, path: str) -> int:
        """Open a file that a request names.

        Args:
            path: Normalised.

        Returns:
            A file descriptor.

        Raises:
            RequestFailed: With 403, when the file may not be read.
            OSError: It cannot be.
        """
        self._check_enabled()
        if not self.allows(path) and not self.allows(os.path.realpath(path)):
            raise self._refusal(path)
        fd = os.open(path, _FLAGS)
        try:
            if not self.allows(_opened(fd, path)):
                raise self._refusal(path)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _check_enabled(self) -> None:
        if not self._enabled:
            raise RequestFailed(STATUS_FORBIDDEN, f"etl_fqn is turned off here ({ENV_FQN}=false)")

    def _refusal(self, path: str) -> RequestFailed:
        if self._roots:
            return RequestFailed(STATUS_FORBIDDEN, f"etl_fqn {path!r} is outside {ENV_FQN_ROOTS}")
        return RequestFailed(
            STATUS_FORBIDDEN,
            f"etl_fqn {path!r} is not an object's file below a target's mount path; "
            f"set {ENV_FQN_ROOTS} to the folders that may be read",
        )


def _opened(fd: int, path: str) -> str:
    """Return the path of what was opened."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:  # not on Linux
        return os.path.realpath(path)


def read_whole_file(fd: int, limit: int) -> bytes:
    """Read a file into memory and close it.

    Args:
        fd: The open file.
        limit: Bytes it may have.

    Raises:
        ObjectTooLarge: It has more.
        OSError: It cannot be read.
    """
    try:
        size = _regular_size(fd)
        check_size(limit, size)
        data = os.read(fd, size) if size else b""
        if len(data) == size:
            return data
        with open(fd, "rb", buffering=0, closefd=False) as file:
            return data + file.read()
    finally:
        os.close(fd)


def open_whole_file(fd: int) -> BinaryIO:
    """Turn a descriptor into a buffered file; it is closed when it is no regular one.

    Raises:
        OSError: It is not a regular file.
    """
    try:
        _regular_size(fd)
    except BaseException:
        os.close(fd)
        raise
    return io.BufferedReader(io.FileIO(fd, "rb"))


def _regular_size(fd: int) -> int:
    info = os.fstat(fd)
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return info.st_size
