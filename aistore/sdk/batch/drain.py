"""What is left of an answer after its last entry: read behind the caller's back, to keep the connection.

A cluster may hold an answer open long after its last member. The caller does not wait for that, and neither
does anything wait without bounds.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from aistore.sdk.obj.stream_errors import STREAM_ERRORS

logger = logging.getLogger(__name__)

_MAX_SECONDS = 2.0
_MAX_BYTES = 256 * 1024
_PIECE = 16 * 1024

# Each drain has a thread of its own for a tenth of a second; more than these at once are not worth a
# connection.
_slots = threading.BoundedSemaphore(8)


def settle(response: Any, *, is_complete: bool) -> None:
    """Give up an answer: its connection is used again when the rest of it comes soon, else closed.

    Args:
        response: The answer.
        is_complete: Whether everything that was wanted of it was read; if not, it is closed at once.
    """
    raw = response.raw
    limit = getattr(raw, "limit", None)
    if not is_complete or not callable(limit) or raw.isclosed() or not _slots.acquire(blocking=False):
        response.close()
        return
    try:
        threading.Thread(target=_drain, args=(response,), name="aistore-drain", daemon=True).start()
    except RuntimeError:  # no more threads: the interpreter is shutting down, or the system is at its limit
        _slots.release()
        response.close()


def _drain(response: Any) -> None:
    try:
        raw = response.raw
        raw.limit(_MAX_SECONDS)
        left = _MAX_BYTES
        while left > 0:
            piece = raw.read1(_PIECE)
            if not piece:
                break
            left -= len(piece)
    except STREAM_ERRORS as err:
        logger.debug("Connection of a Get-Batch answer is not used again: %s", err)
    finally:
        _slots.release()
        response.close()
