"""One SQLite file (WAL): a single writer behind a lock, and a reader per thread."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistore.local.catalog import schema
from aistore.local.disk_errors import catalog_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog.journal import Journal, Record

_BUSY_SECONDS = 30.0


class Database:
    """The catalog's file.

    Args:
        path (Path): The file; created if absent.
        durable (bool): Flush to the device at each commit. Without it a commit survives the death of the
            process at any moment, but the last moments before a power failure may be lost (never torn).
        journal (Journal | None): Where changes that were noted go when they are committed.
    """

    def __init__(self, path: Path, *, durable: bool = False, journal: Journal | None = None) -> None:
        self._path = path
        self._durable = durable
        self._journal = journal
        self._noted: list[Record] = []
        self._lock = threading.RLock()
        # Not the writer's lock: a thread's first read must not wait for a transaction.
        self._readers_lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        try:
            self._writer = self._connect()
            schema.prepare(self._writer)
        except sqlite3.OperationalError as err:
            raise catalog_error(err, path) from err

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        # Copying the log into the file waits for the device: `checkpoint` does it, no request.
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        conn.execute("PRAGMA cache_size = -8192")
        return conn

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end of the block, rolled back when it raises.

        Keep it short (at most about a thousand rows): requests wait for it.
        """
        with self._lock:
            conn = self._writer
            nested = conn.in_transaction
            try:
                if nested:
                    yield conn
                    return
                conn.execute("BEGIN IMMEDIATE")
                yield conn
                conn.execute("COMMIT")
                if self._journal is not None and self._noted:
                    self._journal.append(self._noted)
            except sqlite3.OperationalError as err:
                reason = catalog_error(err, self._path)
                if reason is err:
                    raise
                raise reason from err
            finally:
                # Reached inside a transaction only when the block or the commit failed (SQLite may have
                # rolled back by itself).
                if not nested:
                    self._noted.clear()
                    if conn.in_transaction:
                        conn.execute("ROLLBACK")

    def note(self, *record: Any) -> None:
        """Have a change journaled when the running transaction commits."""
        self._noted.append(record)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is committed during the block."""
        with self._lock:
            yield

    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading; it sees everything that is committed."""
        conn = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._connect()
            conn.execute("PRAGMA query_only = ON")
            with self._readers_lock:
                self._readers.append(conn)
        return conn

    def query(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        return self.reader().execute(sql, params).fetchall()

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the file, as far as no reader is in the way."""
        conn = getattr(self._local, "checkpointer", None)
        if conn is None:
            conn = self._local.checkpointer = self._connect()
            with self._readers_lock:
                self._readers.append(conn)
        conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close every connection; the file is then complete without its write-ahead log."""
        with self._lock, self._readers_lock:
            for conn in self._readers:
                conn.close()
            self._readers.clear()
            self._writer.close()
