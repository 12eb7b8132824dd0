"""Counts of what a transport did. The requests themselves pay for one append to a queue."""

from __future__ import annotations

import os
import threading
import time
import weakref
from bisect import bisect
from collections import defaultdict, deque

_Event = tuple[str, int, float, int, int, int] | int

FOLD_AT = 256
"""How many events wait until they are added up."""
BOUNDS = tuple(1e-6 * 2 ** (step / 8) for step in range(8 * 30))
"""Where the buckets of times begin, in seconds: eight an octave, from a microsecond to twenty minutes."""


class MethodTotals:
    """What is known of the requests of one method.

    Attributes:
        requests: Requests sent.
        failures: Of these, those without a usable answer.
        seconds: Sum of the times to the heads of the answers.
        shortest: The shortest of them.
        longest: The longest of them.
        buckets: How many of them are below each of `BOUNDS` and not below the one before.
    """

    __slots__ = ("buckets", "failures", "longest", "requests", "seconds", "shortest")

    def __init__(self) -> None:
        self.requests = self.failures = 0
        self.seconds = self.longest = 0.0
        self.shortest = float("inf")
        self.buckets = [0] * (len(BOUNDS) + 1)


class Totals:
    """Everything since a moment.

    Attributes:
        since: That moment, monotonic.
        methods: By method.
        statuses: How many answers had which status.
        redirects: Redirects followed.
        retries: Requests that were sent because one before them failed.
        sent: Bytes of request bodies.
        received: Bytes of the bodies of answers.
    """

    __slots__ = ("methods", "received", "redirects", "retries", "sent", "since", "statuses")

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.methods: defaultdict[str, MethodTotals] = defaultdict(MethodTotals)
        self.statuses: defaultdict[int, int] = defaultdict(int)
        self.redirects = self.retries = self.sent = self.received = 0

    def add(self, events: list[_Event]) -> None:
        """Add up events. One function and no calls inside: requests wait for it.

        Args:
            events: What `Recorder` noted.
        """
        for event in events:
            if isinstance(event, int):
                self.received += event
                continue
            method, status, seconds, sent, redirects, attempt = event
            one = self.methods[method]
            one.requests += 1
            if sent:
                self.sent += sent
            if redirects:
                self.redirects += redirects
            if attempt > 1:
                self.retries += 1
            if not status:
                one.failures += 1
                continue
            self.statuses[status] += 1
            one.seconds += seconds
            if seconds < one.shortest:  # noqa: PLR1730 - a call to min() costs three times as much
                one.shortest = seconds
            if seconds > one.longest:  # noqa: PLR1730
                one.longest = seconds
            one.buckets[bisect(BOUNDS, seconds)] += 1


class Recorder:
    """Counts requests. Threads share it without a lock: to append to a deque is one atomic operation.

    A child of a fork begins at zero.
    """

    def __init__(self) -> None:
        self._events: deque[_Event] = deque()
        self._start()
        _recorders.add(self)

    def _start(self) -> None:
        self._events.clear()
        self._totals = Totals()
        self._lock = threading.Lock()

    def answered(
        self, method: str, status: int, seconds: float, sent: int, redirects: int, attempt: int
    ) -> None:
        """Count a request.

        Args:
            method: Upper-case method.
            status: HTTP status; 0 when there was no usable answer.
            seconds: Time to the head of the answer.
            sent: Bytes of its body.
            redirects: How many redirects were followed.
            attempt: 1 for the first time it was sent.
        """
        self._events.append((method, status, seconds, sent, redirects, attempt))
        if len(self._events) > FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def received(self, size: int) -> None:
        """Count bytes of an answer's body.

        Args:
            size: How many.
        """
        self._events.append(size)

    def read(self, reset: bool) -> Totals:
        """Return what was counted; with `reset`, whoever reads next sees only what comes from now on.

        Args:
            reset: Whether to begin anew.
        """
        with self._lock:
            self._fold()
            totals = self._totals
            if reset:
                self._totals = Totals()
                return totals
            return _copy(totals)

    def _fold(self) -> None:
        take = self._events.popleft
        self._totals.add([take() for _ in range(len(self._events))])


def _copy(totals: Totals) -> Totals:
    copy = Totals()
    for name in ("since", "redirects", "retries", "sent", "received"):
        setattr(copy, name, getattr(totals, name))
    copy.statuses.update(totals.statuses)
    for method, one in totals.methods.items():
        made = copy.methods[method]
        for name in MethodTotals.__slots__:
            setattr(made, name, getattr(one, name))
        made.buckets = list(one.buckets)
    return copy


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _start_in_child() -> None:
    # Locks, too: one that another thread held during the fork is never released in the child.
    for recorder in list(_recorders):
        recorder._start()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_start_in_child)
