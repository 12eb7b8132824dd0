"""The work of `fsck`: compare the catalog with the disk, and repair what differs.

First everything is checked, and nothing changed; then all repairs are made, or none of them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from aistore.local.catalog import Catalog
from aistore.local.catalog.fault import CATALOG, find_fault, holds_data
from aistore.local.catalog.objects import decode_name
from aistore.local.errors import LocalClusterError, LocalError
from aistore.local.rebuild import rebuild_catalog
from aistore.local.store.files import content_files
from aistore.wire.checksums import any_hasher

_CHUNK = 1 << 20
_DRAFT = "catalog.rebuilt"
LOST = "lost+found"


class Problem(msgspec.Struct):
    """Something that is not as it should be.

    Attributes:
        kind: `catalog`, `journal`, `missing`, `size`, `checksum`, `unreadable`, `orphan` or `bucket`.
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
        rebuilt: Whether the catalog was made again.
        unnamed: Files in `lost+found` whose names a catalog that was made again does not know.
        lost: Objects that the journal names and whose bytes are missing or wrong.
        problems: What is or was wrong.
    """

    dir: str
    repair: bool
    buckets: int = 0
    objects: int = 0
    bytes: int = 0
    leftovers: int = 0
    rebuilt: bool = False
    unnamed: int = 0
    lost: int = 0
    problems: list[Problem] = []


class _Repair(NamedTuple):
    """A change that repairs a problem: a row to delete, a file to take away, or both."""

    problem: Problem
    sql: str = ""
    params: tuple[int | str | bytes, ...] = ()
    file: str = ""


def check_folder(root: Path, *, repair: bool = False, rebuild: bool = False, quick: bool = False) -> Report:
    """Check a folder, which the caller has locked.

    Args:
        root (Path): The folder.
        repair (bool): Repair what is wrong; make a catalog that is lost again.
        rebuild (bool): Make the catalog again from the journal in any case, and repair what is wrong.
        quick (bool): Compare sizes only.

    Raises:
        LocalClusterError: It was written by a newer version, holds nothing of a local cluster, or can't be
            read; nothing was changed.
    """
    report = Report(str(root), repair or rebuild)
    fault = find_fault(root, thorough=True)
    if not (root / CATALOG).exists() and not holds_data(root):
        raise LocalClusterError(f"{str(root)!r} is no data folder of a local cluster")
    problem = Problem("catalog", fault.detail, file=CATALOG) if fault is not None else None
    if problem is not None:
        report.problems.append(problem)
    if rebuild or (repair and fault is not None and fault.is_lost):
        with _draft(root) as draft:
            made = rebuild_catalog(root, draft)
            about = f"made again from the journal: {made.buckets} buckets, {made.objects} objects"
            if problem is None:
                problem = Problem("catalog", "replaced on demand", file=CATALOG)
                report.problems.append(problem)
            problem.detail += f"; {about}"
            report.problems += [Problem("journal", fault) for fault in made.faults]
            report.rebuilt = True
            _check(root, draft, report, quick=quick)
            problem.repaired = True
    elif problem is None:
        _check(root, root / CATALOG, report, quick=quick)
    elif repair:
        problem.detail += "; --rebuild makes it again from the journal"
    return report


@contextlib.contextmanager
def _draft(root: Path) -> Iterator[Path]:
    """The file of a catalog that is made again; it is gone unless it took the old one's place."""
    draft = root / _DRAFT
    try:
        draft.unlink(missing_ok=True)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _check(root: Path, path: Path, report: Report, *, quick: bool) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        check = _Check(root, conn, report, quick=quick)
        check.run()
        if report.repair:
            check.repair(path)


