"""Work in threads that ends when its result is no longer wanted: its client is gone, its job was aborted.

A thread that works for a client or a job does so inside `until`; code that may take long calls `check` now
and then, however deep it is: reading content files, waiting for an ETL, going through a listing.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 0.25
"""Longest wait between two checks."""

_thread = threading.local()


class AbandonedError(Exception):
    """The result is no longer wanted."""


def check() -> None:
    """Raise the error that ends the work of this thread, if it should end."""
    ends: Callable[[], None] | None = getattr(_thread, "check", None)
    if ends is not None:
        ends()


@contextmanager
def until(ends: Callable[[], None]) -> Iterator[None]:
    """Work for a client or a job.

    Args:
        ends: Raises when the work should end.
    """
    before = getattr(_thread, "check", None)
    _thread.check = ends
    try:
        yield
    finally:
        _thread.check = before
