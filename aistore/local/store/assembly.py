"""Parts of a multipart upload put together into one object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket, ObjectMeta, Part
    from aistore.local.store import Condition, Store


def assemble(
    store: Store,
    bucket: Bucket,
    name: str,
    upload: str,
    parts: list[Part],
    *,
    etag: str = "",
    only_if: Condition | None = None,
) -> ObjectMeta:
    """Publish the object that the parts make up, and end the upload; `etag`, `only_if` as of `publish`.

    Raises:
        OutOfSpace: Parts and object don't fit at the same time.
    """
    kind = bucket.checksum_type
    custom = store.catalog.uploads.custom(upload)
    chunks = (len(parts), max(part.size for part in parts))
    if len(parts) == 1 and parts[0].cksum_type == kind:
        # The only part is the object: no byte is copied.
        part = parts[0]
        cksum = (kind, part.cksum)
        return store.publish(
            bucket,
            name,
            file=part.file,
            size=part.size,
            cksum=cksum,
            custom=custom,
            chunks=chunks,
            upload=upload,
            etag=etag,
            only_if=only_if,
        )
    with store.writer(bucket, name) as writer:
        for part in parts:
            fd = os.open(store.files.path(part.file), os.O_RDONLY)
            try:
                writer.write_from(fd)
            finally:
                os.close(fd)
        return writer.commit(custom, chunks=chunks, upload=upload, etag=etag, only_if=only_if)
