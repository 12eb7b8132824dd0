"""Tables of the catalog, and how an older folder is brought up to date."""

from __future__ import annotations

import sqlite3

from aistore.local.errors import LocalClusterError

VERSION = 3

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
    custom TEXT, chunks INTEGER NOT NULL, chunk_size INTEGER NOT NULL, etag TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE trash (id INTEGER PRIMARY KEY, file TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, name BLOB NOT NULL, created INTEGER NOT NULL, custom TEXT
) WITHOUT ROWID;
CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
    cksum_type TEXT NOT NULL, cksum TEXT NOT NULL, md5 TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE documents (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key))
    WITHOUT ROWID;
"""

TABLES = ("meta", "boots", "buckets", "dropped", "objects", "trash", "uploads", "parts", "documents")

# What brings a file of each older version up to the next one.
_UPGRADES = {
    1: """
ALTER TABLE objects ADD COLUMN etag TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN custom TEXT;
ALTER TABLE parts ADD COLUMN md5 TEXT NOT NULL DEFAULT '';
""",
    # Tokens were signed with it; the journal, which other users could read, has it too.
    2: "DELETE FROM meta WHERE key = 'authn-secret';",
}


def check_version(version: int) -> None:
    """Refuse a file of a version that is not known here.

    Raises:
        LocalClusterError: The file was written by a newer version.
    """
    if version > VERSION:
        raise LocalClusterError(
            f"the folder was written by a newer version (schema {version}, known here: {VERSION}): "
            "upgrade the aistore package or use another folder"
        )


def prepare(conn: sqlite3.Connection) -> bool:
    """Create the tables in a new file; bring an older one up to date. True if it was older.

    Raises:
        LocalClusterError: The file was written by a newer version.
    """
    version = conn.execute("PRAGMA user_version").fetchone()[0]
    check_version(version)
    steps = [_TABLES] if version == 0 else [_UPGRADES[older] for older in range(version, VERSION)]
    if steps:
        conn.executescript(f"BEGIN IMMEDIATE; {''.join(steps)} PRAGMA user_version = {VERSION}; COMMIT;")
    return bool(0 < version < VERSION)
