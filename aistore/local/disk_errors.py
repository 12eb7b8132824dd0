"""The reasons for which a disk refuses something, as errors that name them."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from aistore.local.errors import LocalError, OutOfSpace, ReadOnlyDisk

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}
_LEAST_FREE = 1 << 20


def disk_error(err: OSError) -> Exception:
    """Return the error to raise in place of one of the system: itself, if it has no better name."""
    if err.errno in _FULL:
        return OutOfSpace(f"out of space: {err.strerror}")
    if err.errno == errno.EROFS:
        return ReadOnlyDisk(f"{_place(err)} is on a read-only disk")
    if err.errno in _TOO_MANY_FILES:
        return LocalError(f"too many files are open ({err.strerror}): raise `ulimit -n`", status=503)
    return err


def _place(err: OSError) -> str:
    return repr(err.filename) if err.filename else "the data folder"


def check_writable(path: str | Path) -> None:
    """Refuse a disk that is read-only.

    Raises:
        ReadOnlyDisk: It is.
    """
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        raise ReadOnlyDisk(f"{str(path)!r} is on a read-only disk")


def catalog_error(err: sqlite3.Error, path: Path) -> Exception:
    """Return the error to raise in place of one of SQLite, which seldom reports the system's reason.

    Args:
        err (sqlite3.Error): The error.
        path (Path): The file of the database.
    """
    if "disk is full" in str(err):
        return OutOfSpace(f"out of space: {err}")
    if "disk I/O" not in str(err) and "readonly" not in str(err) and "unable to open" not in str(err):
        return err
    try:
        check_writable(path.parent)
        with Path(os.devnull).open("rb"):  # fails if no more files may be open
            disk = os.statvfs(path.parent)
        # Not by opening it: closing it would end the locks that SQLite has on it.
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except LocalError as found:
        return found
    except OSError as found:
        reason = disk_error(found)
        if reason is found:
            reason = LocalError(f"the catalog {str(path)!r} can't be used: {found.strerror}", status=500)
        return reason
    if disk.f_bavail * disk.f_frsize < _LEAST_FREE:
        return OutOfSpace(f"out of space: {err}")
    return LocalError(f"the catalog {str(path)!r} can't be written: {err}", status=500)


def explain(err: BaseException, folder: Path | None) -> str:
    """Say in a sentence why the machine does not let a server run.

    Args:
        err (BaseException): An error of the system, of the catalog or of the store.
        folder (Path | None): The data folder, None for a temporary one.
    """
    where = "a temporary folder" if folder is None else f"the folder {str(folder)!r}"
    if isinstance(err, OSError):
        err = disk_error(err)
    if isinstance(err, LocalError):
        return f"{where} can't be used: {err.message}"
    if isinstance(err, sqlite3.Error):
        return f"the catalog of {where} can't be used: {err} (`fsck` reports what is wrong with it)"
    if isinstance(err, MemoryError):
        return "there is not enough memory to start"
    if isinstance(err, OSError):
        named = f"{err.filename!r}: " if err.filename else ""
        return f"{where} can't be used: {named}{err.strerror or err}"
    return f"the server can't run: {err}"
