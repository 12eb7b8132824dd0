"""A catalog made again from the journal and the content files."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from aistore.local.catalog import Catalog
from aistore.local.catalog.journal import replay
from aistore.local.catalog.objects import INSERT
from aistore.local.errors import LocalClusterError


def rebuild_catalog(root: Path, path: Path) -> str:
    """Put a broken or missing catalog aside and make another.

    Buckets, objects with their checksums and metadata, and the nodes' identities come back. Uploads under
    way, ETLs, the records of jobs and a changed configuration don't.

    Args:
        root (Path): The data folder.
        path (Path): The catalog's file.

    Returns:
        str: What was done, for people.

    Raises:
        LocalClusterError: There is no journal to make it from.
    """
    meta, buckets, objects = _last_state(root / "journal")
    if not meta:
        raise LocalClusterError(f"{path.name} can't be repaired: there is no journal in {str(root)!r}")
    _put_aside(path)
    here = {key: row for key, row in objects.items() if key[0] in buckets and _is_there(root, row)}
    boots = [int(p.name, 16) for p in root.glob("t[0-9]*/*") if p.is_dir() and _is_hex(p.name)]
    meta["boot"] = str(max([int(meta.get("boot", "0")), *boots]))
    catalog = Catalog(path)
    try:
        with catalog.db.write() as conn:
            conn.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)", meta.items())
            conn.executemany(
                "INSERT INTO buckets (id, provider, namespace, name, props) VALUES (?,?,?,?,?)",
                [(number, *row) for number, row in buckets.items()],
            )
            conn.executemany(
                INSERT, [(bucket, name.encode("latin-1"), *row) for (bucket, name), row in here.items()]
            )
    finally:
        catalog.close()
    lost = len(objects) - len(here)
    return f"made again from the journal: {len(buckets)} buckets, {len(here)} objects" + (
        f"; the bytes of {lost} more are not there" if lost else ""
    )


_Rows = tuple[dict[str, str], dict[int, tuple[Any, ...]], dict[tuple[int, str], tuple[Any, ...]]]


def _last_state(folder: Path) -> _Rows:
    """Settings, buckets by number and objects by bucket and name, as they were at the journal's end."""
    meta: dict[str, str] = {}
    buckets: dict[int, tuple[Any, ...]] = {}
    objects: dict[tuple[int, str], tuple[Any, ...]] = {}
    for kind, *values in replay(folder):
        # A line that is cut short lacks values.
        with contextlib.suppress(IndexError, ValueError, TypeError):
            if kind == "object":
                objects[values[0], values[1]] = tuple(values[2:])
            elif kind == "gone":
                objects.pop((values[0], values[1]), None)
            elif kind == "bucket":
                buckets[values[0]] = tuple(values[1:5])
            elif kind == "dropped":
                buckets.pop(values[0], None)
            elif kind == "meta":
                meta[values[0]] = values[1]
    return meta, buckets, objects


def _is_there(root: Path, row: tuple[Any, ...]) -> bool:
    file, size = row[:2]
    try:
        return bool((root / file).stat().st_size == size)
    except OSError:
        return False


def _is_hex(text: str) -> bool:
    with contextlib.suppress(ValueError):
        int(text, 16)
        return True
    return False


def _put_aside(path: Path) -> None:
    """Keep what there is of the old file and its write-ahead log."""
    mark = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{path}.broken-{mark}{suffix}")
