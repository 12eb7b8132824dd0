"""Errors as S3 names them, and what the store's own errors are called there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api.response import Response
from aistore.local.errors import (
    BucketNotEmpty,
    BucketNotFound,
    InvalidName,
    LocalError,
    ObjectChanged,
    ObjectNotFound,
    OutOfSpace,
    Unsupported,
)
from aistore.local.s3 import xml

if TYPE_CHECKING:
    from aistore.local.api.request import Request

XML_TYPE = "application/xml"

# Codes of the S3 API that are answered here, with their status.
STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "BadDigest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "IncompleteBody": 400,
    "InsufficientStorage": 507,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "XAmzContentSHA256Mismatch": 400,
}

_CODES: tuple[tuple[type[LocalError], str], ...] = (
    (BucketNotFound, "NoSuchBucket"),
    (BucketNotEmpty, "BucketNotEmpty"),
    (ObjectNotFound, "NoSuchKey"),
    (ObjectChanged, "OperationAborted"),
    (InvalidName, "InvalidArgument"),
    (OutOfSpace, "InsufficientStorage"),
    (Unsupported, "NotImplemented"),
)
_BY_STATUS = {
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    413: "EntityTooLarge",
}


class S3Error(LocalError):
    """An answer that S3 has a code for.

    Args:
        code (str): One of `STATUS`.
        message (str): What was wrong.
        headers (dict[str, str]): Extra response headers.
    """

    def __init__(self, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message, status=STATUS[code], tcode=code, headers=headers)


def code_of(err: LocalError) -> str:
    """The S3 code of an error."""
    if isinstance(err, S3Error):
        return err.tcode
    for kind, code in _CODES:
        if isinstance(err, kind):
            return code
    return _BY_STATUS.get(err.status, "InternalError")


def error_response(req: Request, err: LocalError) -> Response:
    """The XML answer to a failed request; HEAD and 304 have no body."""
    headers = list(err.headers.items())
    if err.status == 304 or req.method == "HEAD":
        return Response(err.status, headers=headers, content_type="" if err.status == 304 else XML_TYPE)
    root = xml.element(
        "Error",
        xml.element("Code", code_of(err)),
        xml.element("Message", err.message),
        xml.element("Resource", req.path),
        xml.element("RequestId", ""),
    )
    headers.append(("X-Content-Type-Options", "nosniff"))
    return Response(err.status, xml.document(root, namespace=False), headers=headers, content_type=XML_TYPE)
