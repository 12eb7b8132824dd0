"""Comparison of an object's bytes with the checksum that the cluster keeps."""

from __future__ import annotations

from aistore.sdk.checksums import new_hasher
from aistore.sdk.obj.errors import ErrChecksumMismatch


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
