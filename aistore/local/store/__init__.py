"""The store: objects, as rows of the catalog together with content files on disk.

Everything here is synchronous and may be called from any thread; large reads and writes belong off the event
loop.

* `store.open(bucket, name) -> ObjectReader`: `.meta`, `.read_at(offset, size)`, `.chunks()`, `.path`, context
  manager
* `store.head(bucket, name) -> ObjectMeta`
* `store.writer(bucket, name) -> ObjectWriter`: `.write(bytes)`, `.commit(custom=...) -> ObjectMeta`; what is
  not committed leaves nothing behind
* `store.put(bucket, name, data) -> ObjectMeta`
* `store.copy(bucket, name, to_bucket, to_name)`, `store.rename(...)`, `store.delete(bucket, name)`
* `store.rewrite(bucket, name, make)`: an object made of what it was
* `store.walk(bucket, prefix)`: every object in byte order of names; `store.exists(bucket, name)`
* `store.path(meta)`: the content file (its name ends with the object's base name, so the extension is
  visible)

`bucket` is a `catalog.Bucket`, from `store.catalog.buckets.get(bck)`. Errors are those of
`aistore.local.errors`.

Durability: when a call returns, a process that is killed at any moment loses nothing of it. `durable=True`
also flushes to the device, for power failures.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from aistore.local.catalog import Bucket, Catalog, Completion, ObjectMeta
from aistore.local.disk_errors import disk_error
from aistore.local.errors import FolderReplaced, InvalidRequest, ObjectChanged, ObjectNotFound
from aistore.local.store.files import Files, Quota, last_run
from aistore.local.store.janitor import Janitor
from aistore.local.store.reader import ObjectFile, ObjectReader
from aistore.local.store.writer import ContentWriter, ObjectWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from aistore.local.names import Bck

__all__ = ["ContentWriter", "ObjectFile", "ObjectReader", "ObjectWriter", "Store", "unchanged"]

log = logging.getLogger(__name__)

MAX_CUSTOM = 64 << 10
"""Length of an object's custom metadata."""

_KEEP_OPEN_TRIES = 10
_REWRITE_TRIES = 10
_LOOK_SECONDS = 0.1

# Raises unless the object there is, or None, may be replaced or removed.
Condition = Callable[["ObjectMeta | None"], None]


def unchanged(bucket: Bucket, name: str, before: ObjectMeta | None) -> Condition:
    """Condition that the object still has the content that a change was based on, or still does not exist.

    Without it an acknowledged write between reading and publishing would be lost.
    """

    def check(found: ObjectMeta | None) -> None:
        if (found and found.file) != (before and before.file):
            raise ObjectChanged(bucket.bck, name)

    return check


class Leftovers(NamedTuple):
    """Content files that nothing names any more, and their bytes."""

    files: int
    size: int


