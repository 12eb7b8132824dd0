"""The checksum types of protocol/10, `none` included, with the cluster's error for any other."""

from __future__ import annotations

from typing import Protocol

from aistore.local.errors import InvalidRequest
from aistore.sdk import checksums
from aistore.sdk.checksums import CHECKSUM_TYPES, Hasher


class Digest(Protocol):
    """A digest of bytes that are taken in piece by piece."""

    def update(self, data: bytes, /) -> object:
        """Take in the next bytes."""

    def hexdigest(self) -> str:
        """Return the digest so far, in lower-case hexadecimal."""


class NoChecksum:
    """Type `none`: the digest is empty."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in nothing."""

    def hexdigest(self) -> str:
        """Empty."""
        return ""

    def copy(self) -> NoChecksum:
        """There is no state to share."""
        return self


def new_hasher(kind: str) -> Hasher:
    """A fresh hasher of a checksum type; empty means `none`.

    Raises:
        InvalidRequest: An unknown type.
    """
    if kind:
        check_type(kind)
    return checksums.new_hasher(kind) or NoChecksum()


def check_type(kind: str) -> None:
    """Refuse an unknown checksum type.

    Raises:
        InvalidRequest: Names the types there are.
    """
    if kind not in CHECKSUM_TYPES:
        raise InvalidRequest(
            f'invalid checksum type "{kind}" (expecting {" or ".join(CHECKSUM_TYPES)})',
        )
