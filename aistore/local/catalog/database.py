"""One SQLite file (WAL): a single writer behind a lock, and a reader per thread."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aistore.local.catalog import schema
from aistore.local.catalog.journal import encode
from aistore.local.disk_errors import catalog_error
from aistore.local.errors import FolderReplaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog.journal import Journal, Record
    from aistore.local.data_folder import DataFolder

_BUSY_SECONDS = 30.0


class Database:
    """The catalog's file.

    Args:
        folder (DataFolder): Where it is.
        name (str): The file; created if absent.
        durable (bool): Flush to the device at each commit. Without it a commit survives the death of the
            process at any moment, but the last moments before a power failure may be lost (never torn).

    Attributes:
        journal: Where changes that were noted go when they are committed.
        changes: Number of transactions so far that noted a change.
        was_older: The file was of an older version.
    """

    def __init__(self, folder: DataFolder, name: str, *, durable: bool = False) -> None:
        self._folder = folder
        self._name = name
        self._path = folder.path / name
        self._durable = durable
        self.journal: Journal | None = None
        self.changes = 0
        self._noted: list[Record] = []
        self._lock = threading.RLock()
        # Not the writer's lock: a thread's first read must not wait for a transaction.
        self._readers_lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        with contextlib.suppress(FileExistsError):
            # SQLite gives the mode of the file to those that it makes beside it.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o600, dir_fd=folder.fd))
        try:
            self._writer = self._connect()
            self._folder.watch(name)
            self.was_older = schema.prepare(self._writer)
        except sqlite3.OperationalError as err:
            raise catalog_error(err, self._path) from err

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
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

    def _connect_again(self) -> sqlite3.Connection:
        # It is opened by its path: checked before, to make nothing there, and after.
        self._folder.check(self._name)
        conn = self._connect()
        try:
            self._folder.check(self._name)
        except FolderReplaced:
            conn.close()
            raise
        with self._readers_lock:
            self._readers.append(conn)
        # A thread that ends leaves no files open.
        ended = weakref.finalize(
            threading.current_thread(), _close_reader, self._readers, self._readers_lock, conn
        )
        ended.atexit = False
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
                # Encoded before: nothing may fail between the commit and the writer that keeps its file.
                lines = encode(self._noted)
                self._folder.check(self._name)
                conn.execute("COMMIT")
                if lines and self.journal is not None:
                    self.changes += 1
                    self.journal.append(lines)
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
            conn = self._local.conn = self._connect_again()
            conn.execute("PRAGMA query_only = ON")
            conn.execute("PRAGMA cache_size = -2048")  # there is one for each thread
        return conn

    def query(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        return self.reader().execute(sql, params).fetchall()

    def checkpoint(self) -> bool:
        """Copy the write-ahead log into the file and flush it; False if a reader was in the way."""
        conn = getattr(self._local, "checkpointer", None)
        if conn is None:
            conn = self._local.checkpointer = self._connect_again()
        [(_, pages, copied)] = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return bool(pages == copied)

    def close(self) -> None:
        """Close every connection; the file is then complete without its write-ahead log."""
        with self._lock, self._readers_lock:
            for conn in self._readers:
                conn.close()
            self._readers.clear()
            self._writer.close()


def _close_reader(readers: list[sqlite3.Connection], lock: threading.Lock, conn: sqlite3.Connection) -> None:
    with lock:
        if conn in readers:
            readers.remove(conn)
    conn.close()
