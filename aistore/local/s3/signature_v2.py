"""Presigned URLs of Signature V2, which boto3 and s3fs still make unless they are told otherwise.

Source: "Signing and authenticating REST requests" of the S3 API reference, query string authentication. Only
URLs of this version are accepted, no signed headers.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from aistore.wire.query import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

# Query parameters that are part of what is signed.
_SUBRESOURCES = frozenset(
    {
        *("accelerate", "acl", "cors", "delete", "inventory", "lifecycle", "location", "logging", "metrics"),
        *("notification", "object-lock", "partNumber", "policy", "replication", "requestPayment", "restore"),
        *("select", "select-type", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning"),
        *("versions", "website", "analytics", "storageClass", "defaultObjectAcl"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires"),
    }
)


def is_presigned(query: Mapping[str, str]) -> bool:
    """Whether the query carries a signature of this version."""
    return "AWSAccessKeyId" in query


def string_to_sign(
    method: str, raw_path: str, raw_query: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    """The text that stands for a request.

    Args:
        method (str): The verb.
        raw_path (str): Bucket and key as sent, beginning with a slash.
        raw_query (str): The query as sent.
        query (Mapping[str, str]): The same, decoded: it may carry what are headers otherwise.
        headers (Mapping[str, str]): By lower-case name.
    """
    both = {**{name.lower(): value for name, value in query.items()}, **headers}
    amz = sorted((name, value.strip()) for name, value in both.items() if name.startswith("x-amz-"))
    lines = [method, both.get("content-md5", ""), both.get("content-type", ""), query["Expires"]]
    lines += [f"{name}:{value}" for name, value in amz]
    return "\n".join([*lines, _resource(raw_path, raw_query)])


def _resource(raw_path: str, raw_query: str) -> str:
    signed = sorted(
        f"{name}{equals}{value}" for name, value, equals in parameters(raw_query) if name in _SUBRESOURCES
    )
    return f"{raw_path}?{'&'.join(signed)}" if signed else raw_path


def sign(secret: str, text: str) -> str:
    """The signature, in base64."""
    digest = hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")
    return base64.b64encode(digest).decode()
