"""AWS Signature Version 4 as functions over values: what is signed, and with what.

Sources: "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference, with its parts on query
parameters and on signing payloads in chunks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from aistore.wire.query import parameters

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256().hexdigest()
MAX_SKEW = timedelta(minutes=15)
MAX_EXPIRES = 7 * 24 * 3600

_DATE = "%Y%m%dT%H%M%SZ"
_SPACES = re.compile(r" +")
_SIGNATURE_PARAMETER = "X-Amz-Signature"


class MalformedSignature(ValueError):  # noqa: N818 - named for what happened
    """The credentials of a request can't be read."""


class Claim(NamedTuple):
    """What a request says about its signature.

    Attributes:
        access: The access key.
        scope: Date, region, service and `aws4_request`, with slashes.
        signed_headers: Lower-case names, in the order given.
        signature: Lower-case hexadecimal.
        date: When it was signed, `YYYYMMDDTHHMMSSZ`.
        expires: Seconds that a presigned URL is good for, None for a signed header.
    """

    access: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    expires: int | None = None

    @property
    def signed_at(self) -> datetime:
        """When it was signed."""
        return datetime.strptime(self.date, _DATE).replace(tzinfo=timezone.utc)


def _claim(credential: str, signed: str, signature: str, date: str, expires: int | None = None) -> Claim:
    access, slash, scope = credential.partition("/")
    parts = scope.split("/")
    if not slash or len(parts) != 4 or parts[2:] != ["s3", "aws4_request"]:
        raise MalformedSignature("the credential is not KEY/DATE/REGION/s3/aws4_request")
    names = tuple(signed.split(";"))
    if "host" not in names:
        raise MalformedSignature("the signed headers do not include the host")
    claim = Claim(access, scope, names, signature, date, expires)
    try:
        day = claim.signed_at.strftime("%Y%m%d")
    except ValueError as err:
        raise MalformedSignature(f"the date {date!r} is not of the form YYYYMMDDTHHMMSSZ") from err
    if day != parts[0]:
        raise MalformedSignature(f"the credential is of another day ({parts[0]}) than the request ({day})")
    return claim


def parse_authorization(value: str, date: str) -> Claim:
    """The claim in an `Authorization` header; `date` is the value of `x-amz-date`.

    Raises:
        MalformedSignature: Another scheme, or parts are missing.
    """
    algorithm, _, rest = value.partition(" ")
    if algorithm != ALGORITHM:
        raise MalformedSignature(f"expecting {ALGORITHM}, got {algorithm[:40]!r}")
    fields = dict(item.strip().partition("=")[::2] for item in rest.split(","))
    try:
        return _claim(fields["Credential"], fields["SignedHeaders"], fields["Signature"], date)
    except KeyError as err:
        raise MalformedSignature(f"{err.args[0]} is missing in the Authorization header") from err


def is_presigned(query: dict[str, str]) -> bool:
    """Whether the query carries a signature of this version."""
    return "X-Amz-Algorithm" in query or _SIGNATURE_PARAMETER in query


def parse_presigned(query: dict[str, str]) -> Claim:
    """The claim in the query of a presigned URL.

    Raises:
        MalformedSignature: Another algorithm, parts are missing, or it lasts longer than a week.
    """
    try:
        algorithm, expires = query["X-Amz-Algorithm"], query["X-Amz-Expires"]
        credential, signed = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"]
        signature, date = query[_SIGNATURE_PARAMETER], query["X-Amz-Date"]
    except KeyError as err:
        raise MalformedSignature(f"the query parameter {err.args[0]} is missing") from err
    if algorithm != ALGORITHM:
        raise MalformedSignature(f"expecting {ALGORITHM}, got {algorithm[:40]!r}")
    if not (expires.isascii() and expires.isdigit() and 1 <= int(expires[:9]) <= MAX_EXPIRES):
        raise MalformedSignature(f"X-Amz-Expires must be 1 to {MAX_EXPIRES} seconds, got {expires[:40]!r}")
    return _claim(credential, signed, signature, date, int(expires))


def time_problem(claim: Claim, now: datetime) -> str:
    """Why the claim is not good at a time: `skewed`, `expired`, or empty if it is good."""
    age = now - claim.signed_at
    if claim.expires is None:
        return "skewed" if abs(age) > MAX_SKEW else ""
    if age < -MAX_SKEW:
        return "skewed"
    return "expired" if age > timedelta(seconds=claim.expires) else ""


def canonical_path(raw_path: str) -> str:
    """The path encoded once, the way it is signed for S3: not normalised, slashes kept."""
    return quote(unquote_to_bytes(raw_path), safe="/~")


def canonical_query(raw_query: str) -> str:
    """The query sorted and encoded, without the signature itself."""
    pairs = [
        (_encode(name), _encode(value))
        for name, value, _ in parameters(raw_query)
        if name != _SIGNATURE_PARAMETER
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="~")


def canonical_request(
    method: str,
    raw_path: str,
    raw_query: str,
    signed_headers: list[tuple[str, list[str]]],
    payload_hash: str,
) -> str:
    """The text that stands for a request.

    Args:
        method (str): The verb.
        raw_path (str): The path as sent.
        raw_query (str): The query as sent.
        signed_headers (list[tuple[str, list[str]]]): Lower-case names with their values, in signed order.
        payload_hash (str): What `x-amz-content-sha256` says.
    """
    lines = [
        f"{name}:{','.join(_SPACES.sub(' ', value.strip()) for value in values)}\n"
        for name, values in signed_headers
    ]
    names = ";".join(name for name, _ in signed_headers)
    path, query = canonical_path(raw_path), canonical_query(raw_query)
    return "\n".join([method, path, query, "".join(lines), names, payload_hash])


def signing_key(secret: str, scope: str) -> bytes:
    """The key of a day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def sign(key: bytes, date: str, scope: str, canonical: str) -> str:
    """Signature of a canonical request."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return _hmac(key, f"{ALGORITHM}\n{date}\n{scope}\n{digest}").hex()


def sign_chunk(key: bytes, date: str, scope: str, previous: str, data_sha256: str) -> str:
    """Signature of a chunk of a signed stream, which covers the signature before it."""
    text = f"{ALGORITHM}-PAYLOAD\n{date}\n{scope}\n{previous}\n{EMPTY_SHA256}\n{data_sha256}"
    return _hmac(key, text).hex()


def sign_trailer(key: bytes, date: str, scope: str, previous: str, trailer: bytes) -> str:
    """Signature of the trailing headers (`name:value` and a line feed each) of a signed stream."""
    digest = hashlib.sha256(trailer).hexdigest()
    return _hmac(key, f"{ALGORITHM}-TRAILER\n{date}\n{scope}\n{previous}\n{digest}").hex()


def same(expected: str, actual: str) -> bool:
    """Compare signatures in constant time."""
    return hmac.compare_digest(expected.encode(), actual.encode("utf-8", "surrogateescape"))
