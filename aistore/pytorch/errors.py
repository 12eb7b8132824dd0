"""Errors of datasets."""

# ruff: noqa: N818 - named like the other errors of the SDK

from __future__ import annotations

import pickle
import tarfile

from aistore.sdk.errors import InvalidArgument, SDKError


class ErrSampleUnreadable(SDKError, RuntimeError):
    """An object could not be read, and the dataset is not to go on without it."""


class ErrNotATar(SDKError, tarfile.ReadError):
    """A shard is not a tar archive, or a damaged one."""


class ErrSampleClash(InvalidArgument):
    """Two files of a shard are the same part of the same sample."""


class ErrCannotResume(InvalidArgument):
    """A saved state does not fit the dataset: it is of another split or order, or the objects changed."""


class ErrUnsafeCheckpoint(SDKError, pickle.UnpicklingError):
    """The metadata of a checkpoint holds what could run code."""
