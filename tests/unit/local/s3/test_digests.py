"""Announced digests."""

from __future__ import annotations

import base64
import hashlib

import pytest

from aistore.local.s3 import digests
from aistore.local.s3.errors import S3Error

# The check values of the catalogue of CRCs, for "123456789".
CHECKS = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}


@pytest.mark.parametrize("cut", range(10))
@pytest.mark.parametrize("algorithm", sorted(CHECKS))
def test_check_values(algorithm: str, cut: int) -> None:
    hasher = digests.new_digest(algorithm)
    hasher.update(b"123456789"[:cut])
    hasher.update(b"123456789"[cut:])
    assert hasher.hexdigest() == CHECKS[algorithm]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
def test_announced_and_verified(algorithm: str) -> None:
    value = base64.b64encode(hashlib.new(algorithm, b"data").digest()).decode()
    header = "content-md5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}"
    (expected,) = digests.announced({header: value, "x-amz-checksum-algorithm": "X", "other": "y"})
    hasher = digests.new_digest(algorithm)
    hasher.update(b"data")
    expected.check(hasher.hexdigest())
    assert digests.echo([expected]) == ([] if algorithm == "md5" else [(header, value)])
    hasher.update(b"more")
    with pytest.raises(S3Error) as error:
        expected.check(hasher.hexdigest())
    assert error.value.tcode == "BadDigest"


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("content-md5", "not base64", "InvalidDigest"),
        ("content-md5", "AAAA", "InvalidDigest"),
        ("x-amz-checksum-crc32", "\u00fc", "InvalidDigest"),
        ("x-amz-checksum-crc99", "AAAA", "NotImplemented"),
    ],
)
def test_refused(header: str, value: str, code: str) -> None:
    with pytest.raises(S3Error) as error:
        digests.announced({header: value})
    assert error.value.tcode == code


def test_trailers() -> None:
    assert digests.in_trailer({"x-amz-trailer": "X-Amz-Checksum-CRC32, x-amz-meta"}) == ["crc32"]
    assert digests.in_trailer({}) == []
    with pytest.raises(S3Error, match="crc99"):
        digests.in_trailer({"x-amz-trailer": "x-amz-checksum-crc99"})
