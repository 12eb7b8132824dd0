"""Errors of paths: caught as the built-in ones, and picklable."""

import errno
import pickle

import pytest

from aistore.fs import errors
from aistore.sdk.errors import SDKError


@pytest.mark.parametrize(
    ("cls", "builtin", "number"),
    [
        (errors.ErrPathNotFound, FileNotFoundError, errno.ENOENT),
        (errors.ErrPathExists, FileExistsError, errno.EEXIST),
        (errors.ErrIsADirectory, IsADirectoryError, errno.EISDIR),
        (errors.ErrNotADirectory, NotADirectoryError, errno.ENOTDIR),
        (errors.ErrDirectoryNotEmpty, OSError, errno.ENOTEMPTY),
    ],
)
def test_errors(cls, builtin, number):
    error = cls("b/k", "do this instead")
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert type(one) is cls
        assert isinstance(one, SDKError)
        assert isinstance(one, builtin)
        assert (one.errno, one.filename) == (number, "b/k")
        assert "'b/k' (do this instead)" in str(one)
