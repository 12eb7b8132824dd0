"""What requests to `/s3` need permission for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.authn.needs import Need, cluster, on
from aistore.local.s3.call import find_bck
from aistore.local.s3.copying import HEADER, parse_source
from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from aistore.local.api.request import Request

_BUCKET = {
    "HEAD": AccessAttr.BCK_HEAD,
    "GET": AccessAttr.OBJ_LIST,
    "POST": AccessAttr.OBJ_DELETE,  # `?delete`
}
_CLUSTER = {"PUT": AccessAttr.CREATE_BUCKET, "DELETE": AccessAttr.DESTROY_BUCKET}
_OBJECT = {
    "HEAD": AccessAttr.OBJ_HEAD,
    "GET": AccessAttr.GET,
    "PUT": AccessAttr.PUT,
    "DELETE": AccessAttr.OBJ_DELETE,
    "POST": AccessAttr.ACCESS_RW,  # multipart
}
# Their location, and whether they keep versions: about the bucket itself.
_ABOUT = ("location", "versioning")


def needs(req: Request) -> list[Need]:
    """What a request needs.

    Raises:
        S3Error: A name that no bucket has, or a malformed source of a copy.
    """
    name, _, key = req.path.removeprefix("/s3").removeprefix("/").partition("/")
    if not name:
        return cluster(AccessAttr.LIST_BUCKETS)
    bck = find_bck(name)
    if key:
        return _of_object(req, on(bck, _object_bits(req)))
    if req.method in _CLUSTER:
        return cluster(_CLUSTER[req.method])
    if req.method == "GET" and any(name in req.query for name in _ABOUT):
        return on(bck, AccessAttr.BCK_HEAD | AccessAttr.OBJ_LIST)
    return on(bck, _BUCKET[req.method])


def _object_bits(req: Request) -> AccessAttr:
    if "uploadId" in req.query and req.method != "GET":
        return AccessAttr.ACCESS_RW
    return _OBJECT[req.method]


def _of_object(req: Request, found: list[Need]) -> list[Need]:
    source = req.headers.get(HEADER)
    if req.method == "PUT" and source is not None:
        found += on(find_bck(parse_source(source)[0]), AccessAttr.GET)
    return found
