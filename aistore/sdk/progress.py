"""Progress of long work, reported to a callback of the caller's."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class ProgressUpdate(msgspec.Struct, frozen=True):
    """How far a piece of work is.

    Args:
        name: What has just been done: the name of an object, or the id of a job.
        objects: Objects done so far.
        total_objects: Objects in all, if known.
        bytes: Bytes done so far.
        total_bytes: Bytes in all, if known.
    """

    name: str
    objects: int
    total_objects: int | None
    bytes: int
    total_bytes: int | None


ProgressCallback = Callable[[ProgressUpdate], None]
"""Called by the thread that waits for the work, never by two at once. What it raises ends the work."""
