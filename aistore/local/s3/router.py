"""`/s3[/BUCKET[/KEY]]`: who answers what. Every node answers, for objects of every target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aistore.local.api.registry import Noun
from aistore.local.errors import LocalError
from aistore.local.s3 import buckets, copying, deleting, listing, multipart, objects, uploads
from aistore.local.s3.auth import authorize
from aistore.local.s3.call import Call
from aistore.local.s3.errors import S3Error, error_response

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Response
    from aistore.local.state import State

_ALLOW = "DELETE, GET, HEAD, POST, PUT"

# By verb and subresource, the query parameter that makes a request something else.
Table = dict[tuple[str, str], Callable[[Call], Awaitable["Response"]]]

_BUCKET: Table = {
    ("GET", ""): listing.list_objects,
    ("GET", "location"): buckets.location,
    ("GET", "versioning"): buckets.versioning,
    ("GET", "uploads"): uploads.list_uploads,
    ("HEAD", ""): buckets.head,
    ("PUT", ""): buckets.create,
    ("DELETE", ""): buckets.delete,
    ("POST", "delete"): deleting.delete_many,
}
_OBJECT: Table = {
    ("GET", ""): objects.get,
    ("GET", "uploadId"): multipart.list_parts,
    ("HEAD", ""): objects.head,
    ("PUT", ""): objects.put,
    ("PUT", "uploadId"): multipart.put_part,
    ("POST", "uploads"): multipart.create,
    ("POST", "uploadId"): multipart.complete,
    ("DELETE", ""): objects.delete,
    ("DELETE", "uploadId"): multipart.abort,
}
# Subresources that S3 has and this server has not.
_MISSING = frozenset(
    {
        *("accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering"),
        *("inventory", "legal-hold", "lifecycle", "logging", "metadataTable", "metrics", "notification"),
        *("object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock"),
        *("renameObject", "replication", "requestPayment", "restore", "retention", "select", "session"),
        *("tagging", "torrent", "versions", "website"),
    }
)
_SUBRESOURCES = ("uploadId", *sorted({name for table in (_BUCKET, _OBJECT) for _, name in table if name}))

# Headers that ask for what would be lost silently.
_MISSING_HEADERS = ("x-amz-tagging", "x-amz-object-lock-", "x-amz-server-side-encryption-customer-")


async def _s3(req: Request) -> Response:
    try:
        grant = authorize(req, req.state.options.s3_keys)
        bucket_name, _, key = req.path.removeprefix("/s3").removeprefix("/").partition("/")
        return await _route(Call(req, grant, bucket_name, key))
    except LocalError as err:
        return error_response(req, err)


async def _route(call: Call) -> Response:
    req = call.req
    if not call.bucket_name:
        if req.method != "GET":
            raise S3Error("MethodNotAllowed", f"{req.method} of the service: expecting GET")
        return await buckets.list_buckets(call)
    _check_implemented(req)
    subresource = next((name for name in _SUBRESOURCES if name in req.query), "")
    if not subresource and (missing := _MISSING & req.query.keys()):
        raise S3Error("NotImplemented", f"{', '.join(sorted(missing))} is not implemented")
    if call.key and not subresource and "x-amz-copy-source" in req.headers and req.method == "PUT":
        return await copying.copy(call)
    handler = (_OBJECT if call.key else _BUCKET).get((req.method, subresource))
    if handler is None:
        what = f"{req.method} of {'an object' if call.key else 'a bucket'}"
        if subresource or req.method == "POST":
            raise S3Error("NotImplemented", f"{what} {subresource} is not implemented")
        raise S3Error("MethodNotAllowed", f"{what} is not allowed")
    return await handler(call)


def _check_implemented(req: Request) -> None:
    if req.query.get("versionId", "null") != "null":
        raise S3Error("NoSuchVersion", "versions of objects are not kept")
    for name in req.headers:
        if name.startswith(_MISSING_HEADERS):
            raise S3Error("NotImplemented", f"{name} implies functionality that is not implemented")


def register(state: State) -> None:
    """Add the routes."""
    state.registry.roots["s3"] = Noun(_s3, _ALLOW)
