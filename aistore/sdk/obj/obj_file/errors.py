"""Errors of reading an object as a file."""

# ruff: noqa: N818 - the names are those that programs catch

from __future__ import annotations

from aistore.sdk.errors import SDKError


class ObjectFileReaderMaxResumeError(SDKError, OSError):
    """The stream broke more often than it may be resumed.

    Args:
        err: What broke it the last time.
        max_retries: How many times it broke.
    """

    def __init__(self, err: Exception, max_retries: int) -> None:
        super().__init__(f"the object's stream broke {max_retries} times, the last time with: {err}")
        self.original_error = err
        self.max_retries = max_retries


class ObjectFileReaderStreamError(SDKError, OSError):
    """The stream could not be opened or read.

    Args:
        err: Why.
    """

    def __init__(self, err: Exception) -> None:
        super().__init__(f"the object's stream cannot be read: {err}")
        self.original_error = err


class ObjectFileReaderUnexpectedEOF(SDKError, EOFError):
    """The stream ended, without any error, before the object did.

    Args:
        actual: How many bytes came.
        expected: How many should have.
    """

    def __init__(self, actual: int, expected: int) -> None:
        super().__init__(f"the object's stream ended at byte {actual} of {expected}")
        self.actual = actual
        self.expected = expected
