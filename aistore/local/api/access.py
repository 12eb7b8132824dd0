"""What a bucket's access mask allows (bits of protocol/constants.json)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.bucket_props import ALL_ACCESS
from aistore.local.errors import LocalError

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket

GET = 1
HEAD = 2
PUT = 4
APPEND = 8
DELETE = 16
MOVE = 32
PROMOTE = 64
UPDATE = 128
DESTROY = 32768

_NAMES = {
    GET: "GET",
    HEAD: "HEAD-OBJECT",
    PUT: "PUT",
    APPEND: "APPEND",
    DELETE: "DELETE-OBJECT",
    MOVE: "MOVE-OBJECT",
}
_NAMES |= {PROMOTE: "PROMOTE", UPDATE: "UPDATE-OBJECT", DESTROY: "DESTROY-BUCKET"}


def check_access(bucket: Bucket, bit: int) -> None:
    """Refuse what the bucket's mask doesn't allow; reading is always allowed without AuthN.

    Raises:
        LocalError: 403 `ErrBucketAccessDenied`.
    """
    mask = bucket.props["access"]
    if mask != ALL_ACCESS and bit not in {GET, HEAD} and not int(mask) & bit:
        raise LocalError(
            f"bucket {bucket.bck}: {_NAMES[bit]} access denied ({int(mask):#x})",
            status=403,
            tcode="ErrBucketAccessDenied",
        )
