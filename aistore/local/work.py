"""Work in threads that ends when nobody waits for its result: its client is gone, its job was aborted.

A thread that works for somebody does so inside `until`; code that may take long calls `check` now and then,
however deep it is: reading and writing content files, waiting for an ETL, going through a listing.
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
    """Nobody waits for the result any more."""


def check() -> None:
    """Raise what ends the work of this thread, if it is to end."""
    ends: Callable[[], None] | None = getattr(_thread, "check", None)
    if ends is not None:
        ends()


@contextmanager
def until(ends: Callable[[], None]) -> Iterator[None]:
    """Work for somebody.

    Args:
        ends: Raises when the work is to end.
    """
    before = getattr(_thread, "check", None)
    _thread.check = ends
    try:
        yield
    finally:
        _thread.check = before
