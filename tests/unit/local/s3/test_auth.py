"""Whether a request is signed with the server's keys."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from aistore.local.api.request import Request
from aistore.local.s3.auth import authorize
from aistore.local.s3.errors import S3Error
from aistore.local.s3.keys import Keys, make_keys
from aistore.local.s3.signature import EMPTY_SHA256

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, 0, 5, tzinfo=timezone.utc)
SIGNED = {
    "Host": "examplebucket.s3.amazonaws.com",
    "Range": "bytes=0-9",
    "x-amz-content-sha256": EMPTY_SHA256,
    "x-amz-date": "20130524T000000Z",
    "Authorization": "AWS4-HMAC-SHA256 "
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
}
PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
    "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def _request(
    headers: dict[str, str], query: str = "", path: str = "/test.txt", method: str = "GET"
) -> Request:
    scope: dict[str, Any] = {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        raise AssertionError("no body is read")

    return Request(scope, receive, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]


def _code(request: Request, keys: Keys = KEYS, now: datetime = NOW) -> str:
    with pytest.raises(S3Error) as error:
        authorize(request, keys, now)
    return error.value.tcode


def test_signed_header() -> None:
    grant = authorize(_request(SIGNED), KEYS, NOW)
    assert grant is not None
    assert grant.claim.access == KEYS.access


def test_presigned() -> None:
    host = {"Host": SIGNED["Host"]}
    assert authorize(_request(host, PRESIGNED), KEYS, NOW) is not None
    assert _code(_request(host, PRESIGNED + "&versionId=1")) == "SignatureDoesNotMatch"
    assert _code(_request(host, PRESIGNED), now=datetime(2013, 5, 26, tzinfo=timezone.utc)) == "AccessDenied"
    assert _code(_request({**host, "x-amz-acl": "public"}, PRESIGNED)) == "AccessDenied"


def test_without_keys_everything_is_accepted() -> None:
    assert authorize(_request({}), None) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Range": "bytes=0-10"}, "SignatureDoesNotMatch"),
        ({"Host": "other"}, "SignatureDoesNotMatch"),
        ({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, "SignatureDoesNotMatch"),
        ({"x-amz-content-sha256": ""}, "InvalidArgument"),
        ({"x-amz-content-sha256": EMPTY_SHA256.upper()}, "InvalidArgument"),
        ({"x-amz-content-sha256": "STREAMING-OTHER"}, "InvalidArgument"),
        ({"x-amz-meta-a": "1"}, "AccessDenied"),
        ({"Authorization": ""}, "AccessDenied"),
        ({"Authorization": "AWS key:signature"}, "InvalidRequest"),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, "AuthorizationHeaderMalformed"),
    ],
)
def test_changed_requests_are_refused(changes: dict[str, str], code: str) -> None:
    assert _code(_request({**SIGNED, **changes})) == code


def test_other_ways_to_be_refused() -> None:
    assert _code(_request(SIGNED), Keys("other", KEYS.secret)) == "InvalidAccessKeyId"
    assert _code(_request(SIGNED), Keys(KEYS.access, "other")) == "SignatureDoesNotMatch"
    assert (
        _code(_request(SIGNED), now=datetime(2013, 5, 24, 1, tzinfo=timezone.utc)) == "RequestTimeTooSkewed"
    )
    assert _code(_request(SIGNED, path="/other")) == "SignatureDoesNotMatch"
    assert _code(_request(SIGNED, method="DELETE")) == "SignatureDoesNotMatch"
    missing = {name: value for name, value in SIGNED.items() if name != "x-amz-content-sha256"}
    assert _code(_request(missing)) == "InvalidRequest"


def test_the_secret_does_not_show() -> None:
    assert KEYS.secret not in repr(KEYS)
    assert KEYS.secret not in f"{KEYS}"
    assert make_keys("", "") is None
    for access, secret in (("a", ""), ("", "s"), ("a/b", "s"), ("\u00fc", "s")):
        with pytest.raises(ValueError, match=r"S3 (access|secret) key"):
            make_keys(access, secret)


# The presigned URL of "Signing and authenticating REST requests".
V2_QUERY = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
V2_PATH = "/johnsmith/photos/puppy.jpg"
V2_NOW = datetime.fromtimestamp(1175139600, timezone.utc)


def test_urls_of_version_2() -> None:
    for path in (V2_PATH, "/s3" + V2_PATH):
        request = _request({"Host": "x"}, V2_QUERY, path)
        assert authorize(request, KEYS, V2_NOW) is None


@pytest.mark.parametrize(
    ("query", "path", "headers", "code"),
    [
        (V2_QUERY, V2_PATH + "2", {}, "SignatureDoesNotMatch"),
        (V2_QUERY + "&versionId=1", V2_PATH, {}, "SignatureDoesNotMatch"),
        (V2_QUERY + "&%75ploadId=1", V2_PATH, {}, "SignatureDoesNotMatch"),
        (V2_QUERY, V2_PATH, {"x-amz-acl": "public"}, "SignatureDoesNotMatch"),
        (V2_QUERY, V2_PATH, {"content-type": "a/b"}, "SignatureDoesNotMatch"),
        (V2_QUERY.replace("620", "500"), V2_PATH, {}, "AccessDenied"),
        (V2_QUERY.replace("620", "700"), V2_PATH, {}, "SignatureDoesNotMatch"),
        (V2_QUERY.replace("Expires=1175139620", "Expires=x"), V2_PATH, {}, "AccessDenied"),
        ("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE", V2_PATH, {}, "AccessDenied"),
        (V2_QUERY.replace("AKIA", "X"), V2_PATH, {}, "InvalidAccessKeyId"),
        (V2_QUERY, V2_PATH, {"authorization": "AWS a:b"}, "InvalidRequest"),
    ],
)
def test_changed_urls_of_version_2_are_refused(
    query: str, path: str, headers: dict[str, str], code: str
) -> None:
    assert _code(_request(headers, query, path), KEYS, V2_NOW) == code
