"""What a job has made, published many at a time: a transaction for each can take longer than making it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import LocalError
from aistore.local.store.publishing import publish_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.local.catalog import Bucket
    from aistore.local.store import ObjectWriter, Store

_MOST = 64
_SECONDS = 0.05


class _Result(NamedTuple):
    writer: ObjectWriter
    report: Callable[[LocalError | None], None]


class Results:
    """Finished objects on their way into their bucket, in the order in which they were finished.

    They become visible together, at the latest when the next one comes 50 ms after the last time; so what
    comes slowly is not held back.

    Args:
        store (Store): Where they go.
        bucket (Bucket): Of all of them.
    """

    def __init__(self, store: Store, bucket: Bucket) -> None:
        self._store = store
        self._bucket = bucket
        self._lock = threading.Lock()
        self._waiting: list[_Result] = []
        self._published = 0.0

    def add(self, writer: ObjectWriter, report: Callable[[LocalError | None], None]) -> None:
        """Take over an object whose bytes are all written.

        Args:
            writer (ObjectWriter): The object.
            report: Called when it is visible, with None, or with the error that keeps it from being.

        Raises:
            LocalError: Its file can't be completed.
        """
        try:
            writer.finish()
        except BaseException:
            writer.abort()
            raise
        with self._lock:
            self._waiting.append(_Result(writer, report))
            if len(self._waiting) < _MOST and time.monotonic() - self._published < _SECONDS:
                return
        self.flush()

    def flush(self) -> None:
        """Publish what waits."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            self._published = time.monotonic()
        failure: LocalError | None = None
        try:
            if taken:
                publish_all(self._store, self._bucket, [writer for writer, _ in taken])
            for writer, _ in taken:
                writer.keep()
        except LocalError as err:
            failure = err
        finally:
            for writer, _ in taken:
                writer.abort()
        for _, report in taken:
            report(failure)
