"""Whether a request is signed with the server's keys."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.s3 import signature, signature_v2
from aistore.local.s3.errors import S3Error
from aistore.local.s3.signature import Claim, MalformedSignature

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.s3.keys import Keys

CONTENT_HASH = "x-amz-content-sha256"
SIGNED_STREAMS = frozenset(
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}
)
STREAMS = SIGNED_STREAMS | {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USE_V4 = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 "
    "(boto3: Config(signature_version='s3v4'))."
)


class Grant(NamedTuple):
    """A signature that was found good: the claim, and the key that it was made with."""

    claim: Claim
    key: bytes


def authorize(req: Request, keys: Keys | None, now: datetime | None = None) -> Grant | None:
    """Check the signature of a request; without keys every request is accepted as it is.

    Args:
        req (Request): The request.
        keys (Keys | None): The server's.
        now (datetime | None): The time; None takes the clock's.

    Raises:
        S3Error: It is not signed, or not with these keys, or not now, or something was changed since.
    """
    if keys is None:
        return None
    now = now or datetime.now(timezone.utc)
    if signature_v2.is_presigned(req.query) and "authorization" not in req.headers:
        _check_v2(req, keys, now)
        return None
    claim = _claim(req)
    _check_access(keys, claim.access)
    _check_time(claim, now)
    unsigned = [
        name for name in req.headers if name.startswith("x-amz-") and name not in claim.signed_headers
    ]
    if unsigned:
        raise S3Error("AccessDenied", f"headers that are not signed: {', '.join(unsigned)}")
    key = signature.signing_key(keys.secret, claim.scope)
    headers = [(name, req.header_values(name)) for name in claim.signed_headers]
    canonical = signature.canonical_request(
        req.method, req.raw_path, req.raw_query, headers, _payload_hash(req, claim)
    )
    if not signature.same(signature.sign(key, claim.date, claim.scope, canonical), claim.signature):
        raise _mismatch()
    return Grant(claim, key)


def _check_access(keys: Keys, access: str) -> None:
    if not signature.same(keys.access, access):
        raise S3Error("InvalidAccessKeyId", "the access key is not the one that this server was given")


def _mismatch() -> S3Error:
    return S3Error(
        "SignatureDoesNotMatch",
        "the signature is not the one that this request has with the server's secret key",
    )


def _check_v2(req: Request, keys: Keys, now: datetime) -> None:
    query = req.query
    _check_access(keys, query["AWSAccessKeyId"])
    expires = query.get("Expires", "")
    if not (expires.isascii() and expires.isdigit() and "Signature" in query):
        raise S3Error(
            "AccessDenied", "a presigned URL has the parameters AWSAccessKeyId, Expires and Signature"
        )
    if now.timestamp() > int(expires[:15]):
        raise _expired()
    # Some clients sign the path that they send, others only what follows the endpoint that they were given.
    for path in (req.raw_path, req.raw_path.removeprefix("/s3")):
        text = signature_v2.string_to_sign(req.method, path, req.raw_query, query, req.headers)
        if signature.same(signature_v2.sign(keys.secret, text), query["Signature"]):
            return
    raise _mismatch()


def _expired() -> S3Error:
    return S3Error("AccessDenied", "Request has expired")


def _claim(req: Request) -> Claim:
    header = req.headers.get("authorization", "")
    try:
        if header:
            if not header.startswith(signature.ALGORITHM + " "):
                raise S3Error("InvalidRequest", _USE_V4)
            return signature.parse_authorization(header, req.headers.get("x-amz-date", ""))
        if signature.is_presigned(req.query):
            return signature.parse_presigned(req.query)
    except MalformedSignature as err:
        raise S3Error("AuthorizationHeaderMalformed", str(err)) from err
    raise S3Error("AccessDenied", "this server takes signed requests only")


def _check_time(claim: Claim, now: datetime) -> None:
    problem = signature.time_problem(claim, now)
    if problem == "expired":
        raise _expired()
    if problem:
        raise S3Error(
            "RequestTimeTooSkewed",
            f"the request was signed at {claim.date}, more than 15 minutes from the server's time "
            f"({now:%Y%m%dT%H%M%SZ})",
        )


def content_hash(req: Request) -> str | None:
    """What a request says of its body: a SHA-256, that it is a stream, or that it is not signed.

    The signature of a request covers this and nothing else of its body, so the body must be held against it.

    Returns:
        The value of the header, or of the query of a presigned URL; None if there is neither.

    Raises:
        S3Error: It is none of these, or empty.
    """
    found = req.headers.get(CONTENT_HASH, req.query.get("X-Amz-Content-Sha256"))
    if found is None or found == signature.UNSIGNED or found in STREAMS or _SHA256.fullmatch(found):
        return found
    raise S3Error(
        "InvalidArgument",
        f"{CONTENT_HASH} must be UNSIGNED-PAYLOAD, a SHA-256 in lower-case hexadecimal or a kind of stream, "
        f"got {found[:100]!r}",
    )


def _payload_hash(req: Request, claim: Claim) -> str:
    found = content_hash(req)
    if found is None and claim.expires is None:
        raise S3Error("InvalidRequest", f"Missing required header for this request: {CONTENT_HASH}")
    return found or signature.UNSIGNED
