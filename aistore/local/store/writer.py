"""Writing an object: bytes go to a new content file while they are checksummed; a commit publishes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aistore.local.disk_errors import disk_error
from aistore.local.errors import ChecksumMismatch
from aistore.wire.checksums import any_hasher

if TYPE_CHECKING:
    from types import TracebackType

    from aistore.local.catalog import Bucket, Completion, ObjectMeta
    from aistore.local.store import Condition, Store
    from aistore.wire.checksums import Hasher

_COPY_CHUNK = 1 << 20


class ContentWriter:
    """A content file being written; nobody sees it until something names it.

    Args:
        store (Store): Where it goes.
        obj_name (str): Decides the end of the file's name.
        target (int): Which target's folder.
        checksum_types: Types to compute on the way.
    """

    def __init__(self, store: Store, obj_name: str, target: int, *checksum_types: str) -> None:
        self._store = store
        self.file = store.files.new_name(target, obj_name)
        self.size = 0
        self._fd = -1
        self._hashers = {kind: any_hasher(kind) for kind in checksum_types}
        self._kept = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            OutOfSpace: The quota is used up or the disk is full.
        """
        self._store.take_space(len(data))
        self.size += len(data)
        if self._fd < 0:
            self._open()
        for hasher in self._hashers.values():
            hasher.update(data)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as err:
            raise disk_error(err) from err

    def _open(self) -> None:
        self._fd = self._store.files.create(self.file)
        self._store.open_writers.add(self.file)

    def write_from(self, fd: int, also: Hasher | None = None) -> None:
        """Append everything that can be read from a descriptor, and hash it with `also`."""
        while chunk := os.read(fd, _COPY_CHUNK):
            self.write(chunk)
            if also is not None:
                also.update(chunk)

    def link(self, meta: ObjectMeta) -> bool:
        """Take over the bytes of an object without copying them; False where the file system can't.

        Raises:
            OutOfSpace: The quota is used up.
        """
        self._store.quota.take(meta.size)
        self._store.open_writers.add(self.file)
        self.size = meta.size
        if self._store.files.link(meta.file, self.file):
            return True
        self._store.quota.give_back(meta.size)
        self.size = 0
        return False

    def digest(self, kind: str) -> str:
        """The checksum so far, of one of the types given at the start."""
        return self._hashers[kind].hexdigest()

    def _digest_again(self, kind: str) -> str:
        hasher = any_hasher(kind)
        offset = 0
        while self._fd >= 0 and (data := os.pread(self._fd, _COPY_CHUNK, offset)):
            hasher.update(data)
            offset += len(data)
        return hasher.hexdigest()

    def verify(self, kind: str, expected: str, where: str) -> None:
        """Compare with what the sender announced.

        Raises:
            ChecksumMismatch: The bytes are others.
        """
        actual = self.digest(kind) if kind in self._hashers else self._digest_again(kind)
        if kind != "none" and actual != expected.lower():
            raise ChecksumMismatch(kind, expected, actual, where)

    def finish(self) -> str:
        """Close the file and return its relative path, for the caller to name in the catalog, or `abort`."""
        if self._fd < 0:
            self._store.take_space(0)
            self._open()
        if self._store.durable:
            os.fsync(self._fd)
            self._store.files.flush_folder(self.file)
        os.close(self._fd)
        self._fd = -1
        return self.file

    def keep(self) -> None:
        """The file is named by the catalog: no longer this writer's to remove."""
        self._kept = True
        self._store.open_writers.discard(self.file)

    def abort(self) -> None:
        """Remove what was written, unless it was kept."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if not self._kept:
            self._kept = True
            self._store.files.remove(self.file)
            self._store.quota.give_back(self.size)
            self._store.open_writers.discard(self.file)


class ObjectWriter(ContentWriter):
    """An object being written; a context manager that discards what was not committed.

    >>> with store.writer(bucket, "a/b.txt") as writer:      # doctest: +SKIP
    ...     writer.write(b"hello")
    ...     meta = writer.commit()
    """

    def __init__(
        self, store: Store, bucket: Bucket, name: str, *, check: tuple[str, str] | None = None
    ) -> None:
        kinds = {bucket.checksum_type, *([check[0]] if check else [])}
        super().__init__(store, name, store.place(bucket.bck, name), *kinds)
        self.bucket = bucket
        self.name = name
        self._check = check

    def commit(
        self,
        custom: dict[str, str] | None = None,
        *,
        fresh: bool = False,
        atime: int = 0,
        chunks: tuple[int, int] = (0, 0),
        completion: Completion | None = None,
        etag: str = "",
        only_if: Condition | None = None,
    ) -> ObjectMeta:
        """Publish the object in place of the one there may be.

        Args:
            custom (dict[str, str] | None): Custom metadata; None keeps that of the object replaced.
            fresh (bool): Forget the object replaced: version 1, none of its custom metadata.
            atime (int): Access time in Unix nanoseconds, 0 for now.
            chunks (tuple[int, int]): Count and largest size of the parts it was uploaded in.
            completion (Completion | None): The multipart upload that ends with this.
            etag (str): The S3 entity tag without quotes, where it is known.
            only_if (Condition | None): As of `Store.publish`.

        Raises:
            ChecksumMismatch: The sender announced another checksum; nothing changes.
            BucketNotFound: The bucket was removed meanwhile.
            OutOfSpace: The disk is full.
        """
        if self._check is not None:
            self.verify(*self._check, f"{self.bucket.bck}/{self.name}")
        self.finish()
        kind = self.bucket.checksum_type
        meta = self._store.publish(
            self.bucket,
            self.name,
            file=self.file,
            size=self.size,
            cksum=(kind, self.digest(kind)),
            custom=custom,
            fresh=fresh,
            atime=atime,
            chunks=chunks,
            completion=completion,
            etag=etag,
            only_if=only_if,
        )
        self.keep()
        return meta

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
