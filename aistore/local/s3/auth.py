"""Whether a request is signed with the server's keys."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.s3 import signature
from aistore.local.s3.errors import S3Error
from aistore.local.s3.signature import Claim, MalformedSignature

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.s3.keys import Keys

CONTENT_HASH = "x-amz-content-sha256"
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
    claim = _claim(req)
    if not signature.same(keys.access, claim.access):
        raise S3Error("InvalidAccessKeyId", "the access key is not the one that this server was given")
    _check_time(claim, now or datetime.now(timezone.utc))
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
        raise S3Error(
            "SignatureDoesNotMatch",
            "the signature is not the one that this request has with the server's secret key",
        )
    return Grant(claim, key)


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
    if "AWSAccessKeyId" in req.query:
        raise S3Error("InvalidRequest", _USE_V4)
    raise S3Error("AccessDenied", "this server takes signed requests only")


def _check_time(claim: Claim, now: datetime) -> None:
    problem = signature.time_problem(claim, now)
    if problem == "expired":
        raise S3Error("AccessDenied", "Request has expired")
    if problem:
        raise S3Error(
            "RequestTimeTooSkewed",
            f"the request was signed at {claim.date}, more than 15 minutes from the server's time "
            f"({now:%Y%m%dT%H%M%SZ})",
        )


def _payload_hash(req: Request, claim: Claim) -> str:
    if CONTENT_HASH in req.headers:
        return req.headers[CONTENT_HASH]
    if claim.expires is None:
        raise S3Error("InvalidRequest", f"Missing required header for this request: {CONTENT_HASH}")
    return req.query.get("X-Amz-Content-Sha256", signature.UNSIGNED)
