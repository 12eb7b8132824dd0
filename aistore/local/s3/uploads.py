"""ListMultipartUploads: the uploads of a bucket that are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.s3.call import iso_time, xml_response
from aistore.local.s3.errors import S3Error
from aistore.local.s3.listing import encoder
from aistore.local.s3.xml import element

if TYPE_CHECKING:
    from aistore.local.api.response import Response
    from aistore.local.s3.call import Call

_MAX_UPLOADS = 1000
# Comes after every upload ID: a key marker without one means "after all uploads of this key".
_LAST_ID = "\U0010ffff"


async def list_uploads(call: Call) -> Response:
    """A page of uploads, by key and ID."""
    bucket = call.bucket()
    query = call.req.query
    if query.get("delimiter"):
        raise S3Error("NotImplemented", "listing uploads with a delimiter is not implemented")
    limit = call.number("max-uploads", _MAX_UPLOADS, _MAX_UPLOADS)
    key_marker = query.get("key-marker", "")
    id_marker = query.get("upload-id-marker", "") if key_marker else ""
    prefix = query.get("prefix", "")
    encode, about_encoding = encoder(call)
    after = (key_marker, id_marker or (_LAST_ID if key_marker else ""))
    found = call.state.catalog.uploads.page(bucket.id, prefix, after, limit + 1)
    page = found[:limit]
    more = limit > 0 and len(found) > limit
    items = [
        element("Bucket", bucket.bck.name),
        element("KeyMarker", encode(key_marker)),
        element("UploadIdMarker", id_marker),
        *([element("Prefix", encode(prefix))] if prefix else []),
        *about_encoding,
        element("MaxUploads", limit),
        element("IsTruncated", "true" if more else "false"),
    ]
    if more:
        items.append(element("NextKeyMarker", encode(page[-1].name)))
        items.append(element("NextUploadIdMarker", page[-1].id))
    items += [
        element(
            "Upload",
            element("Key", encode(upload.name)),
            element("UploadId", upload.id),
            element("StorageClass", "STANDARD"),
            element("Initiated", iso_time(upload.created)),
        )
        for upload in page
    ]
    return xml_response(element("ListMultipartUploadsResult", *items))
