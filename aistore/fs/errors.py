"""Errors of paths, named as POSIX names them; what the cluster itself answers has `aistore.sdk.errors`."""

# ruff: noqa: N818 - named like the other errors of the SDK

from __future__ import annotations

import errno
import os

from aistore._files import ErrNotAFile
from aistore.sdk.errors import APIRequestError, ErrObjNotFound, SDKError

__all__ = [
    "ErrDirectoryNotEmpty",
    "ErrIsADirectory",
    "ErrNotADirectory",
    "ErrNotAFile",
    "ErrPathExists",
    "ErrPathNotFound",
    "PathError",
    "is_missing",
]


class PathError(SDKError, OSError):
    """A path that an operation cannot work on.

    Args:
        path: The path.
        hint: What to do instead. Default: "".
    """

    _errno = errno.EINVAL

    def __init__(self, path: str, hint: str = "") -> None:
        BaseException.__init__(self, f"{os.strerror(self._errno)}: {path!r}{f' ({hint})' if hint else ''}")
        self.errno = self._errno
        self.strerror = os.strerror(self._errno)
        self.filename = path

    def __str__(self) -> str:
        return str(self.args[0])


class ErrPathNotFound(PathError, FileNotFoundError):
    """There is neither an object nor a directory of this name."""

    _errno = errno.ENOENT


class ErrPathExists(PathError, FileExistsError):
    """There is an object or a bucket of this name."""

    _errno = errno.EEXIST


class ErrIsADirectory(PathError, IsADirectoryError):
    """It is a bucket or a directory, and an object is wanted."""

    _errno = errno.EISDIR


class ErrNotADirectory(PathError, NotADirectoryError):
    """It is an object, and a bucket or a directory is wanted."""

    _errno = errno.ENOTDIR


class ErrDirectoryNotEmpty(PathError):
    """Objects are in it."""

    _errno = errno.ENOTEMPTY


def is_missing(error: APIRequestError) -> bool:
    """Return whether an answer says that there is no such object.

    The name of a directory whose objects are on the same disk is answered with 500 (protocol/03).

    Args:
        error: The answer.
    """
    return isinstance(error, ErrObjNotFound) or error.tcode == "ErrLmetaNotFound"
