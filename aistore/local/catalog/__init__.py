"""The catalog: what the local cluster knows, in one SQLite file.

Everything here is synchronous and may be called from any thread. Reading never waits for writing.

* `catalog.buckets`: `get(bck)`, `find(bck)`, `all()`, `create`, `update`, `rename`, `drop`
* `catalog.objects`: `get(bucket_id, name)`, `page(...)`, `walk(bucket_id, prefix)`, `totals(...)`; to change
  objects go through `Store`, which keeps rows and content files together
* `catalog.uploads`: multipart uploads
* `catalog.documents`: `put(kind, key, value)`, `get`, `items(kind)`, `delete`: JSON that survives a restart
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aistore.local.catalog.buckets import Bucket, BucketTable, Props
from aistore.local.catalog.database import Database
from aistore.local.catalog.documents import DocumentTable
from aistore.local.catalog.journal import Journal, Record
from aistore.local.catalog.objects import ObjectMeta, ObjectTable
from aistore.local.catalog.uploads import Completion, Part, UploadTable

__all__ = ["Bucket", "Catalog", "Completion", "ObjectMeta", "Part", "Props"]


class Catalog:
    """All tables.

    Args:
        path (Path): The SQLite file.
        durable (bool): Flush to the device at each commit (see `Database`).
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._journal = Journal(path.parent / "journal")
        self.db = Database(path, durable=durable, journal=self._journal)
        self.buckets = BucketTable(self.db)
        self.objects = ObjectTable(self.db)
        self.uploads = UploadTable(self.db, self.buckets)
        self.documents = DocumentTable(self.db)

    def meta(self, key: str, default: str) -> str:
        """A stored setting of the folder; the default is stored if there is none."""
        with self.db.write() as conn:
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            if row is not None:
                return str(row[0])
            conn.execute("INSERT INTO meta (key, value) VALUES (?,?)", (key, default))
            self.db.note("meta", key, default)
            return default

    def tidy_journal(self) -> None:
        """Begin the journal anew from what there is, if it has grown far beyond that; for the background."""
        if not self._journal.wants_base():
            return
        with self.db.paused():
            number = self._journal.rotate()
        self._journal.write_base(number, self._records())

    def _records(self) -> Iterator[Record]:
        for key, value in self.db.query("SELECT key, value FROM meta"):
            yield ("meta", key, value)
        for row in self.db.query("SELECT id, provider, namespace, name, props FROM buckets"):
            yield ("bucket", *row)
        yield from self.objects.records()

    def close(self) -> None:
        """Close the file."""
        self.db.close()
        self._journal.close()
