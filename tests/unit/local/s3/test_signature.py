"""Signature V4 against the examples of the S3 API reference."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from aistore.local.s3 import signature

ACCESS = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = "20130524T000000Z"
SCOPE = "20130524/us-east-1/s3/aws4_request"
HOST = ("host", ["examplebucket.s3.amazonaws.com"])
EMPTY = [("x-amz-content-sha256", [signature.EMPTY_SHA256]), ("x-amz-date", [DATE])]
PUT_HASH = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
STORAGE = ("x-amz-storage-class", ["REDUCED_REDUNDANCY"])
PRESIGNED = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": f"{ACCESS}/{SCOPE}",
    "X-Amz-Date": DATE,
    "X-Amz-Expires": "86400",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
}


def _sign(method: str, path: str, query: str, headers: list[tuple[str, list[str]]], payload: str) -> str:
    canonical = signature.canonical_request(method, path, query, headers, payload)
    return signature.sign(signature.signing_key(SECRET, SCOPE), DATE, SCOPE, canonical)


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "expected"),
    [
        pytest.param(
            "GET",
            "/test.txt",
            "",
            [HOST, ("range", ["bytes=0-9"]), *EMPTY],
            signature.EMPTY_SHA256,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="get-object",
        ),
        pytest.param(
            "PUT",
            "/test$file.text",
            "",
            [
                ("date", ["Fri, 24 May 2013 00:00:00 GMT"]),
                HOST,
                ("x-amz-content-sha256", [PUT_HASH]),
                ("x-amz-date", [DATE]),
                STORAGE,
            ],
            PUT_HASH,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            id="put-object",
        ),
        pytest.param(
            "GET",
            "/",
            "lifecycle",
            [HOST, *EMPTY],
            signature.EMPTY_SHA256,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="get-bucket-lifecycle",
        ),
        pytest.param(
            "GET",
            "/",
            "prefix=J&max-keys=2",
            [HOST, *EMPTY],
            signature.EMPTY_SHA256,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="list-objects",
        ),
        pytest.param(
            "GET",
            "/test.txt",
            "&".join(f"{key}={value.replace('/', '%2F')}" for key, value in PRESIGNED.items()),
            [HOST],
            signature.UNSIGNED,
            PRESIGNED["X-Amz-Signature"],
            id="presigned",
        ),
    ],
)
def test_published_examples(
    method: str, path: str, query: str, headers: list[tuple[str, list[str]]], payload: str, expected: str
) -> None:
    assert _sign(method, path, query, headers, payload) == expected


def test_paths_are_encoded_once_and_not_normalised() -> None:
    assert signature.canonical_path("/b/a%20b//../%C3%BC~$") == "/b/a%20b//../%C3%BC~%24"


def test_header_values_are_trimmed_and_joined() -> None:
    canonical = signature.canonical_request("GET", "/", "", [("x", [" a  b ", "c"])], "-")
    assert "\nx:a b,c\n" in canonical


def test_authorization_header() -> None:
    value = f"AWS4-HMAC-SHA256 Credential={ACCESS}/{SCOPE},SignedHeaders=host;x-amz-date, Signature=abc"
    claim = signature.parse_authorization(value, DATE)
    assert claim == (ACCESS, SCOPE, ("host", "x-amz-date"), "abc", DATE, None)


@pytest.mark.parametrize(
    ("value", "date", "problem"),
    [
        ("AWS abc:def", DATE, "expecting AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 nothing", DATE, "Credential is missing"),
        (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{SCOPE}, SignedHeaders=host", DATE, "Signature is missing"),
        (f"AWS4-HMAC-SHA256 Credential={ACCESS}, SignedHeaders=host, Signature=a", DATE, "credential"),
        (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{SCOPE}, SignedHeaders=x, Signature=a", DATE, "host"),
        (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{SCOPE}, SignedHeaders=host, Signature=a", "", "date"),
        (
            f"AWS4-HMAC-SHA256 Credential={ACCESS}/{SCOPE}, SignedHeaders=host, Signature=a",
            "20130525T000000Z",
            "another day",
        ),
    ],
)
def test_malformed_authorization(value: str, date: str, problem: str) -> None:
    with pytest.raises(signature.MalformedSignature, match=problem):
        signature.parse_authorization(value, date)


@pytest.mark.parametrize("expires", ["0", "604801", "-1", "x", "", "\u0661"])
def test_presigned_urls_last_up_to_a_week(expires: str) -> None:
    with pytest.raises(signature.MalformedSignature, match="604800"):
        signature.parse_presigned({**PRESIGNED, "X-Amz-Expires": expires})


@pytest.mark.parametrize("missing", sorted(PRESIGNED))
def test_presigned_urls_are_complete(missing: str) -> None:
    query = {key: value for key, value in PRESIGNED.items() if key != missing}
    with pytest.raises(signature.MalformedSignature, match=missing):
        signature.parse_presigned(query)


@pytest.mark.parametrize(
    ("presigned", "offset", "problem"),
    [
        (False, timedelta(minutes=14), ""),
        (False, timedelta(minutes=-14), ""),
        (False, timedelta(minutes=16), "skewed"),
        (False, timedelta(minutes=-16), "skewed"),
        (True, timedelta(hours=23), ""),
        (True, timedelta(hours=25), "expired"),
        (True, timedelta(minutes=-16), "skewed"),
    ],
)
def test_signatures_are_good_for_a_time(presigned: bool, offset: timedelta, problem: str) -> None:
    claim = signature.parse_presigned(PRESIGNED)
    if not presigned:
        claim = claim._replace(expires=None)
    now = datetime(2013, 5, 24, tzinfo=timezone.utc) + offset
    assert signature.time_problem(claim, now) == problem
