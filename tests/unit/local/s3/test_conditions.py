"""Conditional requests."""

from __future__ import annotations

import pytest

from aistore.local.catalog import ObjectMeta
from aistore.local.s3.conditions import COPY_SOURCE, check_read, write_condition
from aistore.local.s3.errors import S3Error

NOON = 1_700_049_600
AT, BEFORE, AFTER = (f"Wed, 15 Nov 2023 {time} GMT" for time in ("12:00:00", "11:59:59", "12:00:01"))
FAILED, UNCHANGED = "PreconditionFailed", "NotModified"


def _code(headers: dict[str, str], prefix: str = "") -> str:
    named = {f"{prefix}{name}": value for name, value in headers.items()}
    try:
        check_read(named, "tag", NOON * 10**9 + 999_999_999, prefix)
    except S3Error as err:
        return err.tcode
    return ""


READS = [
    ({}, ""),
    ({"if-match": '"tag"'}, ""),
    ({"if-match": "tag"}, ""),
    ({"if-match": '"x", W/"tag"'}, ""),
    ({"if-match": "*"}, ""),
    ({"if-match": '"other"'}, FAILED),
    ({"if-none-match": '"other"'}, ""),
    ({"if-none-match": '"tag"'}, UNCHANGED),
    ({"if-none-match": "*"}, UNCHANGED),
    ({"if-modified-since": BEFORE}, ""),
    ({"if-modified-since": AT}, UNCHANGED),
    ({"if-modified-since": "nonsense"}, ""),
    ({"if-unmodified-since": AT}, ""),
    ({"if-unmodified-since": AFTER}, ""),
    ({"if-unmodified-since": BEFORE}, FAILED),
    ({"if-match": '"tag"', "if-unmodified-since": BEFORE}, ""),
    ({"if-none-match": '"other"', "if-modified-since": AT}, ""),
]


@pytest.mark.parametrize(("headers", "expected"), READS)
def test_read(headers: dict[str, str], expected: str) -> None:
    assert _code(headers) == expected


@pytest.mark.parametrize(("headers", "expected"), READS)
def test_a_copy_has_no_use_for_not_modified(headers: dict[str, str], expected: str) -> None:
    assert _code(headers, COPY_SOURCE) == (FAILED if expected else "")


def _object(etag: str) -> ObjectMeta:
    return ObjectMeta("o", "f", 1, "xxhash", "x", 1, 0, 0, {}, etag=etag)


@pytest.mark.parametrize(
    ("headers", "old", "expected"),
    [
        ({"if-none-match": "*"}, None, ""),
        ({"if-none-match": "*"}, "tag", FAILED),
        ({"if-match": '"tag"'}, "tag", ""),
        ({"if-match": "*"}, "tag", ""),
        ({"if-match": '"tag"'}, "other", FAILED),
        ({"if-match": '"tag"'}, "", FAILED),
        ({"if-match": '"tag"'}, None, "NoSuchKey"),
    ],
)
def test_write(headers: dict[str, str], old: str | None, expected: str) -> None:
    condition = write_condition(headers)
    assert condition is not None
    code = ""
    try:
        condition(None if old is None else _object(old))
    except S3Error as err:
        code = err.tcode
    assert code == expected


def test_writes_are_unconditional_by_default() -> None:
    assert write_condition({}) is None
    with pytest.raises(S3Error, match="can only be"):
        write_condition({"if-none-match": '"tag"'})
