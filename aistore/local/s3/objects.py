"""One object: put, get, head, delete."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from aistore.local.api import access
from aistore.local.api.object_get import bytes_response
from aistore.local.api.object_headers import checksum_headers
from aistore.local.api.ranges import ByteRange, parse_range
from aistore.local.api.response import OCTETS, Response, content_headers
from aistore.local.errors import ObjectNotFound, RangeNotSatisfiable
from aistore.local.s3 import digests, metadata
from aistore.local.s3.conditions import check_read, write_condition
from aistore.local.s3.entity_tag import stored_tag, tag_object, tag_reader
from aistore.local.s3.errors import S3Error

if TYPE_CHECKING:
    from aistore.local.api.response import Headers
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.s3.call import Call
    from aistore.local.store import Condition

# Query parameters of a GET that set headers of its answer.
_OVERRIDES = {f"response-{name.lower()}": name for name in metadata.CONTENT_HEADERS}


def tag_headers(tag: str, meta: ObjectMeta) -> Headers:
    """Entity tag and time of an object."""
    return [("Etag", f'"{tag}"'), ("Last-Modified", formatdate(meta.mtime / 1e9, usegmt=True))]


async def put(call: Call) -> Response:
    """Write an object."""
    bucket = call.bucket()
    access.check_access(bucket, access.PUT)
    call.check_key()
    custom = metadata.from_headers(call.req.headers)
    condition = await prepare_condition(call, bucket)
    body = call.body()
    with call.store.writer(bucket, call.key) as writer:
        md5, inline = await body.receive(writer)
        if inline:
            meta = writer.commit(custom, etag=md5, only_if=condition)
        else:
            meta = await call.state.run(writer.commit, custom, etag=md5, only_if=condition)
    call.state.stats.add(call.req.node.id, "put.size", meta.size)
    return Response(headers=[*tag_headers(md5, meta), *digests.echo(body.expected)])


async def prepare_condition(call: Call, bucket: Bucket) -> Condition | None:
    """The condition of a write or a delete, checked once now: a body that is not wanted is not read.

    Raises:
        S3Error: It does not hold.
    """
    condition = write_condition(call.req.headers)
    if condition is not None:
        old = call.store.find(bucket, call.key)
        if old is not None and not stored_tag(old):
            old = await call.state.run(tag_object, call.store, bucket, call.key)
        condition(old)
    return condition


async def get(call: Call) -> Response:
    """The object, or a range of it."""
    bucket = call.bucket()
    reader = call.store.open(bucket, call.key)
    try:
        meta = reader.meta
        if not stored_tag(meta):
            meta = await call.state.run(tag_reader, call.store, bucket, reader)
        headers, content_type, part = _describe(call, bucket, meta)
        call.store.accessed(bucket, meta)
        whole = ByteRange(0, meta.size)
        status = 200 if part is None else 206
        return bytes_response(
            call.req, reader, part or whole, headers, status=status, content_type=content_type
        )
    except BaseException:
        reader.close()
        raise


async def head(call: Call) -> Response:
    """What is known of the object."""
    bucket = call.bucket()
    meta = call.store.head(bucket, call.key)
    if not stored_tag(meta):
        meta = await call.state.run(tag_object, call.store, bucket, call.key)
    headers, content_type, part = _describe(call, bucket, meta)
    # The cluster has the checksum among the user's metadata, which a client then copies as its own.
    headers += checksum_headers(meta)
    length = meta.size if part is None else part.length
    status = 200 if part is None else 206
    return Response(status, headers=headers, content_type=content_type, length=length)


def _describe(call: Call, bucket: Bucket, meta: ObjectMeta) -> tuple[Headers, str, ByteRange | None]:
    """Headers, content type, and the range that is asked for."""
    req = call.req
    tag = stored_tag(meta)
    check_read(req.headers, tag, meta.mtime)
    content_type, kept = metadata.to_headers(meta.custom)
    headers = tag_headers(tag, meta) + kept
    for parameter, name in _OVERRIDES.items():
        value = req.query.get(parameter)
        if value and name == metadata.CONTENT_TYPE:
            content_type = value
        elif value:
            headers = [item for item in headers if item[0] != name] + [(name, value)]
    part = find_range(req.headers.get("range", ""), bucket, meta)
    if part is not None:
        headers += [("Accept-Ranges", "bytes"), ("Content-Range", part.content_range(meta.size))]
    content_type = content_type or OCTETS
    return headers + content_headers(content_type), content_type, part


def find_range(header: str, bucket: Bucket, meta: ObjectMeta) -> ByteRange | None:
    """The range that a header asks for; None for the whole object, as when the header means nothing.

    Raises:
        S3Error: `InvalidRange`: it lies outside of the object.
    """
    if not header:
        return None
    try:
        return parse_range(header, meta.size, bucket.bck, meta.name)
    except RangeNotSatisfiable as err:
        if not err.headers:
            return None
        raise S3Error("InvalidRange", "The requested range is not satisfiable", headers=err.headers) from err


async def delete(call: Call) -> Response:
    """Remove the object; that there is none is no error."""
    bucket = call.bucket()
    access.check_access(bucket, access.DELETE)
    condition = await prepare_condition(call, bucket)
    try:
        call.store.delete(bucket, call.key, only_if=condition)
    except ObjectNotFound:
        return Response(204)
    return Response()
