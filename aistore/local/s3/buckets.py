"""Buckets: list, create, remove, and the few properties that clients ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local import bucket_props
from aistore.local.api import access
from aistore.local.api.response import Response
from aistore.local.errors import BucketExists
from aistore.local.s3.call import iso_time, xml_response
from aistore.local.s3.errors import S3Error
from aistore.local.s3.xml import element

if TYPE_CHECKING:
    from aistore.local.s3.call import Call

REGION = "us-east-1"


async def list_buckets(call: Call) -> Response:
    """Every bucket of the global namespace, or those with a prefix."""
    prefix = call.req.query.get("prefix", "")
    found = [
        bucket
        for bucket in call.state.catalog.buckets.all()
        if bucket.bck[1:] == ("ais", "", "") and bucket.bck.name.startswith(prefix)
    ]
    items = [
        element(
            "Bucket",
            element("Name", bucket.bck.name),
            element("CreationDate", iso_time(int(bucket.props["created"]))),
            element("String", "Provider: ais"),
        )
        for bucket in found
    ]
    owner = element("Owner", element("ID", "1"), element("DisplayName", "ListAllMyBucketsResult"))
    return xml_response(element("ListAllMyBucketsResult", owner, element("Buckets", *items)))


async def create(call: Call) -> Response:
    """Create a bucket; where it should be is read, and means nothing here."""
    if call.req.content_length:
        await call.document("CreateBucketConfiguration")
    bck = call.bck()
    try:
        call.state.catalog.buckets.create(bck, bucket_props.new_props("ais"))
    except BucketExists as err:
        raise S3Error("BucketAlreadyOwnedByYou", err.message) from err
    return Response()


async def head(call: Call) -> Response:
    """Whether there is such a bucket."""
    call.bucket()
    return Response(headers=[("x-amz-bucket-region", REGION)])


async def delete(call: Call) -> Response:
    """Remove a bucket that is empty."""
    bucket = call.bucket()
    access.check_access(bucket, access.DESTROY)
    await call.state.run(call.state.catalog.buckets.drop, bucket.bck, only_empty=True)
    return Response()


async def location(call: Call) -> Response:
    """The region; empty means `us-east-1`."""
    call.bucket()
    return xml_response(element("LocationConstraint"))


async def versioning(call: Call) -> Response:
    """Never switched on: earlier versions of objects are not kept."""
    call.bucket()
    return xml_response(element("VersioningConfiguration"))
