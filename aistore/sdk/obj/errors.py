"""Errors of reading and writing objects that no answer of the cluster stands for."""

# ruff: noqa: N818 - named like the other errors of the SDK

from __future__ import annotations

from aistore.sdk.errors import SDKError


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


class ErrChecksumMismatch(SDKError, OSError):
    """The bytes read are not those that the cluster's checksum was made of, or there is none to compare with.

    Args:
        path: Path of the object.
        checksum_type: Type of the checksum, "" when the cluster sent none.
        expected: The cluster's value.
        got: The value of the bytes read; "" when it cannot be computed.
    """

    def __init__(self, path: str, checksum_type: str, expected: str, got: str) -> None:
        if got:
            text = f"{path}: {checksum_type} of the bytes read is {got}, the cluster has {expected}"
        else:
            text = (
                f"{path}: no checksum to compare with (type {checksum_type or 'none'!r}, value {expected!r})"
            )
        super().__init__(text)
        self.path = path
        self.checksum_type = checksum_type
        self.expected = expected
        self.got = got
