"""Parts of a multipart upload put together into one object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aistore.local.errors import ChecksumMismatch, PartNotFound
from aistore.wire.checksums import any_hasher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.catalog import Bucket, Completion, ObjectMeta, Part
    from aistore.local.store import Condition, ObjectWriter, Store
    from aistore.wire.checksums import Digest

_CHUNK = 1 << 20


def assemble(
    store: Store,
    bucket: Bucket,
    name: str,
    completion: Completion,
    *,
    etag: str = "",
    only_if: Condition | None = None,
) -> ObjectMeta:
    """Publish the object that the parts make up, and end the upload; `etag`, `only_if` as of `publish`.

    The transaction that publishes decides whether the upload and the parts are still current.

    Raises:
        UploadNotFound: The upload was completed or aborted meanwhile.
        PartNotFound: A part was sent again meanwhile.
        ChecksumMismatch: The bytes of a part are not those that were received.
        OutOfSpace: Parts and object don't fit at the same time.
    """
    kind, parts = bucket.checksum_type, completion.parts
    custom = store.catalog.uploads.custom(completion.upload)
    chunks = (len(parts), max(part.size for part in parts))
    if len(parts) == 1 and parts[0].cksum_type == kind:
        # The only part is the object: no byte is copied.
        part = parts[0]
        return store.publish(
            bucket,
            name,
            file=part.file,
            size=part.size,
            cksum=(kind, part.cksum),
            custom=custom,
            chunks=chunks,
            completion=completion,
            etag=etag,
            only_if=only_if,
        )
    with store.writer(bucket, name) as writer:
        for part in parts:
            _append(store, writer, part)
        return writer.commit(custom, chunks=chunks, completion=completion, etag=etag, only_if=only_if)


def with_md5(store: Store, parts: Sequence[Part]) -> list[Part]:
    """The parts with their MD5, computed where it is not known.

    Raises:
        PartNotFound: A part was sent again, or the upload ended.
    """
    return [
        part if part.md5 else part._replace(md5=part_digest(store, part, any_hasher("md5"))) for part in parts
    ]


def part_digest(store: Store, part: Part, hasher: Digest) -> str:
    """The digest of a part's bytes.

    Raises:
        PartNotFound: The part was sent again, or its upload ended.
    """
    with open(_open_part(store, part), "rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _append(store: Store, writer: ObjectWriter, part: Part) -> None:
    hasher = any_hasher(part.cksum_type)
    fd = _open_part(store, part)
    try:
        writer.write_from(fd, hasher)
    finally:
        os.close(fd)
    if hasher.hexdigest() != part.cksum:
        where = f"part {part.number} of {writer.bucket.bck}/{writer.name}"
        raise ChecksumMismatch(part.cksum_type, part.cksum, hasher.hexdigest(), where)


def _open_part(store: Store, part: Part) -> int:
    try:
        return store.files.open(part.file)
    except FileNotFoundError as err:
        raise PartNotFound(part.number, "was sent again meanwhile") from err
