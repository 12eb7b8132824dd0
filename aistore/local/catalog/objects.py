"""Rows of objects: what is known of an object besides its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from aistore.local.catalog.database import Database
    from aistore.local.catalog.journal import Record

_COLUMNS = "name, file, size, cksum_type, cksum, version, atime, mtime, custom, chunks, chunk_size, etag"
_GET = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND name = ?"  # noqa: S608 - the columns are constants
INSERT = f"INSERT OR REPLACE INTO objects (bucket, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_PAGE = (
    f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND name >= ? AND name < ? "  # noqa: S608
    "ORDER BY name LIMIT ?"
)
_LAST = b"\xff" * 16


class ObjectMeta(msgspec.Struct, frozen=True):
    """An object as the catalog knows it.

    Attributes:
        name: The object's name (`surrogateescape` text).
        file: The content file, relative to the root folder.
        size: Bytes.
        cksum_type: Type of the checksum, `none` if there is none.
        cksum: The checksum in hexadecimal.
        version: Count of writes, 0 in an unversioned bucket.
        atime: Last access, Unix nanoseconds.
        mtime: When it was written, Unix nanoseconds.
        custom: Custom metadata.
        chunks: Number of parts that it was uploaded in, 0 for a single PUT.
        chunk_size: Size of the largest part.
        etag: The S3 entity tag without quotes, empty until somebody asks for it.
    """

    name: str
    file: str
    size: int
    cksum_type: str
    cksum: str
    version: int
    atime: int
    mtime: int
    custom: dict[str, str]
    chunks: int = 0
    chunk_size: int = 0
    etag: str = ""


def encode_name(name: str) -> bytes:
    """An object name as the catalog's key."""
    return name.encode("utf-8", "surrogateescape")


def decode_name(raw: bytes) -> str:
    """An object name from the catalog's key."""
    return raw.decode("utf-8", "surrogateescape")


