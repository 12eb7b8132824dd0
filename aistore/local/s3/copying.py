"""CopyObject, and what it has in common with UploadPartCopy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from aistore.local.api import access
from aistore.local.s3 import metadata
from aistore.local.s3.call import find_bck, iso_time, xml_response
from aistore.local.s3.conditions import COPY_SOURCE, check_read
from aistore.local.s3.entity_tag import stored_tag, tag_object
from aistore.local.s3.errors import S3Error
from aistore.local.s3.objects import prepare_condition
from aistore.local.s3.xml import Markup, element
from aistore.local.store import unchanged

if TYPE_CHECKING:
    from aistore.local.api.response import Response
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.s3.call import Call

HEADER = "x-amz-copy-source"


class Source(NamedTuple):
    """What is copied, with its entity tag."""

    bucket: Bucket
    meta: ObjectMeta


def parse_source(header: str) -> tuple[str, str]:
    """Bucket and key of `x-amz-copy-source`.

    Raises:
        S3Error: It is not of the form BUCKET/KEY, or names a version.
    """
    path, _, query = header.partition("?")
    bucket, _, key = unquote(path, errors="surrogateescape").removeprefix("/").partition("/")
    if not bucket or not key:
        raise S3Error("InvalidArgument", f"{HEADER}: expecting BUCKET/KEY, got {header[:200]!r}")
    if query and query != "versionId=null":
        raise S3Error("NoSuchVersion", "versions of objects are not kept")
    return bucket, key


async def open_source(call: Call) -> Source:
    """What the request copies.

    Raises:
        S3Error: A condition on it does not hold.
        NotFound: There is none.
    """
    name, key = parse_source(call.req.headers[HEADER])
    bucket = call.state.catalog.buckets.get(find_bck(name))
    meta = await call.state.run(tag_object, call.store, bucket, key)
    check_read(call.req.headers, meta.etag, meta.mtime, COPY_SOURCE)
    return Source(bucket, meta)


def copy_result(name: str, etag: str, mtime: int) -> Markup:
    """The document that answers a copy."""
    return element(name, element("LastModified", iso_time(mtime)), element("ETag", f'"{etag}"'))


async def copy(call: Call) -> Response:
    """Copy an object, with its metadata or with that of the request."""
    bucket = call.bucket()
    access.check_access(bucket, access.PUT)
    call.check_key()
    directive = call.req.headers.get("x-amz-metadata-directive", "COPY")
    if directive not in {"COPY", "REPLACE"}:
        raise S3Error(
            "InvalidArgument", f"x-amz-metadata-directive: {directive[:40]!r} is not COPY or REPLACE"
        )
    custom = metadata.from_headers(call.req.headers) if directive == "REPLACE" else None
    source = await open_source(call)
    onto_itself = (source.bucket.id, source.meta.name) == (bucket.id, call.key)
    if onto_itself and custom is None:
        raise S3Error(
            "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself"
        )
    condition = await prepare_condition(call, bucket)
    if onto_itself:
        same = unchanged(bucket, call.key, source.meta)
        meta = call.store.update(bucket, call.key, custom=custom or {}, replace=True, only_if=same)
    else:
        src = (source.bucket, source.meta.name)
        same = unchanged(*src, source.meta)
        meta = await call.req.run(
            call.state.copying,
            call.store.copy,
            *src,
            bucket,
            call.key,
            custom=custom,
            source_if=same,
            only_if=condition,
        )
    return xml_response(copy_result("CopyObjectResult", stored_tag(meta) or source.meta.etag, meta.mtime))
