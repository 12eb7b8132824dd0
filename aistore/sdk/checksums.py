"""Checksums of object bytes, as the cluster computes them (reference: protocol, checksums)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import xxhash

from aistore.sdk.crc import Crc32c


class Hasher(Protocol):
    """What computes a checksum piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, in lower-case hex."""

    def copy(self) -> Hasher:
        """Return an independent hasher in the same state."""


def _md5() -> Hasher:
    return hashlib.md5(usedforsecurity=False)


_HASHERS: dict[str, Callable[[], Hasher]] = {
    "xxhash": xxhash.xxh64,
    "xxhash2": xxhash.xxh64,
    "md5": _md5,
    "crc32c": Crc32c,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
CHECKSUM_TYPES = ("none", *_HASHERS)
"""Every type that a bucket can have."""


def new_hasher(checksum_type: str) -> Hasher | None:
    """Return what computes checksums of the type.

    Args:
        checksum_type: `xxhash`, `xxhash2`, `md5`, `crc32c`, `sha256` or `sha512`.

    Returns:
        A new hasher, or `None` for any other type (`none`, "").
    """
    factory = _HASHERS.get(checksum_type)
    return factory() if factory else None
