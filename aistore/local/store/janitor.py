"""Background work of the store: unlinking what was replaced, clearing dropped buckets, access times."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from aistore.local.errors import FolderReplaced

if TYPE_CHECKING:
    from aistore.local.catalog import Catalog
    from aistore.local.store import Store

log = logging.getLogger(__name__)

_INTERVAL = 0.5
_BATCH = 1000
# A multipart upload that nobody completed or aborted is forgotten at a start after this time.
_UPLOAD_NANOSECONDS = 7 * 24 * 3600 * 10**9


class Janitor:
    """One thread; it looks every half second and sooner when woken."""

    def __init__(self, store: Store, crashed_boots: list[int]) -> None:
        self._store = store
        self._catalog: Catalog = store.catalog
        self._crashed = crashed_boots
        self._stop = threading.Event()
        self._removing = threading.Lock()
        self._swept = threading.Event()
        # The journal may lack the last change: the file that it names must not be removed before it has that.
        self._is_behind = bool(crashed_boots)
        self._thread = threading.Thread(target=self._run, name="store-janitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the current batch and end.

        Raises:
            FolderReplaced: Another folder is at the path of the data folder.
        """
        self._stop.set()
        self._thread.join()
        self._flush()
        self._catalog.checkpoint()

    def await_sweep(self, seconds: float) -> bool:
        """Wait until what a crash left is removed; False if that takes longer."""
        return self._swept.wait(seconds)

    def _run(self) -> None:
        try:
            if self._is_behind:
                self._catalog.begin_journal()
        except Exception:
            log.exception("beginning the journal again after an earlier crash failed")
        self._is_behind = False
        try:
            if self._crashed:
                self._store.files.sweep(self._catalog, self._crashed, self._stop, self._store.quota)
            self._catalog.uploads.remove_older_than(time.time_ns() - _UPLOAD_NANOSECONDS)
        except Exception:
            log.exception("clearing up after an earlier crash failed")
        self._swept.set()
        replaced = False
        while not self._stop.wait(_INTERVAL):
            try:
                self._catalog.folder.check()
                self._flush()
                while not self._stop.is_set() and self.remove_some():
                    pass
                self._catalog.checkpoint()
                self._catalog.tidy_journal()
                replaced = False
            except FolderReplaced as err:
                if not replaced:
                    log.warning("%s", err)
                replaced = True
            except Exception:
                log.exception("background work of the store failed")

    def _flush(self) -> None:
        accessed = self._store.take_accessed()
        for start in range(0, len(accessed), _BATCH):
            self._catalog.objects.touch(accessed[start : start + _BATCH])

    def remove_some(self) -> bool:
        """Remove some of the files that are to be removed; False if there are no more of them.

        Also called by a write that the quota has no room for: what was deleted before makes room.
        """
        if self._is_behind:
            return False
        with self._removing:
            return self._empty_trash() or self._clear_dropped()

    def _empty_trash(self) -> bool:
        rows = self._catalog.db.query("SELECT id, file, size FROM trash ORDER BY id LIMIT ?", _BATCH)
        for _, file, _ in rows:
            self._store.files.remove(file)
        if rows:
            with self._catalog.db.write() as conn:
                conn.executemany("DELETE FROM trash WHERE id = ?", [(row[0],) for row in rows])
            self._store.quota.give_back(sum(row[2] for row in rows))
        return bool(rows)

    def _clear_dropped(self) -> bool:
        rows = self._catalog.db.query("SELECT bucket FROM dropped LIMIT 1")
        if not rows:
            return False
        bucket = rows[0][0]
        with self._catalog.db.write() as conn:
            found = conn.execute(
                "SELECT name, file, size FROM objects WHERE bucket = ? LIMIT ?", (bucket, _BATCH)
            )
            objects = found.fetchall()
            conn.executemany("INSERT INTO trash (file, size) VALUES (?,?)", [row[1:] for row in objects])
            conn.executemany(
                "DELETE FROM objects WHERE bucket = ? AND name = ?", [(bucket, r[0]) for r in objects]
            )
            for (upload,) in conn.execute("SELECT id FROM uploads WHERE bucket = ?", (bucket,)).fetchall():
                self._catalog.uploads.remove(upload, conn)
            if len(objects) < _BATCH:
                conn.execute("DELETE FROM dropped WHERE bucket = ?", (bucket,))
        return True
