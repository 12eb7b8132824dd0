"""A catalog made again from the journal and the content files."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from aistore.local.catalog import FOLDER_KEY, MARK_KEY, schema
from aistore.local.catalog.journal import Mark, Replay, has_records, last_mark
from aistore.local.catalog.objects import INSERT
from aistore.local.errors import LocalClusterError
from aistore.local.store.files import last_run

# Columns of an object's row after its bucket and name; journals of before lack the last one.
_COLUMNS = 11
_Key = tuple[int, str]
_NO_KEY: _Key = (0, "")
# A setting in journals of before.
_OLD_SECRET = "authn-secret"  # noqa: S105 - the name of a setting


class Rebuilt(NamedTuple):
    """A catalog that was made again.

    Attributes:
        buckets, objects: Number of those that came back.
        faults: Parts of the journal that are missing or can't be read.
    """

    buckets: int
    objects: int
    faults: list[str]


def rebuild_catalog(root: Path, draft: Path) -> Rebuilt:
    """Make a catalog from the journal.

    Buckets, objects with their checksums and metadata, and the nodes' identities come back. Uploads under
    way, ETLs, the records of jobs, accounts and a changed configuration don't.

    Args:
        root (Path): The data folder.
        draft (Path): The file to make.

    Raises:
        LocalClusterError: There is no journal to make it from, or it can't be read.
    """
    try:
        if not has_records(root):
            raise LocalClusterError(f"the catalog can't be made again: there is no journal in {str(root)!r}")
        state = _State(root)
    except LocalClusterError:
        raise
    except OSError as err:
        raise LocalClusterError(f"the journal can't be read: {err}") from err
    objects = {key: row for key, row in state.objects.items() if key[0] in state.buckets}
    with closing(sqlite3.connect(draft, isolation_level=None)) as conn:
        schema.prepare(conn)
        conn.execute("BEGIN")
        conn.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)", state.settings().items())
        conn.executemany(
            "INSERT INTO buckets (id, provider, namespace, name, props) VALUES (?,?,?,?,?)",
            [(number, *row) for number, row in state.buckets.items()],
        )
        # The number of a bucket is never used again.
        conn.execute("DELETE FROM sqlite_sequence WHERE name = 'buckets'")
        conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('buckets', ?)", (state.last_bucket,))
        conn.executemany(
            INSERT, [(bucket, name.encode("latin-1"), *row) for (bucket, name), row in objects.items()]
        )
        conn.executemany("INSERT INTO trash (file, size) VALUES (?,?)", state.trash())
        conn.execute("COMMIT")
    return Rebuilt(len(state.buckets), len(objects), state.faults)


class _State:
    """Settings, buckets by number and objects by bucket and name, as they were at the journal's end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mark = last_mark(root) or Mark(secrets.token_hex(8), 0)
        self.meta: dict[str, str] = {}
        self.buckets: dict[int, tuple[Any, ...]] = {}
        self.objects: dict[_Key, tuple[Any, ...]] = {}
        self.last_bucket = 0
        self._replaced: dict[str, _Key] = {}
        replay = Replay(root)
        bad = 0
        for kind, *values in replay:
            try:
                self._take(kind, values)
            except (IndexError, ValueError, TypeError):
                bad += 1
        self.faults = replay.faults + ([f"{bad} records of the journal are not complete"] if bad else [])

    def _take(self, kind: str, values: list[Any]) -> None:
        if kind == "object":
            key, row = (int(values[0]), str(values[1])), tuple(values[2:])
            row += ("",) * (len(row) == _COLUMNS - 1)
            if len(row) != _COLUMNS:
                raise ValueError(row)
            self._forget(key)
            self.objects[key] = row
        elif kind == "gone":
            self._forget((int(values[0]), str(values[1])))
        elif kind == "bucket":
            number, provider, namespace, name, props = values
            self.buckets[int(number)] = (provider, namespace, name, props)
            self.last_bucket = max(self.last_bucket, number)
        elif kind == "dropped":
            self.buckets.pop(int(values[0]), None)
            self.last_bucket = max(self.last_bucket, values[0])
        elif kind == "trash":
            self._replaced[str(values[0])] = _NO_KEY
        elif kind == "meta" and values[0] != _OLD_SECRET:
            self.meta[values[0]] = str(values[1])

    def _forget(self, key: _Key) -> None:
        row = self.objects.pop(key, None)
        if row is not None:
            self._replaced[row[0]] = key

    def settings(self) -> dict[str, str]:
        """Settings of the new catalog: newer than any mark of the journal and any run on the disk."""
        known = int(self.meta.get("boot", "0"))
        return self.meta | {
            "boot": str(max(known, last_run(self._root))),
            FOLDER_KEY: self._mark.folder,
            MARK_KEY: str(self._mark.number + 1),
        }

    def trash(self) -> list[tuple[str, int]]:
        """Files that were replaced or deleted and still exist, with their sizes.

        The file of an object whose newer file is missing is none of them: it may be all that is left.
        """
        named = {row[0] for row in self.objects.values()}
        found = []
        for file, key in self._replaced.items():
            newer = self.objects.get(key)
            if file not in named and (newer is None or _size(self._root / newer[0]) is not None):
                found.append(file)
        # The objects of buckets that were removed.
        found += [row[0] for (bucket, _), row in self.objects.items() if bucket not in self.buckets]
        sizes = {file: _size(self._root / file) for file in found}
        return [(file, size) for file, size in sizes.items() if size is not None]


def _size(path: Path) -> int | None:
    """Size of a file, None if there is none; 0 for one that can't be read."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError:
        return 0
