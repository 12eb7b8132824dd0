"""Results that ETL servers bring to the target that owns them, until the job that waits takes them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aistore.local.store import ObjectWriter

Key = tuple[str, str]
"""A job's ID and the full name of a result."""


class _Shelf:
    """What came under a name, and how many wait for it: two objects may have results of one name."""

    def __init__(self) -> None:
        self.waiting = 0
        self.writers: list[ObjectWriter] = []


class Deliveries:
    """Results that are written and not yet published: that is for the job, many at a time.

    What nobody has taken when nobody waits for it any more, as after a timeout, is discarded.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shelves: dict[Key, _Shelf] = {}

    def expect(self, key: Key) -> None:
        """Wait for a result from now on, until `forget` is called."""
        with self._lock:
            self._shelves.setdefault(key, _Shelf()).waiting += 1

    def is_expected(self, key: Key) -> bool:
        """Whether a job waits for a result."""
        return key in self._shelves

    def bring(self, key: Key, writer: ObjectWriter) -> bool:
        """Hand over a result; False if nobody waits for it: it stays the caller's."""
        with self._lock:
            shelf = self._shelves.get(key)
            if shelf is not None:
                shelf.writers.append(writer)
        return shelf is not None

    def take(self, key: Key) -> ObjectWriter | None:
        """The newest result that came, now the caller's, or None."""
        with self._lock:
            writers = self._shelves[key].writers
            return writers.pop() if writers else None

    def forget(self, key: Key) -> None:
        """Wait no longer."""
        with self._lock:
            shelf = self._shelves[key]
            shelf.waiting -= 1
            if shelf.waiting:
                return
            del self._shelves[key]
        for writer in shelf.writers:
            writer.abort()
