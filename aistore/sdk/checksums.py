"""Checksums of object bytes, as the cluster computes them (reference: protocol, checksums)."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable
from functools import cache
from typing import Protocol

import xxhash

_CRC32C_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed


class Hasher(Protocol):
    """What computes a checksum piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, in lower-case hex."""

    def copy(self) -> Hasher:
        """Return an independent hasher in the same state."""


@cache
def _crc32c_tables() -> tuple[array[int], array[int]]:
    of_bytes = array("L", [0] * 256)
    for index in range(256):
        crc = index
        for _ in range(8):
            crc = (crc >> 1) ^ (_CRC32C_POLYNOMIAL if crc & 1 else 0)
        of_bytes[index] = crc
    of_words = array("L", [0] * 65536)
    for index in range(65536):
        crc = (index >> 8) ^ of_bytes[index & 0xFF]
        of_words[index] = (crc >> 8) ^ of_bytes[crc & 0xFF]
    return of_bytes, of_words


class Crc32c:
    """CRC-32C (Castagnoli) in Python, 16 bits at a time: a few tens of MB/s."""

    def __init__(self) -> None:
        self._crc = 0xFFFFFFFF

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes."""
        of_bytes, of_words = _crc32c_tables()
        raw = bytes(data)
        even = len(raw) & ~1
        words = array("H", raw[:even])
        if sys.byteorder == "big":
            words.byteswap()
        crc = self._crc
        for word in words:
            crc = of_words[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
        if even != len(raw):
            crc = of_bytes[(crc ^ raw[-1]) & 0xFF] ^ (crc >> 8)
        self._crc = crc

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, as 8 hex digits."""
        return f"{self._crc ^ 0xFFFFFFFF:08x}"

    def copy(self) -> Crc32c:
        """Return an independent hasher in the same state."""
        other = Crc32c()
        other._crc = self._crc
        return other


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
