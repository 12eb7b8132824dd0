"""Multipart uploads: create, parts by body or by copy, list, complete, abort."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from aistore.local.api import access
from aistore.local.api.response import Response
from aistore.local.catalog import Completion, Part
from aistore.local.catalog.objects import encode_name
from aistore.local.errors import PartNotFound, UploadNotFound
from aistore.local.nodes import new_id
from aistore.local.s3 import digests, metadata
from aistore.local.s3.call import iso_time, xml_response
from aistore.local.s3.copying import HEADER, copy_result, open_source
from aistore.local.s3.entity_tag import md5_of, multipart_tag
from aistore.local.s3.errors import S3Error
from aistore.local.s3.objects import prepare_condition, tag_headers
from aistore.local.s3.xml import element
from aistore.local.store import ContentWriter, unchanged
from aistore.local.store.assembly import assemble, part_digest, with_md5

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.s3.call import Call
    from aistore.local.s3.xml import Element
    from aistore.local.store import Condition, ObjectReader, Store

MAX_PARTS = 10_000
_MAX_PAGE = 1000
_MD5 = re.compile(r"[0-9a-f]{32}")
_SOURCE_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")


def _find(call: Call, bucket: Bucket) -> str:
    upload = call.req.query["uploadId"]
    if call.state.catalog.uploads.find(upload) != (bucket.id, call.key):
        raise _no_upload(upload)
    return upload


def _no_upload(upload: str) -> S3Error:
    return S3Error("NoSuchUpload", f'upload "{upload}" not found')


async def create(call: Call) -> Response:
    """Begin an upload, with the metadata that the object will have."""
    bucket = call.bucket()
    access.check_access(bucket, access.PUT)
    call.check_key()
    upload = new_id(32)
    call.state.catalog.uploads.create(upload, bucket, call.key, metadata.from_headers(call.req.headers))
    names = (element("Bucket", bucket.bck.name), element("Key", call.key))
    return xml_response(element("InitiateMultipartUploadResult", *names, element("UploadId", upload)))


def _part_number(call: Call) -> int:
    number = call.number("partNumber", 0, MAX_PARTS + 1)
    if not 1 <= number <= MAX_PARTS:
        raise S3Error(
            "InvalidArgument", f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        )
    return number


async def put_part(call: Call) -> Response:
    """Store a part: the body, or a range of an object. One that is sent again replaces the earlier one."""
    bucket = call.bucket()
    upload = _find(call, bucket)
    number = _part_number(call)
    kind = bucket.checksum_type
    writer = ContentWriter(call.store, call.key, call.store.place(bucket.bck, call.key), kind)
    try:
        if HEADER in call.req.headers:
            md5 = await _copy_range(call, writer)
            response = xml_response(copy_result("CopyPartResult", md5, time.time_ns()))
        else:
            body = call.body()
            md5, _ = await body.receive(writer)
            response = Response(headers=[("Etag", f'"{md5}"'), *digests.echo(body.expected)])
        part = Part(number, writer.finish(), writer.size, kind, writer.digest(kind), md5)
        if not call.state.catalog.uploads.put_part(upload, part):
            raise _no_upload(upload)
        writer.keep()
    finally:
        writer.abort()
    return response


async def _copy_range(call: Call, writer: ContentWriter) -> str:
    source = await open_source(call)
    with call.store.open(source.bucket, source.meta.name) as reader:
        unchanged(source.bucket, source.meta.name, source.meta)(reader.meta)
        start, length = _source_range(call.req.headers.get("x-amz-copy-source-range", ""), reader.meta.size)
        return await call.req.run(call.state.copying, _write_range, reader, start, length, writer)


def _source_range(header: str, size: int) -> tuple[int, int]:
    if not header:
        return 0, size
    found = _SOURCE_RANGE.fullmatch(header)
    first, last = (int(found[1]), int(found[2])) if found else (1, 0)
    if first > last:
        raise S3Error(
            "InvalidArgument", f"x-amz-copy-source-range: expecting bytes=FIRST-LAST, got {header[:60]!r}"
        )
    if last >= size:
        raise S3Error("InvalidRange", f"x-amz-copy-source-range: the source has {size} bytes")
    return first, last - first + 1


def _write_range(reader: ObjectReader, start: int, length: int, writer: ContentWriter) -> str:
    def written() -> Iterator[bytes]:
        for chunk in reader.chunks(start, length):
            writer.write(chunk)
            yield chunk

    return md5_of(written())


async def complete(call: Call) -> Response:
    """Make the object of the parts that the request lists."""
    bucket = call.bucket()
    access.check_access(bucket, access.PUT)
    listed = (await call.document("CompleteMultipartUpload")).all("Part")
    if not listed:
        raise S3Error("MalformedXML", "expecting at least one part")
    if done := _completed(call, bucket, listed):
        return _complete_result(call, bucket, done)
    upload = _find(call, bucket)
    condition = await prepare_condition(call, bucket)
    try:
        meta = await call.req.run(call.state.copying, _publish, call, bucket, upload, listed, condition)
    except PartNotFound as err:
        raise S3Error("InvalidPart", err.message) from err
    except UploadNotFound as err:
        if done := _completed(call, bucket, listed):
            return _complete_result(call, bucket, done)
        raise _no_upload(upload) from err
    return _complete_result(call, bucket, meta)


def _publish(
    call: Call, bucket: Bucket, upload: str, listed: list[Element], condition: Condition | None
) -> ObjectMeta:
    parts = with_md5(call.store, call.state.catalog.uploads.parts(upload))
    chosen = choose_parts(listed, parts)
    for item, part in zip(listed, chosen, strict=True):
        _check_digests(call.store, item, part)
    tag = multipart_tag([part.md5 for part in chosen])
    completion = Completion(upload, chosen)
    return assemble(call.store, bucket, call.key, completion, etag=tag, only_if=condition)


def _check_digests(store: Store, item: Element, part: Part) -> None:
    """Compare a part with the digests that the request lists for it."""
    for algorithm in digests.ALGORITHMS:
        listed = item.find(f"Checksum{algorithm.upper()}").strip()
        if listed:
            actual = bytes.fromhex(part_digest(store, part, digests.new_digest(algorithm)))
            if base64.b64encode(actual).decode() != listed:
                raise S3Error(
                    "InvalidPart", f"part {part.number} does not have the {algorithm} that is listed"
                )


def _completed(call: Call, bucket: Bucket, listed: list[Element]) -> ObjectMeta | None:
    """The object, if its upload is gone because this very request was carried out before and sent again."""
    if call.state.catalog.uploads.find(call.req.query["uploadId"]) is not None:
        return None
    meta = call.store.find(bucket, call.key)
    tags = [item.find("ETag").strip().strip('"') for item in listed]
    if meta is None or not tags or not all(map(_MD5.fullmatch, tags)):
        return None
    return meta if meta.etag == multipart_tag(tags) else None


def _complete_result(call: Call, bucket: Bucket, meta: ObjectMeta) -> Response:
    where = f"{call.req.url_of(call.req.node)}/s3/{bucket.bck.name}/{quote(encode_name(call.key))}"
    root = element(
        "CompleteMultipartUploadResult",
        element("Location", where),
        element("Bucket", bucket.bck.name),
        element("Key", call.key),
        element("ETag", f'"{meta.etag}"'),
    )
    return xml_response(root, headers=tag_headers(meta.etag, meta))


def choose_parts(listed: list[Element], uploaded: list[Part]) -> list[Part]:
    """The uploaded parts that a request lists, in order.

    Raises:
        S3Error: None, a part that was not uploaded or was sent again since, or not in ascending order.
    """
    by_number = {part.number: part for part in uploaded}
    chosen: list[Part] = []
    for item in listed:
        text, tag = item.find("PartNumber").strip(), item.find("ETag").strip().strip('"')
        part = by_number.get(int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None
        if part is None or part.md5 != tag.lower():
            raise S3Error(
                "InvalidPart", f"part {text[:20]!r} with the tag {tag[:60]!r} is not among those uploaded"
            )
        if chosen and part.number <= chosen[-1].number:
            raise S3Error("InvalidPartOrder", "The list of parts was not in ascending order")
        chosen.append(part)
    return chosen


async def abort(call: Call) -> Response:
    """Forget an upload and its parts."""
    upload = _find(call, call.bucket())
    if not call.state.catalog.uploads.remove(upload):
        raise _no_upload(upload)
    return Response(204)


def _listed_parts(store: Store, parts: list[Part]) -> list[Part]:
    shown = []
    for part in parts:
        # One that is sent again meanwhile is left out: the client that lists does not wait for it.
        with contextlib.suppress(PartNotFound):
            shown += with_md5(store, [part])
    return shown


def _written(store: Store, part: Part) -> int:
    # A part that is sent again meanwhile takes its file away.
    with contextlib.suppress(FileNotFoundError):
        return os.stat(store.files.path(part.file)).st_mtime_ns
    return time.time_ns()


async def list_parts(call: Call) -> Response:
    """The parts of an upload, by number."""
    bucket = call.bucket()
    upload = _find(call, bucket)
    marker = call.number("part-number-marker", 0, MAX_PARTS)
    limit = call.number("max-parts", _MAX_PAGE, _MAX_PAGE)
    parts = [part for part in call.state.catalog.uploads.parts(upload) if part.number > marker]
    page = await call.state.run(_listed_parts, call.store, parts[:limit])
    items = [
        element(
            "Part",
            element("PartNumber", part.number),
            element("LastModified", iso_time(_written(call.store, part))),
            element("ETag", f'"{part.md5}"'),
            element("Size", part.size),
        )
        for part in page
    ]
    return xml_response(
        element(
            "ListPartsResult",
            element("Bucket", bucket.bck.name),
            element("Key", call.key),
            element("UploadId", upload),
            element("PartNumberMarker", marker),
            element("NextPartNumberMarker", page[-1].number if page else marker),
            element("MaxParts", limit),
            element("IsTruncated", "true" if len(page) < len(parts) else "false"),
            *items,
        )
    )
