"""Checksums of object bytes, as the cluster computes them (reference: protocol, checksums)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Protocol

import xxhash

from aistore.sdk.obj.errors import ErrChecksumMismatch

_CRC32C_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed


class Hasher(Protocol):
    """What computes a checksum piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, in lower-case hex."""


@cache
def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_CRC32C_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


class Crc32c:
    """CRC-32C in Python: right, but some 15 MB per second."""

    def __init__(self) -> None:
        self._crc = 0xFFFFFFFF

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes."""
        table = _crc32c_table()
        crc = self._crc
        for byte in memoryview(data).cast("B"):
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        self._crc = crc

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, as 8 hex digits."""
        return f"{self._crc ^ 0xFFFFFFFF:08x}"


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


def new_hasher(checksum_type: str) -> Hasher | None:
    """Return what computes checksums of the type.

    Args:
        checksum_type: `xxhash`, `xxhash2`, `md5`, `crc32c`, `sha256` or `sha512`.

    Returns:
        A new hasher, or `None` for any other type (`none`, "").
    """
    factory = _HASHERS.get(checksum_type)
    return factory() if factory else None


class ChecksumCheck:
    """Compares the bytes of an object, as they pass, with the checksum that the cluster keeps.

    Args:
        path: Path of the object, for the error.
        checksum_type: Type of the checksum.
        expected: Its value, in hex.

    Raises:
        ErrChecksumMismatch: The cluster keeps no checksum of a known type for the object.
    """

    def __init__(self, path: str, checksum_type: str, expected: str) -> None:
        hasher = new_hasher(checksum_type)
        if hasher is None or not expected:
            raise ErrChecksumMismatch(path, checksum_type, expected, "")
        self._hasher = hasher
        self._path = path
        self._type = checksum_type
        self._expected = expected.lower()

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.

        Args:
            data: They.
        """
        self._hasher.update(data)

    def finish(self) -> None:
        """Compare.

        Raises:
            ErrChecksumMismatch: The bytes are not those that the checksum was made of.
        """
        got = self._hasher.hexdigest()
        if got != self._expected:
            raise ErrChecksumMismatch(self._path, self._type, self._expected, got)
