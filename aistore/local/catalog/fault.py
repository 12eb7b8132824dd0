"""Whether the catalog of a data folder can be used: it exists, can be read, and is as new as the rest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, NoReturn

from aistore.local.catalog import FOLDER_KEY, MARK_KEY, schema
from aistore.local.catalog.journal import has_records, last_mark
from aistore.local.errors import LocalClusterError
from aistore.local.store.files import content_files, last_run

CATALOG = "catalog.sqlite"


class Fault(NamedTuple):
    """Why a catalog can't be used.

    Attributes:
        detail: For people.
        is_lost: It is missing or can't be read; otherwise it is a copy of before, or of another folder.
    """

    detail: str
    is_lost: bool = True


def find_fault(root: Path, *, thorough: bool = False) -> Fault | None:
    """The fault of a folder's catalog, which no server has open; None for one in order, and a new folder.

    Args:
        root (Path): The data folder.
        thorough (bool): Check every page of the catalog, which takes time.

    Raises:
        LocalClusterError: The folder can't be read, or was written by a newer version.
    """
    try:
        size = (root / CATALOG).stat().st_size
        with (root / CATALOG).open("rb"):
            pass
    except FileNotFoundError:
        size = 0
    except OSError as err:
        _refuse(root, err)
    if not size:
        return Fault("the catalog is missing or empty") if holds_data(root) else None
    try:
        found = _settings(root / CATALOG, thorough=thorough)
        return found if isinstance(found, Fault) else _age(root, found)
    except LocalClusterError:
        raise
    except OSError as err:
        _refuse(root, err)


def holds_data(root: Path) -> bool:
    """Whether the folder has content files or a journal.

    Raises:
        LocalClusterError: It can't be read.
    """
    try:
        return has_records(root) or any(True for _ in content_files(root, lambda err: _refuse(root, err)))
    except LocalClusterError:
        raise
    except OSError as err:
        _refuse(root, err)


def check_before_start(root: Path) -> None:
    """Refuse to serve a folder whose catalog can't be used: an empty one would take its place.

    Raises:
        LocalClusterError: Contains the fault and the command that repairs it.
    """
    fault = find_fault(root)
    if fault is not None:
        raise LocalClusterError(
            f"the folder {str(root)!r} can't be served: {fault.detail}; make its catalog again from the "
            f"journal: python -m aistore.local fsck --rebuild --dir {root}"
        )


def _refuse(root: Path, err: OSError) -> NoReturn:
    named = f"{err.filename!r}: " if err.filename else ""
    raise LocalClusterError(f"the folder {str(root)!r} can't be used: {named}{err.strerror or err}") from err


def _settings(path: Path, *, thorough: bool) -> dict[str, str] | Fault:
    """The settings in a catalog all of whose tables can be read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        try:
            version = conn.execute("PRAGMA user_version").fetchone()[0]
            schema.check_version(version)
            if thorough:
                [(verdict,), *_] = conn.execute("PRAGMA quick_check(1)").fetchall()
                if verdict != "ok":
                    return Fault(str(verdict))
            for table in schema.TABLES:
                conn.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608 - constant names
            return dict(conn.execute("SELECT key, value FROM meta"))
        except sqlite3.OperationalError as err:
            # Not the file but its use fails, except where tables are missing.
            if "no such" not in str(err):
                raise LocalClusterError(f"{str(path)!r} can't be read: {err}") from err
            return Fault(str(err))
        except sqlite3.DatabaseError as err:
            return Fault(str(err))


def _age(root: Path, settings: dict[str, str]) -> Fault | None:
    mark = last_mark(root)
    if mark is not None and mark.folder != settings.get(FOLDER_KEY, mark.folder):
        return Fault("the catalog and the journal are of different folders", is_lost=False)
    if mark is not None and mark.number > int(settings.get(MARK_KEY, "-1")):
        return Fault("the catalog is older than the journal (a copy of before?)", is_lost=False)
    if last_run(root) > int(settings.get("boot", "0")):
        return Fault("the catalog is older than the content files (a copy of before?)", is_lost=False)
    return None