class Store:
    """Objects on disk.

    Args:
        root (Path): The folder, locked by the caller.
        catalog (Catalog): Its catalog; closed with the store.
        targets (int): Number of targets.
        place: Index of the target that owns an object's full name.
        quota (int | None): Bytes that objects may take up altogether.
        durable (bool): Flush to the device before answering.
    """

    def __init__(
        self,
        root: Path,
        catalog: Catalog,
        *,
        targets: int = 1,
        place: Callable[[str], int] = lambda _: 0,
        quota: int | None = None,
        durable: bool = False,
    ) -> None:
        self.durable = durable
        self.catalog = catalog
        self._place = place
        boot, crashed = self._begin_boot(last_run(root))
        self._boot = boot
        self.files = Files(catalog.folder, targets, boot)
        used = 0 if quota is None else self._stored_bytes(crashed)
        self.quota = Quota(quota, used, self._reclaim)
        self.open_writers: set[str] = set()
        self._accessed: dict[tuple[int, str], tuple[int, str]] = {}
        self._accessed_lock = threading.Lock()
        self._janitor = Janitor(self, crashed)

    def _begin_boot(self, last_on_disk: int) -> tuple[int, list[int]]:
        """Number this run, greater than any run whose files are there, and know those that crashed."""
        with self.catalog.db.write() as conn:
            crashed = [row[0] for row in conn.execute("SELECT boot FROM boots ORDER BY boot")]
            last = conn.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()
            boot = max(int(last[0]) if last else 0, last_on_disk) + 1
            conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('boot', ?)", (str(boot),))
            conn.execute("INSERT INTO boots (boot) VALUES (?)", (boot,))
        # On the device before any file of this run.
        self.catalog.db.checkpoint()
        return boot, crashed

    def _stored_bytes(self, crashed: list[int]) -> int:
        """Bytes on the disk: objects, parts, what is to be removed, and what crashes left half written."""
        query = (
            "SELECT total(size) FROM (SELECT size FROM objects UNION ALL SELECT size FROM parts "
            "UNION ALL SELECT size FROM trash)"
        )
        [(named,)] = self.catalog.db.query(query)
        return int(named) + self.files.leftover_bytes(self.catalog, crashed)

    def _reclaim(self) -> bool:
        return self._janitor.remove_some()

    def take_space(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            OutOfSpace: They don't fit into the quota, or on the disk.
        """
        self.files.check_room(size)
        self.quota.take(size)

    def room(self) -> int:
        """Bytes that still fit into the quota and on the disk."""
        left = self.quota.room()
        on_disk = self.files.room()
        return on_disk if left is None else min(left, on_disk)

    def close(self) -> None:
        """End the background work and close the catalog."""
        try:
            self._janitor.stop()
            if not self.open_writers:
                with self.catalog.db.write() as conn:
                    conn.execute("DELETE FROM boots WHERE boot = ?", (self._boot,))
        except FolderReplaced as err:
            log.warning("%s", err)  # the next start clears up, as after a crash
        self.catalog.close()

    def leftovers(self) -> Leftovers:
        """Content files that are to be removed: of what was replaced or deleted, and of dropped buckets."""
        query = (
            "SELECT count(*), total(size) FROM (SELECT size FROM trash UNION ALL "
            "SELECT size FROM objects WHERE bucket IN (SELECT bucket FROM dropped))"
        )
        [(files, size)] = self.catalog.db.query(query)
        return Leftovers(files, int(size))

    def await_removal(self, pause: Callable[[float], object]) -> None:
        """Wait until the files are removed that are to be removed by now.

        Args:
            pause: Called with seconds to wait; what it raises ends the waiting.
        """
        query = self.catalog.db.query
        # The objects of dropped buckets become trash, which is then emptied.
        for table, column in (("dropped", "bucket"), ("trash", "id")):
            [(newest,)] = query(f"SELECT max({column}) FROM {table}")  # noqa: S608 - of the names above
            left = f"SELECT 1 FROM {table} WHERE {column} <= ? LIMIT 1"  # noqa: S608 - of the names above
            while newest is not None and query(left, newest):
                pause(_LOOK_SECONDS)

    def place(self, bck: Bck, name: str) -> int:
        """Index of the target that owns an object."""
        return self._place(bck.uname(name))

    def path(self, meta: ObjectMeta) -> str:
        """Absolute path of an object's content file."""
        return self.files.path(meta.file)

    def find(self, bucket: Bucket, name: str) -> ObjectMeta | None:
        """What the catalog knows of an object, or None."""
        meta = self.catalog.objects.get(bucket.id, name)
        if meta is None or not self._accessed:
            return meta
        seen = self._accessed.get((bucket.id, name))
        if seen is not None and seen[1] == meta.file:
            return msgspec.structs.replace(meta, atime=seen[0])
        return meta

    def exists(self, bucket: Bucket, name: str) -> bool:
        """Whether there is such an object."""
        return self.catalog.objects.get(bucket.id, name) is not None

    def head(self, bucket: Bucket, name: str) -> ObjectMeta:
        """What the catalog knows of an object.

        Raises:
            ObjectNotFound: There is none.
        """
        meta = self.find(bucket, name)
        if meta is None:
            raise ObjectNotFound(bucket.bck, name)
        return meta

    def open(self, bucket: Bucket, name: str) -> ObjectReader:
        """Open an object for reading.

        Raises:
            ObjectNotFound: There is none.
            LocalError: Too many files are open (503).
        """
        for _ in range(_KEEP_OPEN_TRIES):
            meta = self.head(bucket, name)
            try:
                return ObjectReader(meta, self.path(meta), self.files.open(meta.file))
            except FileNotFoundError:
                # Replaced between the look-up and the opening: look again.
                continue
            except OSError as err:
                raise disk_error(err) from err
        raise ObjectNotFound(bucket.bck, name)

    def locate(self, bucket: Bucket, name: str) -> ObjectFile:
        """Where an object's bytes are, for those who open the file by themselves.

        Raises:
            ObjectNotFound: There is none.
        """
        meta = self.head(bucket, name)
        return ObjectFile(meta, self.path(meta))

    def walk(self, bucket: Bucket, prefix: str = "", *, after: str = "") -> Iterator[ObjectMeta]:
        """Every object whose name starts with `prefix`, after the name `after`, in byte order."""
        return self.catalog.objects.walk(bucket.id, prefix, after=after)

    def accessed(self, bucket: Bucket, meta: ObjectMeta) -> None:
        """Note that an object was read; stored later, in the background."""
        with self._accessed_lock:
            self._accessed[bucket.id, meta.name] = (time.time_ns(), meta.file)

    def take_accessed(self) -> list[tuple[int, int, str, str]]:
        """The access times not yet stored, as (atime, bucket, name, file)."""
        with self._accessed_lock:
            taken, self._accessed = self._accessed, {}
        return [(atime, bucket, name, file) for (bucket, name), (atime, file) in taken.items()]

    def writer(self, bucket: Bucket, name: str, *, check: tuple[str, str] | None = None) -> ObjectWriter:
        """Begin to write an object; `check` is the (type, value) of a checksum to hold the bytes against."""
        return ObjectWriter(self, bucket, name, check=check)

    def put(
        self,
        bucket: Bucket,
        name: str,
        data: bytes | bytearray | memoryview,
        *,
        custom: dict[str, str] | None = None,
    ) -> ObjectMeta:
        """Write an object that is in memory."""
        with self.writer(bucket, name) as writer:
            writer.write(data)
            return writer.commit(custom)

    def publish(
        self,
        bucket: Bucket,
        name: str,
        *,
        file: str,
        size: int,
        cksum: tuple[str, str],
        custom: dict[str, str] | None = None,
        fresh: bool = False,
        atime: int = 0,
        chunks: tuple[int, int] = (0, 0),
        version: int | None = None,
        completion: Completion | None = None,
        etag: str = "",
        only_if: Condition | None = None,
    ) -> ObjectMeta:
        """Name a finished content file as an object: the one step that makes it visible.

        Args:
            bucket (Bucket): Where.
            name (str): Under which name.
            file (str): The content file.
            size (int): Its size.
            cksum (tuple[str, str]): Type and value of its checksum.
            custom (dict[str, str] | None): Custom metadata; None keeps that of the object replaced.
            fresh (bool): Forget the object replaced.
            atime (int): Access time in Unix nanoseconds, 0 for now.
            chunks (tuple[int, int]): Count and largest size of the parts it was uploaded in.
            version (int | None): None counts on from the object replaced.
            completion (Completion | None): The upload that ends with this, if all of it is current.
            etag (str): The S3 entity tag without quotes, where it is known.
            only_if (Condition | None): Called with the object replaced, or None, within the transaction.

        Raises:
            BucketNotFound: The bucket was removed meanwhile.
            UploadNotFound: The upload was completed or aborted meanwhile.
            PartNotFound: A part was sent again meanwhile.
        """
        objects = self.catalog.objects
        now = time.time_ns()
        with self.catalog.db.write() as conn:
            self.catalog.buckets.check_current(conn, bucket)
            if completion is not None:
                self.catalog.uploads.check_current(conn, bucket, name, completion)
            old = objects.get(bucket.id, name, conn)
            if only_if is not None:
                only_if(old)
            before = None if fresh else old
            if version is None:
                version = (before.version if before else 0) + 1 if bucket.versioned else 0
            if custom is None:
                custom = before.custom if before else {}
            meta = ObjectMeta(name, file, size, *cksum, version, atime or now, now, custom, *chunks, etag)
            objects.put(conn, bucket.id, meta)
            if old is not None and old.file != file:
                conn.execute("INSERT INTO trash (file, size) VALUES (?,?)", (old.file, old.size))
            if completion is not None:
                self.catalog.uploads.remove(completion.upload, conn, keep=file)
        return meta

    def rewrite(
        self,
        bucket: Bucket,
        name: str,
        make: Callable[[ObjectReader | None, ObjectWriter], None],
        custom: dict[str, str] | None = None,
    ) -> ObjectMeta:
        """Replace an object by what is made of it; made again when another request changes it meanwhile.

        Args:
            bucket (Bucket): Where.
            name (str): The object's name.
            make: Writes the new content, from the object or, if there is none, from None.
            custom (dict[str, str] | None): Custom metadata; None keeps that of the object.

        Raises:
            ObjectChanged: It was changed each time.
        """
        tries = _REWRITE_TRIES
        while True:
            with contextlib.ExitStack() as stack:
                reader = None
                with contextlib.suppress(ObjectNotFound):
                    reader = stack.enter_context(self.open(bucket, name))
                writer = stack.enter_context(self.writer(bucket, name))
                make(reader, writer)
                condition = unchanged(bucket, name, None if reader is None else reader.meta)
                try:
                    return writer.commit(custom, only_if=condition)
                except ObjectChanged:
                    tries -= 1
                    if not tries:
                        raise

    def update(
        self,
        bucket: Bucket,
        name: str,
        *,
        custom: dict[str, str],
        replace: bool = False,
        only_if: Condition | None = None,
    ) -> ObjectMeta:
        """Merge custom metadata into an object's, or replace it. `only_if` as of `publish`.

        Raises:
            BucketNotFound: The bucket was removed meanwhile.
            ObjectNotFound: There is none.
        """
        with self.catalog.db.write() as conn:
            old = self._take(conn, bucket, name)
            if only_if is not None:
                only_if(old)
            merged = custom if replace else {**old.custom, **custom}
            if sum(len(key) + len(value) for key, value in merged.items()) > MAX_CUSTOM:
                raise InvalidRequest(f"custom metadata of {name!r} would be longer than {MAX_CUSTOM}")
            meta = msgspec.structs.replace(old, custom=merged)
            self.catalog.objects.put(conn, bucket.id, meta)
        return meta

    def _take(self, conn: sqlite3.Connection, bucket: Bucket, name: str) -> ObjectMeta:
        """The object that the running transaction changes or removes."""
        self.catalog.buckets.check_current(conn, bucket)
        old = self.catalog.objects.get(bucket.id, name, conn)
        if old is None:
            raise ObjectNotFound(bucket.bck, name)
        return old

    def delete(self, bucket: Bucket, name: str, *, only_if: Condition | None = None) -> ObjectMeta:
        """Remove an object; readers that have it open are not disturbed. `only_if` as of `publish`.

        Raises:
            BucketNotFound: The bucket was removed meanwhile.
            ObjectNotFound: There is none.
        """
        with self.catalog.db.write() as conn:
            old = self._take(conn, bucket, name)
            if only_if is not None:
                only_if(old)
            self.catalog.objects.delete(conn, bucket.id, name)
            conn.execute("INSERT INTO trash (file, size) VALUES (?,?)", (old.file, old.size))
        return old

    def rename(self, bucket: Bucket, name: str, to: str) -> ObjectMeta:
        """Give an object another name, in place of the object there may be.

        Raises:
            BucketNotFound: The bucket was removed meanwhile.
            ObjectNotFound: There is none.
        """
        with self.catalog.db.write() as conn:
            old = self._take(conn, bucket, name)
            if name == to:
                return old
            replaced = self.catalog.objects.get(bucket.id, to, conn)
            if replaced is not None:
                conn.execute("INSERT INTO trash (file, size) VALUES (?,?)", (replaced.file, replaced.size))
            meta = msgspec.structs.replace(old, name=to)
            self.catalog.objects.delete(conn, bucket.id, name)
            self.catalog.objects.put(conn, bucket.id, meta)
        return meta

    def copy(
        self,
        bucket: Bucket,
        name: str,
        to_bucket: Bucket,
        to_name: str,
        *,
        custom: dict[str, str] | None = None,
        source_if: Condition | None = None,
        only_if: Condition | None = None,
    ) -> ObjectMeta:
        """Copy an object with its version, access time and custom metadata, unless `custom` is given.

        The copy shares the bytes on disk where the file system can and the checksum type is the same.
        `source_if` is called with the object that is read, `only_if` as of `publish`.

        Raises:
            ObjectNotFound: There is none.
            OutOfSpace: It doesn't fit.
        """
        with self.open(bucket, name) as reader:
            meta = reader.meta
            if source_if is not None:
                source_if(meta)
            if bucket.id == to_bucket.id and name == to_name:
                return meta
            writer = ObjectWriter(self, to_bucket, to_name)
            with writer:
                self._fill(writer, reader)
                kind = to_bucket.checksum_type
                same = kind == meta.cksum_type
                copied = self.publish(
                    to_bucket,
                    to_name,
                    file=writer.file,
                    size=meta.size,
                    cksum=(kind, meta.cksum if same else writer.digest(kind)),
                    custom=meta.custom if custom is None else custom,
                    atime=meta.atime,
                    chunks=(meta.chunks, meta.chunk_size),
                    version=meta.version if to_bucket.versioned else 0,
                    etag=meta.etag,
                    only_if=only_if,
                )
                writer.keep()
                return copied

    def _fill(self, writer: ObjectWriter, reader: ObjectReader) -> None:
        same = writer.bucket.checksum_type == reader.meta.cksum_type
        if not (same and writer.link(reader.meta)):
            writer.write_from(reader.fileno())
            writer.finish()
