"""What `fsck` does: catalog against disk, and the repair of what differs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aistore.local.catalog import schema
from aistore.local.catalog.objects import decode_name
from aistore.local.errors import LocalClusterError, LocalError
from aistore.local.rebuild import rebuild_catalog
from aistore.wire.checksums import any_hasher

_CHUNK = 1 << 20
_CATALOG = "catalog.sqlite"
LOST = "lost+found"


class Problem(msgspec.Struct):
    """Something that is not as it should be.

    Attributes:
        kind: `catalog`, `missing`, `size`, `checksum`, `orphan` or `bucket`.
        detail: What is wrong.
        name: The object, as `bucket/name`.
        file: The content file.
        repaired: Whether it was repaired.
    """

    kind: str
    detail: str
    name: str = ""
    file: str = ""
    repaired: bool = False


class Report(msgspec.Struct):
    """What was found.

    Attributes:
        dir: The folder.
        repair: Whether repairing was asked for.
        buckets, objects, bytes: What was checked.
        leftovers: Files that crashes left half written; they are no problem, the next start removes them.
        problems: What is or was wrong.
    """

    dir: str
    repair: bool
    buckets: int = 0
    objects: int = 0
    bytes: int = 0
    leftovers: int = 0
    problems: list[Problem] = []


def check_folder(root: Path, *, repair: bool = False, quick: bool = False) -> Report:
    """Check a folder, which the caller has locked.

    Args:
        root (Path): The folder.
        repair (bool): Repair what is wrong.
        quick (bool): Compare sizes only.

    Raises:
        LocalClusterError: It was written by a newer version, or holds nothing of a local cluster.
    """
    report = Report(str(root), repair)
    fault = _catalog_fault(root)
    if fault:
        problem = Problem("catalog", fault, file=_CATALOG)
        report.problems.append(problem)
        if not repair:
            return report
        problem.detail += f"; {rebuild_catalog(root, root / _CATALOG)}"
        problem.repaired = True
    conn = _connect(root)
    try:
        _Check(root, conn, report, quick=quick).run()
    finally:
        conn.close()
    return report


def _connect(root: Path) -> sqlite3.Connection:
    return sqlite3.connect(root / _CATALOG, isolation_level=None)


def _catalog_fault(root: Path) -> str:
    """Why the catalog can't be used; empty if it can."""
    if not (root / _CATALOG).exists():
        if not any(root.glob("t[0-9]*")) and not (root / "journal").is_dir():
            raise LocalClusterError(f"{str(root)!r} is no data folder of a local cluster")
        return "the file is missing"
    conn = _connect(root)
    try:
        version = conn.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.VERSION:
            raise LocalClusterError(
                f"the folder was written by a newer version (schema {version}, known here: {schema.VERSION})"
            )
        [(verdict,), *_] = conn.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            return str(verdict)
        conn.execute("SELECT count(*) FROM buckets").fetchone()
        return ""
    except sqlite3.DatabaseError as err:
        return str(err)
    finally:
        conn.close()


class _Check:
    def __init__(self, root: Path, conn: sqlite3.Connection, report: Report, *, quick: bool) -> None:
        self._root = root
        self._conn = conn
        self._report = report
        self._quick = quick
        self._names: dict[int, str] = {}

    def run(self) -> None:
        """Objects, parts, then what is left on disk."""
        for row in self._conn.execute("SELECT id, provider, namespace, name FROM buckets"):
            namespace = "" if row[2] == "@#" else f"{row[2]}/"
            self._names[row[0]] = f"{row[1]}://{namespace}{row[3]}"
        self._report.buckets = len(self._names)
        gone = {row[0] for row in self._conn.execute("SELECT bucket FROM dropped")}
        named = set()
        sql = "SELECT bucket, name, file, size, cksum_type, cksum FROM objects ORDER BY bucket, name"
        for bucket, name, file, size, kind, value in self._conn.execute(sql).fetchall():
            named.add(file)
            if bucket in gone:
                continue
            label = f"{self._names.get(bucket, bucket)}/{decode_name(name)}"
            if bucket not in self._names:
                self._report.problems.append(Problem("bucket", f"there is no bucket {bucket}", label, file))
                continue
            self._report.objects += 1
            self._report.bytes += size
            problem = self._content(label, file, size, kind, value)
            if problem is not None:
                self._take_out(problem, "DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, name))
        named |= self._parts()
        named |= {row[0] for row in self._conn.execute("SELECT file FROM trash")}
        self._orphans(named)

    def _parts(self) -> set[str]:
        sql = "SELECT upload, number, file, size, cksum_type, cksum FROM parts"
        rows = self._conn.execute(sql).fetchall()
        for upload, number, file, size, kind, value in rows:
            problem = self._content(f"part {number} of upload {upload}", file, size, kind, value)
            if problem is not None:
                self._take_out(problem, "DELETE FROM parts WHERE upload = ? AND number = ?", (upload, number))
        return {row[2] for row in rows}

    def _content(self, label: str, file: str, size: int, kind: str, value: str) -> Problem | None:
        path = self._root / file
        try:
            found = path.stat().st_size
        except FileNotFoundError:
            return Problem("missing", "the content file is not there", label, file)
        if found != size:
            return Problem("size", f"{found} bytes instead of {size}", label, file)
        if self._quick or kind == "none":
            return None
        digest = _digest(path, kind)
        if digest == value:
            return None
        return Problem("checksum", f"{kind} is {digest} instead of {value}", label, file)

    def _take_out(self, problem: Problem, sql: str, params: tuple[int | str | bytes, ...]) -> None:
        """What can't be read as it was written is no longer offered; its bytes are kept aside."""
        self._report.problems.append(problem)
        if not self._report.repair:
            return
        if problem.kind != "missing":
            self._set_aside(problem.file)
        self._conn.execute(sql, params)
        problem.repaired = True

    def _set_aside(self, file: str) -> None:
        kept = self._root / LOST / file
        kept.parent.mkdir(parents=True, exist_ok=True)
        (self._root / file).rename(kept)

    def _orphans(self, named: set[str]) -> None:
        # Of a run that was killed, the next start removes them: they are what was being written then.
        crashed = {f"{row[0]:x}" for row in self._conn.execute("SELECT boot FROM boots")}
        for file in _content_files(self._root):
            if file in named:
                continue
            if file.split("/")[1] in crashed:
                self._report.leftovers += 1
                if self._report.repair:
                    (self._root / file).unlink()
                continue
            problem = Problem("orphan", "no object has this file", file=file)
            self._report.problems.append(problem)
            if self._report.repair:
                self._set_aside(file)
                problem.repaired = True


def _content_files(root: Path) -> Iterator[str]:
    for folder in sorted(root.glob("t[0-9]*/*/*")):
        with os.scandir(folder) as entries:
            for entry in entries:
                yield f"{folder.relative_to(root)}/{entry.name}"


def _digest(path: Path, kind: str) -> str:
    with contextlib.suppress(OSError, LocalError), path.open("rb") as source:
        hasher = any_hasher(kind)
        while chunk := source.read(_CHUNK):
            hasher.update(chunk)
        return hasher.hexdigest()
    return "not readable"
