"""Tables of the catalog, and how an older folder is brought up to date."""

from __future__ import annotations

import sqlite3

from aistore.local.errors import LocalClusterError

VERSION = 1

# Names are BLOBs: object names are bytes, and the listing order is byte order.
# `file` is a content file's path relative to the root folder; a content file never changes.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE boots (boot INTEGER PRIMARY KEY);
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    props TEXT NOT NULL,
    UNIQUE (provider, namespace, name)
);
CREATE TABLE dropped (bucket INTEGER PRIMARY KEY);
CREATE TABLE objects (
    bucket INTEGER NOT NULL, name BLOB NOT NULL,
    file TEXT NOT NULL, size INTEGER NOT NULL,
    cksum_type TEXT NOT NULL, cksum TEXT NOT NULL,
    version INTEGER NOT NULL, atime INTEGER NOT NULL, mtime INTEGER NOT NULL,
    custom TEXT, chunks INTEGER NOT NULL, chunk_size INTEGER NOT NULL,
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE trash (id INTEGER PRIMARY KEY, file TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE uploads (id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, name BLOB NOT NULL, created INTEGER NOT
NULL)
    WITHOUT ROWID;
CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
    cksum_type TEXT NOT NULL, cksum TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE documents (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key))
    WITHOUT ROWID;
"""


def prepare(conn: sqlite3.Connection) -> None:
    """Create the tables in a new file.

    Raises:
        LocalClusterError: The file was written by a newer version.
    """
    version = conn.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LocalClusterError(
            f"the folder was written by a newer version (schema {version}, known here: {VERSION}): "
            "upgrade the aistore package or use another folder"
        )
    if version == 0:
        conn.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
