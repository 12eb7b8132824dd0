"""Waiting for something that the cluster does: ask often at first, then less and less, never for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from aistore.sdk.errors import InvalidArgument, Timeout

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_INTERVAL = 0.02
_GROWTH = 1.5


def check_wait_timeout(timeout: float) -> None:
    """Refuse a time limit that is none: every wait ends."""
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not 0 <= timeout < float("inf"):
        raise InvalidArgument(f"timeout must be a number of seconds from 0 on, not {timeout!r}")


def poll(
    check: Callable[[], T | None],
    *,
    timeout: float,
    action: str,
    max_interval: float,
    detail: Callable[[], str] = lambda: "",
) -> T:
    """Call `check` until it returns something and return that.

    The first call is immediate; the pause between calls starts at 20 ms and grows by half up to
    `max_interval`. `timeout` counts everything, the requests that `check` makes too.

    Args:
        check: Returns `None` to go on waiting.
        timeout: Seconds in all. The last call is made when they are over.
        action: What is waited for, for the error.
        max_interval: Longest pause in seconds.
        detail: Says more about the last state, for the error.

    Raises:
        Timeout: The time is over.
    """
    check_wait_timeout(timeout)
    started = time.monotonic()
    slept = 0.0
    interval = min(_FIRST_INTERVAL, max_interval)
    while True:
        result = check()
        if result is not None:
            if slept:
                logger.debug("%s: over after %.2f s", action, max(time.monotonic() - started, slept))
            return result
        # Time asleep counts even where a test has made sleeping free.
        left = timeout - max(time.monotonic() - started, slept)
        if left <= 0:
            raise Timeout(action, f"after {timeout:g}s. {detail()}".rstrip())
        if not slept:
            logger.debug("waiting for %s, at most %g s", action, timeout)
        pause = min(interval, left)
        time.sleep(pause)
        slept += pause
        interval = min(interval * _GROWTH, max_interval)
