"""Multipart uploads under way and their parts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.catalog.objects import decode_name, encode_name

if TYPE_CHECKING:
    import sqlite3

    from aistore.local.catalog.database import Database


class Part(NamedTuple):
    """An uploaded part: its number from 1, its content file, size and checksum."""

    number: int
    file: str
    size: int
    cksum_type: str
    cksum: str


class UploadTable:
    """Uploads by ID. A part that is sent again replaces the earlier one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, upload: str, bucket: int, name: str) -> None:
        """Begin an upload."""
        with self._db.write() as conn:
            conn.execute(
                "INSERT INTO uploads VALUES (?,?,?,?)", (upload, bucket, encode_name(name), time.time_ns())
            )

    def find(self, upload: str) -> tuple[int, str] | None:
        """(bucket, object name) of an upload, or None."""
        rows = self._db.query("SELECT bucket, name FROM uploads WHERE id = ?", upload)
        return (rows[0][0], decode_name(rows[0][1])) if rows else None

    def parts(self, upload: str) -> list[Part]:
        """The parts so far, by number."""
        sql = "SELECT number, file, size, cksum_type, cksum FROM parts WHERE upload = ? ORDER BY number"
        rows = self._db.query(sql, upload)
        return [Part(*row) for row in rows]

    def put_part(self, upload: str, part: Part) -> bool:
        """Record a part; False if the upload is gone meanwhile."""
        with self._db.write() as conn:
            if conn.execute("SELECT 1 FROM uploads WHERE id = ?", (upload,)).fetchone() is None:
                return False
            conn.execute(
                "INSERT INTO trash (file, size) SELECT file, size FROM parts WHERE upload = ? AND number = ?",
                (upload, part.number),
            )
            conn.execute("INSERT OR REPLACE INTO parts VALUES (?,?,?,?,?,?)", (upload, *part))
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
