"""Digests that a sender announces for a body: `Content-MD5`, `x-amz-checksum-*`, `x-amz-content-sha256`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.s3.errors import S3Error
from aistore.wire.checksums import Crc64Nvme, Digest, any_hasher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "x-amz-checksum-"
_NOT_DIGESTS = {"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"}


class _Crc32:
    def __init__(self) -> None:
        self._crc = 0

    def update(self, data: bytes, /) -> None:
        self._crc = zlib.crc32(data, self._crc)

    def hexdigest(self) -> str:
        return f"{self._crc:08x}"


ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": _Crc32,
    "crc32c": lambda: any_hasher("crc32c"),
    "crc64nvme": Crc64Nvme,
    "md5": lambda: any_hasher("md5"),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": lambda: any_hasher("sha256"),
    "sha512": lambda: any_hasher("sha512"),
}


def new_digest(algorithm: str) -> Digest:
    """A fresh hasher of an algorithm that `announced` let through."""
    return ALGORITHMS[algorithm]()


class Expected(NamedTuple):
    """A digest to hold a body against.

    Attributes:
        header: Which header announced it.
        algorithm: Of which kind.
        digest: Lower-case hexadecimal.
    """

    header: str
    algorithm: str
    digest: str

    def check(self, actual: str) -> None:
        """Compare with the digest of what arrived.

        Raises:
            S3Error: `BadDigest`, or `XAmzContentSHA256Mismatch` for the hash that was signed.
        """
        if actual == self.digest:
            return
        code = "XAmzContentSHA256Mismatch" if self.header == "x-amz-content-sha256" else "BadDigest"
        raise S3Error(code, f"the body does not have the digest that {self.header} announces")


def _decode(header: str, algorithm: str, value: str) -> Expected:
    try:
        digest = base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        digest = ""
    if len(digest) != len(new_digest(algorithm).hexdigest()):
        raise S3Error("InvalidDigest", f"{header}: {value[:100]!r} is not a {algorithm} digest in base64")
    return Expected(header, algorithm, digest)


def _algorithm(header: str) -> str:
    name = header.removeprefix(PREFIX)
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise S3Error("NotImplemented", f"{header} can't be verified here: known are {known}")
    return name


def announced(headers: Mapping[str, str]) -> list[Expected]:
    """What the headers of a request, or a trailer, announce.

    Raises:
        S3Error: A digest is malformed, or of a kind that can't be verified.
    """
    found = [
        _decode(header, _algorithm(header), value)
        for header, value in headers.items()
        if header.startswith(PREFIX) and header not in _NOT_DIGESTS
    ]
    if "content-md5" in headers:
        found.append(_decode("content-md5", "md5", headers["content-md5"]))
    return found


def in_trailer(headers: Mapping[str, str]) -> list[str]:
    """Algorithms of the digests that will follow the body.

    Raises:
        S3Error: One of them can't be verified.
    """
    names = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")]
    return [_algorithm(name) for name in names if name.startswith(PREFIX)]


def echo(expected: list[Expected]) -> list[tuple[str, str]]:
    """The verified `x-amz-checksum-*` headers, for the answer."""
    return [
        (item.header, base64.b64encode(bytes.fromhex(item.digest)).decode())
        for item in expected
        if item.header.startswith(PREFIX)
    ]
