"""What `info` and `ls` say of objects and directories: plain dictionaries, as fsspec wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.sdk.obj.identity import ObjectIdentity
from aistore.wire.times import parse_http_date

if TYPE_CHECKING:
    from aistore.sdk.obj.object_attributes import ObjectAttributes
    from aistore.sdk.types import BucketEntry

Details = dict[str, Any]
"""`name`, `size` and `type`; of a single object also what `of_object` adds."""

OBJECT_PROPS = "checksum,version,custom,last-modified,etag"


def of_directory(path: str) -> Details:
    """Describe a directory, a bucket or the root.

    Args:
        path: Its path.
    """
    return {"name": path, "size": 0, "type": "directory"}


def of_entry(path: str, entry: BucketEntry) -> Details:
    """Describe a listed object.

    Args:
        path: Its path.
        entry: Its entry in a listing.
    """
    return {"name": path, "size": entry.s, "type": "file"}


def of_object(path: str, attributes: ObjectAttributes) -> Details:
    """Describe an object.

    Args:
        path: Its path.
        attributes: Answer of a HEAD with `OBJECT_PROPS`.

    Returns:
        Besides the common keys: `checksum` and `checksum_type`, `version`, `ETag` ("" where the cluster has
        none), `mtime` (seconds since 1970, or `None`) and `metadata` (custom metadata).
    """
    modified = attributes.last_modified
    return {
        "name": path,
        "size": attributes.size,
        "type": "file",
        "checksum": attributes.checksum_value,
        "checksum_type": attributes.checksum_type,
        "version": attributes.obj_version,
        "ETag": attributes.etag,
        "mtime": parse_http_date(modified) if modified else None,
        "metadata": attributes.custom_metadata,
    }


def version_of(details: Details) -> tuple[Any, ...]:
    """Return what is different when the object's bytes are.

    Args:
        details: As `of_object` returns them.
    """
    names = ("type", "size", "checksum_type", "checksum", "version", "ETag")
    return tuple(details.get(name) for name in names)


def identity_of(details: Details) -> ObjectIdentity:
    """Return what later answers about the same version of an object can be compared with.

    The ETag is left out: the one in `details` is computed by the cluster, a GET has the custom one or none.

    Args:
        details: As `of_object` or `of_entry` returns them.
    """
    kind, value = details.get("checksum_type"), details.get("checksum")
    return ObjectIdentity(
        checksum=f"{kind}:{value}" if value else "",
        version=details.get("version") or "",
        size=details["size"],
    )
