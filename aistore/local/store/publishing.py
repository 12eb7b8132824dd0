"""Many finished content files named as objects in one transaction, with one look-up for all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aistore.local.catalog import ObjectMeta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.catalog import Bucket
    from aistore.local.store import ObjectWriter, Store


def publish_all(store: Store, bucket: Bucket, writers: Sequence[ObjectWriter]) -> None:
    """Publish finished objects, each in place of the one there may be; of two with one name the later stays.

    What `ObjectWriter.commit` does for one; the writers' files are still theirs to `keep`.

    Args:
        store (Store): Where.
        bucket (Bucket): Of all of them.
        writers: Finished.

    Raises:
        BucketNotFound: The bucket was removed meanwhile; nothing changes.
        OutOfSpace: The disk is full; nothing changes.
    """
    objects, kind, versioned = store.catalog.objects, bucket.checksum_type, bucket.versioned
    with store.catalog.db.write() as conn:
        store.catalog.buckets.check_current(conn, bucket)
        known = objects.find_all(conn, bucket.id, [writer.name for writer in writers])
        now = time.time_ns()
        metas, replaced = [], []
        for writer in writers:
            old = known.get(writer.name)
            custom: dict[str, str] = {}
            version = 1 if versioned else 0
            if old is not None:
                replaced.append((old.file, old.size))
                custom = old.custom
                version = old.version + 1 if versioned else 0
            cksum = (kind, writer.digest(kind))
            meta = ObjectMeta(writer.name, writer.file, writer.size, *cksum, version, now, now, custom)
            known[writer.name] = meta
            metas.append(meta)
        objects.put_all(conn, bucket.id, metas)
        if replaced:
            conn.executemany("INSERT INTO trash (file, size) VALUES (?,?)", replaced)