class _Check:
    """The comparison of a catalog with the content files, and the repairs that it leads to."""

    def __init__(self, root: Path, conn: sqlite3.Connection, report: Report, *, quick: bool) -> None:
        self._root = root
        self._conn = conn
        self._report = report
        self._quick = quick
        self._names: dict[int, str] = {}
        self._repairs: list[_Repair] = []
        self._leftovers: list[str] = []

    # ---- checking

    def run(self) -> None:
        """Check objects, parts, then the files that are left on disk."""
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
            label = _printable(f"{self._names.get(bucket, bucket)}/{decode_name(name)}")
            if bucket in self._names:
                self._report.objects += 1
                self._report.bytes += size
                problem = self._content(label, file, size, kind, value)
            else:
                problem = Problem("bucket", f"there is no bucket {bucket}", label, file)
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
            if found != size:
                return Problem("size", f"{found} bytes instead of {size}", label, file)
            if self._quick or kind == "none":
                return None
            digest = _digest(path, kind)
        except (FileNotFoundError, NotADirectoryError):
            return Problem("missing", "the content file is not there", label, file)
        except (OSError, LocalError) as err:
            # Not known to be wrong: it stays, for another try with the right permissions or another disk.
            return Problem("unreadable", str(err), label, file)
        if digest == value:
            return None
        return Problem("checksum", f"{kind} is {digest} instead of {value}", label, file)

    def _take_out(self, problem: Problem, sql: str, params: tuple[int | str | bytes, ...]) -> None:
        """What can't be read as it was written is no longer offered; its bytes are kept aside."""
        self._report.problems.append(problem)
        if problem.kind != "unreadable":
            self._repairs.append(_Repair(problem, sql, params, problem.file))
            self._report.lost += self._report.rebuilt

    def _orphans(self, named: set[str]) -> None:
        # Of a run that was killed, the next start removes them: they are what was being written then.
        crashed = {f"{row[0]:x}" for row in self._conn.execute("SELECT boot FROM boots")}
        for file in content_files(self._root, self._unreadable):
            if file in named:
                continue
            if file.split("/")[1] in crashed:
                self._report.leftovers += 1
                self._leftovers.append(file)
                continue
            problem = Problem("orphan", "no object has this file", file=_printable(file))
            self._report.problems.append(problem)
            self._repairs.append(_Repair(problem, file=file))
            self._report.unnamed += self._report.rebuilt

    def _unreadable(self, err: OSError) -> None:
        folder = Path(str(err.filename)).relative_to(self._root)
        self._report.problems.append(Problem("unreadable", str(err), file=_printable(str(folder))))

    # ---- repairing

    def repair(self, path: Path) -> None:
        """Make all repairs, or none: an error takes back what was done."""
        with contextlib.ExitStack() as undo:
            self._conn.execute("BEGIN IMMEDIATE")
            undo.callback(self._conn.close)
            for item in self._repairs:
                if item.sql:
                    self._conn.execute(item.sql, item.params)
                if item.file and os.path.lexists(self._root / item.file):
                    kept = self._set_aside(item.file)
                    undo.callback(kept.rename, self._root / item.file)
            self._conn.execute("COMMIT")
            if path.name != CATALOG:
                self._conn.close()
                self._replace_catalog(path, undo)
            undo.pop_all()
        for item in self._repairs:
            item.problem.repaired = True
        for file in self._leftovers:
            (self._root / file).unlink(missing_ok=True)
        try:
            self._tell_journal()
        except (OSError, LocalError, sqlite3.Error) as err:
            self._report.problems.append(Problem("journal", f"lacks these changes: {err}"))

    def _set_aside(self, file: str) -> Path:
        kept = self._root / LOST / file
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, 1_000_000):
            if not os.path.lexists(kept):
                break
            kept = kept.with_name(f"{os.path.basename(file)}.{number}")
        return (self._root / file).rename(kept)

    def _replace_catalog(self, draft: Path, undo: contextlib.ExitStack) -> None:
        """Put the catalog that was made again in the place of the old one, which is kept."""
        fd = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        mark = time.strftime("%Y%m%d-%H%M%S")
        for suffix in ("", "-wal", "-shm"):
            old = self._root / f"{CATALOG}{suffix}"
            with contextlib.suppress(FileNotFoundError):
                kept = old.rename(self._root / f"{CATALOG}.broken-{mark}{suffix}")
                undo.callback(kept.rename, old)
        draft.rename(self._root / CATALOG)

    def _tell_journal(self) -> None:
        """The journal begins again from a catalog that was made again, or notes the objects taken out."""
        removed = [item.params for item in self._repairs if "objects" in item.sql]
        if not removed and not self._report.rebuilt:
            return
        self._conn.close()
        catalog = Catalog(self._root / CATALOG)
        try:
            if self._report.rebuilt:
                catalog.begin_journal()
            with catalog.db.write():
                for bucket, name in removed:
                    assert isinstance(name, bytes)
                    catalog.db.note("gone", bucket, name.decode("latin-1"))
        finally:
            catalog.close()


def _printable(text: str) -> str:
    """Text that any output can take; bytes of a name that are not UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _digest(path: Path, kind: str) -> str:
    hasher = any_hasher(kind)
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
