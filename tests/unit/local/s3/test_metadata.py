"""Headers kept with an object."""

from __future__ import annotations

import pytest

from aistore.local.s3 import metadata
from aistore.local.s3.errors import S3Error


def test_round_trip() -> None:
    custom = metadata.from_headers(
        {
            "x-amz-meta-a": "1",
            "x-amz-meta-": "no key",
            "content-type": "text/plain",
            "content-encoding": "aws-chunked, gzip",
            "host": "x",
            "x-amz-date": "y",
        }
    )
    assert custom == {"a": "1", "Content-Type": "text/plain", "Content-Encoding": "gzip"}
    content_type, headers = metadata.to_headers(custom)
    assert content_type == "text/plain"
    assert dict(headers) == {"x-amz-meta-a": "1", "Content-Encoding": "gzip"}


def test_framing_is_no_encoding() -> None:
    assert metadata.from_headers({"content-encoding": "aws-chunked"}) == {}


def test_keys_that_are_no_header_names_are_counted() -> None:
    _, headers = metadata.to_headers({"a b": "1", "ok": "2", "x:y": "3"})
    assert dict(headers) == {"x-amz-meta-ok": "2", "x-amz-missing-meta": "2"}


def test_limits() -> None:
    metadata.from_headers({"x-amz-meta-a": "x" * 2047})
    with pytest.raises(S3Error) as error:
        metadata.from_headers({"x-amz-meta-a": "x" * 2048})
    assert error.value.tcode == "MetadataTooLarge"
    with pytest.raises(S3Error, match="UTF-8"):
        metadata.from_headers({"x-amz-meta-a": "\udcff"})
