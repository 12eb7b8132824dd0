"""Errors of Get-Batch answers."""

# ruff: noqa: N818 - named like the other errors of the SDK

from __future__ import annotations

from aistore.errors import ErrArchiveTruncated as ErrArchiveTruncated  # noqa: PLC0414 - imported from here, too
from aistore.sdk.errors import AISChunkedEncodingError, ErrInvalidResponse, ErrObjNotFound, SDKError


class MultipartDecodeError(SDKError, ValueError):
    """A multipart body that cannot be decoded."""


class ErrBatchFormat(ErrInvalidResponse, RuntimeError):
    """An answer that is not what it says: not an archive, or one that is damaged."""


class ErrBatchMismatch(ErrBatchFormat):
    """A member of the archive is not the entry that was asked for at its place, or there are too many."""


class ErrBatchIncomplete(AISChunkedEncodingError):
    """The answer ended before the last entry, and asking again for the rest did not help.

    Args:
        missing: Full names of the entries that did not come, in order.
        total: How many entries were asked for.

    Attributes:
        missing: The same.
    """

    def __init__(self, missing: list[str], total: int) -> None:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        done = total - len(missing)
        super().__init__(f"Get-Batch answer ended after {done} of {total} entries, missing: {shown}")
        self.missing = missing
        self.total = total


class ErrBatchEntryNotFound(ErrObjNotFound):
    """An entry of a batch that must not miss any could not be read.

    Args:
        name: Full name of the entry.
        message: What the cluster said of it.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(404, f"{name}: {message}", "", None)
        self.name = name
