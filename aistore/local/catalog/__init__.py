"""The catalog: what the local cluster knows, in one SQLite file.

Everything here is synchronous and may be called from any thread. Reading never waits for writing.

* `catalog.buckets`: `get(bck)`, `find(bck)`, `all()`, `create`, `update`, `rename`, `drop`
* `catalog.objects`: `get(bucket_id, name)`, `page(...)`, `walk(bucket_id, prefix)`, `totals(...)`; to change
  objects go through `Store`, which keeps rows and content files together
* `catalog.uploads`: multipart uploads
* `catalog.documents`: `put(kind, key, value)`, `get`, `items(kind)`, `delete`: JSON that survives a restart
"""

from __future__ import annotations

from pathlib import Path

from aistore.local.catalog.buckets import Bucket, BucketTable, Props
from aistore.local.catalog.database import Database
from aistore.local.catalog.documents import DocumentTable
from aistore.local.catalog.objects import ObjectMeta, ObjectTable
from aistore.local.catalog.uploads import Part, UploadTable

__all__ = ["Bucket", "Catalog", "ObjectMeta", "Part", "Props"]


class Catalog:
    """All tables.

    Args:
        path (Path): The SQLite file.
        durable (bool): Flush to the device at each commit (see `Database`).
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.db = Database(path, durable=durable)
        self.buckets = BucketTable(self.db)
        self.objects = ObjectTable(self.db)
        self.uploads = UploadTable(self.db)
        self.documents = DocumentTable(self.db)

    def meta(self, key: str, default: str) -> str:
        """A stored setting of the folder; the default is stored if there is none."""
        with self.db.write() as conn:
            row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            if row is not None:
                return str(row[0])
            conn.execute("INSERT INTO meta (key, value) VALUES (?,?)", (key, default))
            return default

    def close(self) -> None:
        """Close the file."""
        self.db.close()
