"""The records of a run in a database on disk, of which a bounded part is in memory."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.dsort.keys import encode
from aistore.local.dsort.plan import SortedRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from aistore.local.dsort.keys import Head, Key
    from aistore.local.store.spool import Reservation

_SCHEMA = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE records (id INTEGER PRIMARY KEY, name BLOB, size INTEGER, count INTEGER, key);
CREATE TABLE members (
    record INTEGER, name BLOB, size INTEGER, mtime INTEGER, source INTEGER, offset INTEGER
);
CREATE TABLE placed (shard INTEGER, rank INTEGER, record INTEGER, PRIMARY KEY (shard, rank)) WITHOUT ROWID;
"""
_PAGE = 4096
_MAX_PAGES = 2**32 - 2
_TIMEOUT = 60.0
_STEPS = 100_000


class MemberRef(NamedTuple):
    """A file of a record, and where its bytes are.

    That is an offset in an input shard, by the shard's number, or in the payload (`source` -1).
    """

    name: str
    size: int
    mtime: int
    source: int
    offset: int


class Totals(NamedTuple):
    """What there is altogether."""

    records: int
    size: int


class RecordIndex:
    """Records, their files, and where they were placed.

    Args:
        path (Path): Of the database, which must not exist.
        memory (int): Bytes of it to keep in memory.
        is_aborted: Asked now and then while it works; a database error follows when it is true.
        reserved (Reservation): Counts the bytes of the file; a database error says that they don't fit.
    """

    def __init__(
        self, path: Path, memory: int, is_aborted: Callable[[], bool], reserved: Reservation
    ) -> None:
        self._path = path
        self._reserved = reserved
        self._cache = f"PRAGMA cache_size = -{max(memory // 1024, 64)}"
        self._conn = self._connect()
        self._conn.executescript(_SCHEMA)
        self._conn.set_progress_handler(is_aborted, _STEPS)

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(self._path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)
        conn.execute(self._cache)
        return conn

    def close(self) -> None:
        """Close the database; its file is the caller's to remove."""
        self._conn.close()
        self._reserved.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make one transaction of all changes.

        Raises:
            OutOfSpace: The file takes up more than there is room for.
        """
        pages = (self._reserved.size + self._reserved.room()) // _PAGE
        self._conn.execute(f"PRAGMA max_page_count = {max(1, min(pages, _MAX_PAGES))}")
        self._conn.execute("BEGIN")
        yield
        self._conn.execute("COMMIT")
        [(pages,)] = self._conn.execute("PRAGMA page_count").fetchall()
        self._reserved.grow(max(0, pages * _PAGE - self._reserved.size))

    def add_member(self, record: int, ref: MemberRef) -> None:
        """Add a file of a record; those of a record keep their order."""
        row = (record, encode(ref.name), ref.size, ref.mtime, ref.source, ref.offset)
        self._conn.execute("INSERT INTO members VALUES (?,?,?,?,?,?)", row)

    def add_records(self, heads: Iterable[tuple[Head, Key]]) -> None:
        """Add records, whose files were added before."""
        rows = ((head.id, encode(head.name), head.size, head.count, key) for head, key in heads)
        self._conn.executemany("INSERT INTO records VALUES (?,?,?,?,?)", rows)

    def finish(self) -> Totals:
        """End the adding; returns the totals."""
        with self.writing():
            self._conn.execute("CREATE INDEX by_record ON members (record)")
        count, size = self._conn.execute("SELECT count(*), total(size) FROM records").fetchone()
        return Totals(count, int(size))

    def find_duplicate(self) -> str | None:
        """A path that several files have, or None."""
        query = "SELECT name FROM members GROUP BY name HAVING count(*) > 1 LIMIT 1"
        found = self._conn.execute(query).fetchone()
        return _decode(found[0]) if found else None

    def place(self, decide: Callable[[SortedRecord], int | None], *, decreasing: bool) -> None:
        """Go through the records in order and note which shard each goes to.

        Args:
            decide: Gives the shard's number, None to leave the record out.
            decreasing (bool): Begin with the greatest key; records of one key keep their order all the same.
        """
        order = "key DESC" if decreasing else "key"
        rows = self._conn.execute(f"SELECT id, name, size, count FROM records ORDER BY {order}, id")  # noqa: S608

        def placed() -> Iterator[tuple[int, int, int]]:
            for rank, (number, name, size, count) in enumerate(rows):
                shard = decide(SortedRecord(_decode(name), size, count))
                if shard is not None:
                    yield shard, rank, number

        with self.writing():
            self._conn.executemany("INSERT INTO placed VALUES (?,?,?)", placed())

    def members(self, shard: int) -> Iterator[MemberRef]:
        """The files of a shard, in order; may be called from any thread."""
        query = (
            "SELECT name, size, mtime, source, offset FROM placed JOIN members USING (record) "
            "WHERE shard = ? ORDER BY rank, members.rowid"
        )
        with closing(self._connect()) as conn:
            for name, *rest in conn.execute(query, (shard,)):
                yield MemberRef(_decode(name), *rest)


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