def prefix_end(prefix: bytes) -> bytes:
    """The least key above every key that starts with `prefix`."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return _LAST
    return stripped[:-1] + bytes([stripped[-1] + 1])


def _meta(row: tuple[Any, ...]) -> ObjectMeta:
    custom = msgspec.json.decode(row[8], type=dict[str, str]) if row[8] else {}
    _, file, size, cksum_type, cksum, version, atime, mtime, _, chunks, chunk_size, etag = row
    content = (file, size, cksum_type, cksum)
    return ObjectMeta(decode_name(row[0]), *content, version, atime, mtime, custom, chunks, chunk_size, etag)


def _row(bucket: int, meta: ObjectMeta) -> tuple[Any, ...]:
    custom = msgspec.json.encode(meta.custom).decode() if meta.custom else None
    content = (meta.file, meta.size, meta.cksum_type, meta.cksum)
    written = (meta.version, meta.atime, meta.mtime, custom, meta.chunks, meta.chunk_size, meta.etag)
    return (bucket, encode_name(meta.name), *content, *written)


class ObjectTable:
    """Look-up, listing and change of object rows; changes run within the caller's transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, bucket: int, name: str, conn: sqlite3.Connection | None = None) -> ObjectMeta | None:
        """One object, or None; with `conn` as the running transaction sees it."""
        found = (conn or self._db.reader()).execute(_GET, (bucket, encode_name(name))).fetchone()
        return None if found is None else _meta(found)

    def page(self, bucket: int, start: bytes, end: bytes, limit: int) -> list[ObjectMeta]:
        """Up to `limit` objects with `start` <= name < `end`, in byte order: one consistent snapshot."""
        return [_meta(row) for row in self._db.reader().execute(_PAGE, (bucket, start, end, limit))]

    def find_all(self, conn: sqlite3.Connection, bucket: int, names: Sequence[str]) -> dict[str, ObjectMeta]:
        """Those of these names, some hundreds at most, that exist, as the running transaction sees them."""
        marks = ",".join("?" * len(names))
        sql = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND name IN ({marks})"  # noqa: S608
        rows = conn.execute(sql, (bucket, *map(encode_name, names)))
        return {meta.name: meta for meta in map(_meta, rows)}

    def walk(
        self, bucket: int, prefix: str = "", *, after: str = "", batch: int = 1000
    ) -> Iterator[ObjectMeta]:
        """Every object whose name starts with `prefix`, in byte order, page by page.

        Objects that are there throughout are all seen; those that come or go meanwhile may or may not be.
        """
        for page in self.pages(bucket, prefix, after=after, batch=batch):
            yield from page

    def pages(
        self, bucket: int, prefix: str = "", *, after: str = "", batch: int = 1000
    ) -> Iterator[list[ObjectMeta]]:
        """What `walk` gives, each page as it was when it is asked for."""
        raw = encode_name(prefix)
        end = prefix_end(raw)
        start = max(raw, encode_name(after) + b"\0") if after else raw
        while True:
            found = self.page(bucket, start, end, batch)
            yield found
            if len(found) < batch:
                return
            start = encode_name(found[-1].name) + b"\0"

    def put(self, conn: sqlite3.Connection, bucket: int, meta: ObjectMeta) -> None:
        """Insert or replace a row."""
        row = _row(bucket, meta)
        conn.execute(INSERT, row)
        self._note(row)

    def put_all(self, conn: sqlite3.Connection, bucket: int, metas: Iterable[ObjectMeta]) -> None:
        """Insert or replace rows, in their order."""
        rows = [_row(bucket, meta) for meta in metas]
        conn.executemany(INSERT, rows)
        for row in rows:
            self._note(row)

    def _note(self, row: tuple[Any, ...]) -> None:
        self._db.note("object", row[0], row[1].decode("latin-1"), *row[2:])

    def delete(self, conn: sqlite3.Connection, bucket: int, name: str) -> None:
        """Remove a row if it is there."""
        raw = encode_name(name)
        conn.execute("DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, raw))
        self._db.note("gone", bucket, raw.decode("latin-1"))

    def touch(self, accessed: Sequence[tuple[int, int, str, str]]) -> None:
        """Store access times: (atime, bucket, name, file); ignored where the content has changed since."""
        rows = [(atime, bucket, encode_name(name), file) for atime, bucket, name, file in accessed]
        with self._db.write() as conn:
            conn.executemany("UPDATE objects SET atime = ? WHERE bucket = ? AND name = ? AND file = ?", rows)

    def tag(self, bucket: int, tagged: Sequence[ObjectMeta]) -> None:
        """Store entity tags; ignored where the content has changed since."""
        rows = [(meta.etag, bucket, encode_name(meta.name), meta.file) for meta in tagged]
        with self._db.write() as conn:
            conn.executemany("UPDATE objects SET etag = ? WHERE bucket = ? AND name = ? AND file = ?", rows)

    def records(self) -> Iterator[Record]:
        """Every row as the journal has it."""
        for row in self._db.reader().execute(f"SELECT bucket, {_COLUMNS} FROM objects"):  # noqa: S608
            yield ("object", row[0], row[1].decode("latin-1"), *row[2:])

    def totals(self, bucket: int, prefix: str = "") -> tuple[int, int, int, int]:
        """(count, smallest, largest, sum) of the sizes under a prefix."""
        raw = encode_name(prefix)
        sql = (
            "SELECT count(*), coalesce(min(size), 0), coalesce(max(size), 0), coalesce(sum(size), 0) "
            "FROM objects WHERE bucket = ? AND name >= ? AND name < ?"
        )
        count, least, most, total = self._db.reader().execute(sql, (bucket, raw, prefix_end(raw))).fetchone()
        return count, least, most, total

    def total_bytes(self) -> int:
        """Bytes of all objects."""
        return int(self._db.query("SELECT coalesce(sum(size), 0) FROM objects")[0][0])
