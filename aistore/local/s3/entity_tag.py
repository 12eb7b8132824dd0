"""Entity tags: the MD5 of the content, `<md5 of md5s>-<parts>` after a multipart upload.

A tag is stored with the object. Objects written by another API get theirs when it is first asked for: the
MD5 up to `MAX_READ` bytes, so that listing a page of them reads 1 GB at the most; above, one that is made
without reading, as on the cluster. (Clients don't take the tags of large objects for an MD5: S3 has those
uploaded in parts.)
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from aistore.local.api.redirect import base36
from aistore.local.errors import ObjectNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.store import ObjectReader, Store

MAX_READ = 1 << 20


def stored_tag(meta: ObjectMeta) -> str:
    """The tag as far as it is known without reading the object; empty if it isn't."""
    if meta.etag:
        return meta.etag
    if meta.cksum_type == "md5" and meta.cksum:
        return meta.cksum
    return f"v1-{meta.cksum}-{base36(meta.mtime)}" if meta.size > MAX_READ else ""


def multipart_tag(md5s: Sequence[str]) -> str:
    """The tag of an object made of parts with these digests."""
    joined = b"".join(bytes.fromhex(md5) for md5 in md5s)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(md5s)}"


def md5_of(chunks: Iterable[bytes]) -> str:
    """MD5 of pieces."""
    hasher = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


def _tagged(reader: ObjectReader) -> ObjectMeta:
    tag = stored_tag(reader.meta) or md5_of(reader.chunks())
    return msgspec.structs.replace(reader.meta, etag=tag)


def tag_reader(store: Store, bucket: Bucket, reader: ObjectReader) -> ObjectMeta:
    """What is known of an open object, with its tag; a tag that had to be computed is stored."""
    meta = _tagged(reader)
    if not stored_tag(reader.meta):
        store.catalog.objects.tag(bucket.id, [meta])
    return meta


def tag_object(store: Store, bucket: Bucket, name: str) -> ObjectMeta:
    """What is known of an object, with its tag.

    Raises:
        ObjectNotFound: There is none.
    """
    meta = store.head(bucket, name)
    if tag := stored_tag(meta):
        return msgspec.structs.replace(meta, etag=tag)
    with store.open(bucket, name) as reader:
        return tag_reader(store, bucket, reader)


def tag_all(store: Store, bucket: Bucket, metas: Sequence[ObjectMeta]) -> list[ObjectMeta]:
    """The same objects with their tags, without those that are gone meanwhile."""
    found = []
    computed = []
    for meta in metas:
        if tag := stored_tag(meta):
            found.append(msgspec.structs.replace(meta, etag=tag))
            continue
        try:
            with store.open(bucket, meta.name) as reader:
                found.append(_tagged(reader))
        except ObjectNotFound:
            continue
        computed.append(found[-1])
    if computed:
        store.catalog.objects.tag(bucket.id, computed)
    return found
