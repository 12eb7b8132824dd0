"""Small JSON documents that other rooms keep across restarts: ETL definitions, job records, cluster state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.wire.serialization import decode_json, encode_json

if TYPE_CHECKING:
    from aistore.local.catalog.database import Database


class DocumentTable:
    """Documents by kind and key; a value is whatever `msgspec` encodes to JSON."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, kind: str, key: str, value: Any) -> None:
        """Insert or replace a document."""
        with self._db.write() as conn:
            row = (kind, key, encode_json(value))
            conn.execute("INSERT OR REPLACE INTO documents (kind, key, value) VALUES (?,?,?)", row)

    def get(self, kind: str, key: str) -> Any | None:
        """A document, or None."""
        rows = self._db.query("SELECT value FROM documents WHERE kind = ? AND key = ?", kind, key)
        return decode_json(rows[0][0]) if rows else None

    def items(self, kind: str) -> list[tuple[str, Any]]:
        """All documents of a kind, by key."""
        rows = self._db.query("SELECT key, value FROM documents WHERE kind = ? ORDER BY key", kind)
        return [(key, decode_json(value)) for key, value in rows]

    def delete(self, kind: str, key: str) -> None:
        """Remove a document if it is there."""
        with self._db.write() as conn:
            conn.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
