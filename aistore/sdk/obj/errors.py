"""Errors of reading and writing objects that no answer of the cluster stands for."""

# ruff: noqa: N818 - named like the other errors of the SDK

from __future__ import annotations

from aistore.errors import ErrChecksumMismatch, SDKError

__all__ = ["ErrChecksumMismatch", "ErrObjectChanged"]


class ErrObjectChanged(SDKError, OSError):
    """The object was overwritten while it was read: going on would mix two versions.

    Args:
        path: Path of the object.
        what: Which of its attributes changed.
        before: The attribute's value at the start of the read.
        after: Its value now.
    """

    def __init__(self, path: str, what: str, before: object, after: object) -> None:
        super().__init__(f"{path} changed while it was read: {what} was {before!r} and is {after!r}")
        self.path = path
        self.what = what
