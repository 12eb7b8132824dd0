"""Multipart uploads under way and their parts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from aistore.local.catalog.objects import decode_name, encode_name, prefix_end
from aistore.local.errors import LocalError, PartNotFound, UploadNotFound

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from aistore.local.catalog.buckets import Bucket, BucketTable
    from aistore.local.catalog.database import Database

MAX_UPLOADS = 10_000
"""Uploads under way."""

_PUT_PART = (
    "INSERT OR REPLACE INTO parts (upload, number, file, size, cksum_type, cksum, md5) VALUES (?,?,?,?,?,?,?)"
)


class Part(NamedTuple):
    """An uploaded part: its number from 1, its content file, size and checksum, and its MD5 if known."""

    number: int
    file: str
    size: int
    cksum_type: str
    cksum: str
    md5: str = ""


class Upload(NamedTuple):
    """An upload under way: its ID, the object's name, when it began in Unix nanoseconds."""

    id: str
    name: str
    created: int


class Completion(NamedTuple):
    """The end of an upload: the parts that become an object.

    Attributes:
        upload: The upload's ID.
        parts: The parts that the object is made of.
        only_these: The upload must have no other part.
    """

    upload: str
    parts: Sequence[Part]
    only_these: bool = False


class UploadTable:
    """Uploads by ID. A part that is sent again replaces the earlier one."""

    def __init__(self, db: Database, buckets: BucketTable) -> None:
        self._db = db
        self._buckets = buckets

    def create(self, upload: str, bucket: Bucket, name: str, custom: dict[str, str] | None = None) -> None:
        """Begin an upload; `custom` is the metadata that the object will have.

        Raises:
            BucketNotFound: The bucket was removed meanwhile.
            LocalError: Too many uploads are under way (429).
        """
        row = (upload, bucket.id, encode_name(name), time.time_ns(), msgspec.json.encode(custom).decode())
        with self._db.write() as conn:
            self._buckets.check_current(conn, bucket)
            if conn.execute("SELECT count(*) FROM uploads").fetchone()[0] >= MAX_UPLOADS:
                raise LocalError(
                    f"{MAX_UPLOADS} multipart uploads are under way: complete or abort some", status=429
                )
            conn.execute("INSERT INTO uploads (id, bucket, name, created, custom) VALUES (?,?,?,?,?)", row)

    def find(self, upload: str) -> tuple[int, str] | None:
        """(bucket, object name) of an upload, or None."""
        if not upload.isascii():  # an ID is; SQLite takes no text that is not UTF-8
            return None
        rows = self._db.query("SELECT bucket, name FROM uploads WHERE id = ?", upload)
        return (rows[0][0], decode_name(rows[0][1])) if rows else None

    def custom(self, upload: str) -> dict[str, str] | None:
        """The metadata that the upload began with, None where it said nothing about it."""
        rows = self._db.query("SELECT custom FROM uploads WHERE id = ?", upload)
        return msgspec.json.decode(rows[0][0], type=dict[str, str] | None) if rows and rows[0][0] else None

    def page(self, bucket: int, prefix: str, after: tuple[str, str], limit: int) -> list[Upload]:
        """Up to `limit` uploads to names that start with `prefix`, after (name, ID), by name and ID."""
        raw = encode_name(prefix)
        sql = (
            "SELECT id, name, created FROM uploads WHERE bucket = ? AND name >= ? AND name < ? "
            "AND (name, id) > (?, ?) ORDER BY name, id LIMIT ?"
        )
        after_id = after[1].encode("utf-8", "replace").decode()
        bounds = (raw, prefix_end(raw), encode_name(after[0]), after_id)
        rows = self._db.query(sql, bucket, *bounds, limit)
        return [Upload(id, decode_name(name), created) for id, name, created in rows]

    def parts(self, upload: str) -> list[Part]:
        """The parts so far, by number."""
        sql = "SELECT number, file, size, cksum_type, cksum, md5 FROM parts WHERE upload = ? ORDER BY number"
        rows = self._db.query(sql, upload)
        return [Part(*row) for row in rows]

    def check_current(
        self, conn: sqlite3.Connection, bucket: Bucket, name: str, completion: Completion
    ) -> None:
        """Refuse to complete an upload that is over, or with a part that was sent again since.

        The part's file then belongs to another object or is about to be removed.

        Raises:
            UploadNotFound: The upload was completed or aborted.
            PartNotFound: A part has another file by now, or there is one more part.
        """
        upload = completion.upload
        found = conn.execute("SELECT bucket, name FROM uploads WHERE id = ?", (upload,)).fetchone()
        if found != (bucket.id, encode_name(name)):
            raise UploadNotFound(bucket.bck.name, name, upload)
        current = dict(conn.execute("SELECT number, file FROM parts WHERE upload = ?", (upload,)))
        for part in completion.parts:
            if current.pop(part.number, None) != part.file:
                raise PartNotFound(part.number, "was sent again meanwhile")
        if current and completion.only_these:
            raise PartNotFound(min(current), "was sent meanwhile")

    def put_part(self, upload: str, part: Part) -> bool:
        """Record a part; False if the upload is gone meanwhile."""
        with self._db.write() as conn:
            if conn.execute("SELECT 1 FROM uploads WHERE id = ?", (upload,)).fetchone() is None:
                return False
            conn.execute(
                "INSERT INTO trash (file, size) SELECT file, size FROM parts WHERE upload = ? AND number = ?",
                (upload, part.number),
            )
            conn.execute(_PUT_PART, (upload, *part))
            return True

    def remove_older_than(self, created: int) -> None:
        """End the uploads that began before a time, in Unix nanoseconds."""
        for (upload,) in self._db.query("SELECT id FROM uploads WHERE created < ?", created):
            self.remove(upload)

    def remove(self, upload: str, conn: sqlite3.Connection | None = None, *, keep: str = "") -> bool:
        """End an upload; its parts go to the trash, except the file `keep`. False if there was none."""
        if conn is None:
            with self._db.write() as own:
                return self.remove(upload, own, keep=keep)
        gone = conn.execute("DELETE FROM uploads WHERE id = ?", (upload,)).rowcount > 0
        conn.execute(
            "INSERT INTO trash (file, size) SELECT file, size FROM parts WHERE upload = ? AND file != ?",
            (upload, keep),
        )
        conn.execute("DELETE FROM parts WHERE upload = ?", (upload,))
        return gone
