"""Parts of a multipart upload put together into one object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket, ObjectMeta, Part
    from aistore.local.store import Store


def assemble(store: Store, bucket: Bucket, name: str, upload: str, parts: list[Part]) -> ObjectMeta:
    """Publish the object that the parts make up, and end the upload.

    Raises:
        OutOfSpace: Parts and object don't fit at the same time.
    """
    kind = bucket.checksum_type
    chunks = (len(parts), max(part.size for part in parts))
    if len(parts) == 1 and parts[0].cksum_type == kind:
        # The only part is the object: no byte is copied.
        part = parts[0]
        cksum = (kind, part.cksum)
        return store.publish(
            bucket, name, file=part.file, size=part.size, cksum=cksum, chunks=chunks, upload=upload
        )
    with store.writer(bucket, name) as writer:
        for part in parts:
            fd = os.open(store.files.path(part.file), os.O_RDONLY)
            try:
                writer.write_from(fd)
            finally:
                os.close(fd)
        return writer.commit(chunks=chunks, upload=upload)
