"""The catalog: what the local cluster knows, in one SQLite file.

Everything here is synchronous and may be called from any thread. Reading never waits for writing.

* `catalog.buckets`: `get(bck)`, `find(bck)`, `all()`, `create`, `update`, `rename`, `drop`
* `catalog.objects`: `get(bucket_id, name)`, `page(...)`, `walk(bucket_id, prefix)`, `totals(...)`; to change
  objects go through `Store`, which keeps rows and content files together
* `catalog.uploads`: multipart uploads
* `catalog.documents`: `put(kind, key, value)`, `get`, `items(kind)`, `delete`: JSON that survives a restart
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from aistore.local.catalog.buckets import Bucket, BucketTable, Props
from aistore.local.catalog.database import Database
from aistore.local.catalog.documents import DocumentTable
from aistore.local.catalog.journal import Journal, Mark, Record
from aistore.local.catalog.objects import ObjectMeta, ObjectTable
from aistore.local.catalog.uploads import Completion, Part, UploadTable
from aistore.local.data_folder import DataFolder

__all__ = ["Bucket", "Catalog", "Completion", "ObjectMeta", "Part", "Props"]


# Keys of the settings that make up the catalog's `Mark`.
FOLDER_KEY, MARK_KEY = "folder", "mark"


class Catalog:
    """All tables.

    Args:
        path (Path): The SQLite file.
        durable (bool): Flush to the device at each commit (see `Database`).
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.folder = DataFolder(path.parent)
        self.db = Database(self.folder, path.name, durable=durable)
        self._folder_id = self.meta(FOLDER_KEY, secrets.token_hex(8))
        # On the device before the journal repeats it.
        self.db.checkpoint()
        self._mark = Mark(self._folder_id, int(self.meta(MARK_KEY, "0")))
        self._marked = self.db.changes
        self.db.journal = self._journal = Journal(self.folder, self._mark)
        self.buckets = BucketTable(self.db)
        self.objects = ObjectTable(self.db)
        self.uploads = UploadTable(self.db, self.buckets)
        self.documents = DocumentTable(self.db)
        if self.db.was_older:
            # Without what the journal of an older version should not have.
            self.begin_journal()

    def meta(self, key: str, default: str) -> str:
        """A stored setting of the folder; the default is stored if there is none."""
        with self.db.write() as conn:
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            if row is not None:
                return str(row[0])
            conn.execute("INSERT INTO meta (key, value) VALUES (?,?)", (key, default))
            self.db.note("meta", key, default)
            return default

    def checkpoint(self) -> None:
        """Flush changes to the device, and note in the journal how far that is; for the background."""
        changes = self.db.changes
        mark = self._mark._replace(number=self._mark.number + 1)
        if changes != self._marked:
            with self.db.write() as conn:
                row = (MARK_KEY, str(mark.number))
                conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)", row)
        if self.db.checkpoint() and changes != self._marked:
            with self.db.paused():
                self._journal.mark(mark)
            self._mark, self._marked = mark, changes

    def tidy_journal(self) -> None:
        """Begin the journal again if it has grown far beyond what there is; for the background."""
        if self._journal.wants_base():
            self.begin_journal()

    def begin_journal(self) -> None:
        """Begin the journal again from what there is now."""
        with self.db.paused():
            number = self._journal.rotate()
        self._journal.write_base(number, self._records())

    def _records(self) -> Iterator[Record]:
        for key, value in self.db.query("SELECT key, value FROM meta"):
            yield ("meta", key, value)
        for row in self.db.query("SELECT id, provider, namespace, name, props FROM buckets"):
            yield ("bucket", *row)
        yield from self.objects.records()
        for (file,) in self.db.query("SELECT file FROM trash"):
            yield ("trash", file)

    def close(self) -> None:
        """Close the file."""
        self.db.close()
        self._journal.close()
