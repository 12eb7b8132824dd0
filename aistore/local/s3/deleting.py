"""DeleteObjects: many in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api import access
from aistore.local.errors import LocalError, ObjectNotFound
from aistore.local.s3.call import xml_response
from aistore.local.s3.errors import S3Error, code_of
from aistore.local.s3.xml import Markup, element

if TYPE_CHECKING:
    from aistore.local.api.response import Response
    from aistore.local.catalog import Bucket
    from aistore.local.s3.call import Call
    from aistore.local.s3.xml import Element
    from aistore.local.store import Store

MAX_KEYS = 1000
_CONDITIONS = ("ETag", "LastModifiedTime", "Size")


async def delete_many(call: Call) -> Response:
    """Remove up to a thousand objects; each has its own result."""
    bucket = call.bucket()
    access.check_access(bucket, access.DELETE)
    root = await call.document("Delete")
    items = root.all("Object")
    if not 1 <= len(items) <= MAX_KEYS or not all(item.find("Key") for item in items):
        raise S3Error("MalformedXML", f"expecting 1 to {MAX_KEYS} objects, each with a key")
    quiet = root.find("Quiet").lower() == "true"
    results = await call.state.run(_delete_all, call.store, bucket, items, quiet=quiet)
    return xml_response(element("DeleteResult", *results))


def _delete_all(store: Store, bucket: Bucket, items: list[Element], *, quiet: bool) -> list[Markup]:
    results = []
    for item in items:
        key = item.find("Key")
        try:
            _delete(store, bucket, key, item)
        except LocalError as err:
            why = (element("Code", code_of(err)), element("Message", err.message))
            results.append(element("Error", element("Key", key), *why))
        else:
            if not quiet:
                results.append(element("Deleted", element("Key", key)))
    return results


def _delete(store: Store, bucket: Bucket, key: str, item: Element) -> None:
    if item.find("VersionId") not in {"", "null"}:
        raise S3Error("NoSuchVersion", "versions of objects are not kept")
    if any(item.all(name) for name in _CONDITIONS):
        raise S3Error("NotImplemented", "conditions of DeleteObjects are not implemented: delete one by one")
    try:
        store.delete(bucket, key)
    except ObjectNotFound:
        return
