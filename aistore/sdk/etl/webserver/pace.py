"""Judges by the clock whether work is worth a thread of its own."""

from __future__ import annotations

# Work that takes longer on average is better done by several threads at a time.
SLOW_SECONDS = 0.0005
# What one piece of work counts at the most, in times of that: one that was stuck says little about the next.
OUTLIER = 10
# After so many pieces it is tried whether slow work still is: threads that contend make each other slow.
PATIENCE_MIN = 256
PATIENCE_MAX = 8192
_WEIGHT = 0.05


class Pace:
    """Whether pieces of work take long on average; taken for fast at first.

    Several threads may use it at a time: a lost update does no harm.

    Args:
        slow: Seconds from which on work takes long.

    Attributes:
        is_slow: Whether several should be done at a time.
    """

    __slots__ = ("_left", "_mean", "_patience", "_slow", "is_slow")

    def __init__(self, slow: float = SLOW_SECONDS) -> None:
        self.is_slow = False
        self._slow = slow
        self._mean = 0.0
        self._patience = PATIENCE_MIN
        self._left = PATIENCE_MIN

    def note(self, seconds: float) -> None:
        """Note how long a piece of work took that was begun while work was fast.

        Args:
            seconds: By the clock, waiting included.
        """
        self._mean += (min(seconds, OUTLIER * self._slow) - self._mean) * _WEIGHT
        self._left -= 1
        if self._mean > self._slow:
            self.is_slow = True
            self._left = self._patience
            self._patience = min(2 * self._patience, PATIENCE_MAX)
        elif self._left <= 0:
            self._patience = PATIENCE_MIN

    def skip(self) -> None:
        """Count a piece of work that was begun while work was slow, and is not comparable therefore."""
        self._left -= 1
        if self._left <= 0 and self.is_slow:
            self.is_slow = False
            self._mean = 0.0
            self._left = self._patience
