"""Buckets and their properties, kept in memory and in the catalog."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local.errors import BucketExists, BucketNotEmpty, BucketNotFound, LocalError
from aistore.local.names import Bck, parse_namespace

if TYPE_CHECKING:
    import sqlite3

    from aistore.local.catalog.database import Database

Props = dict[str, Any]


class Bucket(msgspec.Struct, frozen=True):
    """A bucket: its row number (never used again), its identity and its properties (protocol/02)."""

    id: int
    bck: Bck
    props: Props

    @property
    def checksum_type(self) -> str:
        """Type that the bucket's objects are stored with."""
        return str(self.props["checksum"]["type"])

    @property
    def versioned(self) -> bool:
        """Whether writes are counted."""
        return bool(self.props["versioning"]["enabled"])


MAX_BUCKETS = 10_000
"""All are in memory, and in the responses that describe the cluster."""

_PROVISIONAL = "provisional-bucket"


class BucketTable:
    """All buckets. Reads don't touch the disk; a `Bucket` is a value and never changes.

    A job's destination is provisional until the job has ended or somebody else has laid hands on it: a
    crash before that leaves a bucket that nobody asked for, which the next start removes if it is empty.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._by_bck: dict[Bck, Bucket] = {}
        self.version = 1
        for row_id, provider, namespace, name, props in db.query(
            "SELECT id, provider, namespace, name, props FROM buckets"
        ):
            bck = Bck(name, provider, *parse_namespace(namespace))
            self._by_bck[bck] = Bucket(row_id, bck, msgspec.json.decode(props))
        self._provisional = {
            int(key) for (key,) in db.query("SELECT key FROM documents WHERE kind = ?", _PROVISIONAL)
        }

    def get(self, bck: Bck) -> Bucket:
        """The bucket.

        Raises:
            BucketNotFound: There is none of this identity.
        """
        bucket = self._by_bck.get(bck)
        if bucket is None:
            raise BucketNotFound(bck)
        return bucket

    def find(self, bck: Bck) -> Bucket | None:
        """The bucket, or None."""
        return self._by_bck.get(bck)

    def all(self) -> list[Bucket]:
        """Every bucket, by provider, namespace and name."""
        return sorted(self._by_bck.values(), key=lambda b: (b.bck.provider, b.bck.namespace, b.bck.name))

    @staticmethod
    def check_current(conn: sqlite3.Connection, bucket: Bucket) -> None:
        """Refuse to change what is in a bucket that was removed, as the running transaction sees it.

        Raises:
            BucketNotFound: The bucket exists under no name any more.
        """
        if conn.execute("SELECT 1 FROM buckets WHERE id = ?", (bucket.id,)).fetchone() is None:
            raise BucketNotFound(bucket.bck)

    def create(self, bck: Bck, props: Props, *, provisional: bool = False) -> Bucket:
        """Add a bucket.

        Args:
            bck (Bck): Its identity.
            props (Props): Its properties.
            provisional (bool): It is gone after a crash, unless it was settled or something is in it.

        Raises:
            BucketExists: There is one of this identity.
            LocalError: There are too many (429).
        """
        with self._lock:
            if bck in self._by_bck:
                self._settle(self._by_bck[bck].id)
                raise BucketExists(bck)
            if len(self._by_bck) >= MAX_BUCKETS:
                raise LocalError(f"there are {MAX_BUCKETS} buckets already: remove one first", status=429)
            with self._db.write() as conn:
                row = (bck.provider, bck.namespace, bck.name, msgspec.json.encode(props).decode())
                cursor = conn.execute(
                    "INSERT INTO buckets (provider, namespace, name, props) VALUES (?,?,?,?)", row
                )
                assert cursor.lastrowid is not None
                if provisional:
                    mark = (_PROVISIONAL, str(cursor.lastrowid), b"true")
                    conn.execute("INSERT INTO documents (kind, key, value) VALUES (?,?,?)", mark)
                    self._provisional.add(cursor.lastrowid)
                self._db.note("bucket", cursor.lastrowid, *row)
            bucket = self._by_bck[bck] = Bucket(cursor.lastrowid, bck, props)
            self.version += 1
            return bucket

    def settle(self, bucket: Bucket) -> None:
        """It is to stay, whatever happens."""
        with self._lock:
            self._settle(bucket.id)

    def _settle(self, bucket_id: int) -> None:
        if bucket_id in self._provisional:
            with self._db.write() as conn:
                key = (_PROVISIONAL, str(bucket_id))
                conn.execute("DELETE FROM documents WHERE kind = ? AND key = ?", key)
            self._provisional.discard(bucket_id)

    def drop_provisional(self) -> None:
        """Remove the provisional buckets of a run that crashed; those with objects in them stay."""
        for bucket in self.all():
            if bucket.id in self._provisional:
                with contextlib.suppress(BucketNotEmpty):
                    self.drop(bucket.bck, only_empty=True)
        with self._lock:
            for bucket_id in list(self._provisional):
                self._settle(bucket_id)

    def update(self, bck: Bck, props: Props) -> Bucket:
        """Replace the properties."""
        with self._lock:
            old = self.get(bck)
            self._settle(old.id)
            with self._db.write() as conn:
                text = msgspec.json.encode(props).decode()
                conn.execute("UPDATE buckets SET props = ? WHERE id = ?", (text, old.id))
                self._db.note("bucket", old.id, bck.provider, bck.namespace, bck.name, text)
            bucket = self._by_bck[bck] = Bucket(old.id, bck, props)
            self.version += 1
            return bucket

    def rename(self, bck: Bck, to: Bck) -> Bucket:
        """Give the bucket another name; its objects go with it.

        Raises:
            BucketExists: The new name is taken.
        """
        with self._lock:
            old = self.get(bck)
            if to in self._by_bck:
                raise BucketExists(to, status=400)
            self._settle(old.id)
            with self._db.write() as conn:
                conn.execute(
                    "UPDATE buckets SET provider = ?, namespace = ?, name = ? WHERE id = ?",
                    (to.provider, to.namespace, to.name, old.id),
                )
                text = msgspec.json.encode(old.props).decode()
                self._db.note("bucket", old.id, to.provider, to.namespace, to.name, text)
            del self._by_bck[bck]
            bucket = self._by_bck[to] = Bucket(old.id, to, old.props)
            self.version += 1
            return bucket

    def drop(self, bck: Bck, *, only_empty: bool = False) -> Bucket:
        """Remove a bucket at once; its objects are no longer visible and are cleared up in the background.

        Raises:
            BucketNotEmpty: It has objects, and only an empty one was to be removed.
        """
        with self._lock:
            bucket = self.get(bck)
            with self._db.write() as conn:
                found = "SELECT 1 FROM objects WHERE bucket = ? LIMIT 1"
                if only_empty and conn.execute(found, (bucket.id,)).fetchone():
                    raise BucketNotEmpty(bck)
                conn.execute("DELETE FROM buckets WHERE id = ?", (bucket.id,))
                conn.execute("INSERT INTO dropped (bucket) VALUES (?)", (bucket.id,))
                self._db.note("dropped", bucket.id)
            del self._by_bck[bck]
            self.version += 1
            return bucket
