"""What is left of an answer after its last entry: read behind the caller's back, to keep the connection.

A cluster may hold an answer open long after its last member. The caller does not wait for that, and neither
does anything wait without bounds. What is there already is read at once; for the rest of all answers there is
one thread, which ends when nothing is left to wait for.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
import time
from typing import Any

from aistore.sdk.errors import AISNetworkError
from aistore.sdk.obj.stream_errors import STREAM_ERRORS

logger = logging.getLogger(__name__)

_MAX_SECONDS = 2.0
_MAX_BYTES = 256 * 1024
_MAX_ANSWERS = 64  # waited for at a time; more are not worth their connections


def settle(response: Any, *, is_complete: bool) -> None:
    """Give up an answer: its connection is used again when the rest of it comes soon, else closed.

    Args:
        response: The answer.
        is_complete: Whether everything that was wanted of it was read; if not, it is closed at once.
    """
    raw = response.raw
    if not is_complete or not callable(getattr(raw, "drain_ready", None)) or raw.isclosed():
        response.close()
        return
    end = raw.tell() + _MAX_BYTES
    # To read what is there needs no limit, which costs system calls, but for the rest of a TLS record.
    if not str(response.url).startswith("http:"):
        raw.limit(_MAX_SECONDS)
    if not _drain(response, end):
        raw.limit(_MAX_SECONDS)
        if _drainer.add(response, end):
            return
    response.close()


def _drain(response: Any, end: int) -> bool:
    """Read what is there, up to `end` of the body; return whether it is over, or nothing to wait for."""
    raw = response.raw
    try:
        return bool(raw.drain_ready(end - raw.tell())) or raw.tell() >= end
    except (AISNetworkError, *STREAM_ERRORS) as err:
        logger.debug("Connection of a Get-Batch answer is not used again: %s", err)
        return True


class _Drainer:
    """Waits for the rest of answers, in one thread.

    Invariant: with the lock held, `_waker` is there if and only if the thread is, and it will look at `_new`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: list[tuple[Any, int]] = []
        self._count = 0
        self._waker: socket.socket | None = None
        self._open: list[socket.socket | selectors.BaseSelector] = []

    def leave(self) -> None:
        """Close what is open, in a process that has no such thread."""
        for item in self._open:
            item.close()

    def add(self, response: Any, end: int) -> bool:
        """Take over an answer, to be read up to `end` of its body; return whether it was taken."""
        with self._lock:
            if self._count >= _MAX_ANSWERS:
                return False
            if self._waker is None and not self._start():
                return False
            assert self._waker is not None
            self._count += 1
            self._new.append((response, end))
            self._waker.send(b"x")
            return True

    def _start(self) -> bool:
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._run, args=(theirs,), name="aistore-drain", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the system is at its limit
            ours.close()
            theirs.close()
            return False
        self._waker = ours
        self._open = [ours, theirs]
        return True

    def _run(self, wake: socket.socket) -> None:
        with wake, selectors.DefaultSelector() as selector:
            self._open.append(selector)
            selector.register(wake, selectors.EVENT_READ)
            limits: dict[Any, tuple[float, int]] = {}  # until when, and up to where
            while self._take_new(wake, selector, limits):
                left = min((deadline for deadline, _ in limits.values()), default=0.0) - time.monotonic()
                ready = {key.data for key, _ in selector.select(max(0.0, left))}
                now = time.monotonic()
                for response, (deadline, end) in list(limits.items()):
                    if (response in ready and _drain(response, end)) or deadline <= now:
                        self._give_up(response, selector, limits)

    def _take_new(
        self, wake: socket.socket, selector: selectors.BaseSelector, limits: dict[Any, tuple[float, int]]
    ) -> bool:
        """Register what was added; return False when nothing is left to wait for."""
        with self._lock:
            if self._new:
                wake.recv(_MAX_ANSWERS)
            new, self._new = self._new, []
            if not new and not limits:
                assert self._waker is not None
                self._waker.close()
                self._waker = None
                self._open = []
                return False
        for response, end in new:
            limits[response] = (time.monotonic() + _MAX_SECONDS, end)
            try:
                selector.register(response.raw, selectors.EVENT_READ, response)
            except (ValueError, KeyError):  # it was closed meanwhile
                self._give_up(response, selector, limits)
        return True

    def _give_up(
        self, response: Any, selector: selectors.BaseSelector, limits: dict[Any, tuple[float, int]]
    ) -> None:
        del limits[response]
        for key in [key for key in selector.get_map().values() if key.data is response]:
            selector.unregister(key.fileobj)
        response.close()
        with self._lock:
            self._count -= 1


_drainer = _Drainer()


def _start_anew() -> None:
    # In the child of a fork there is no such thread, and every inherited connection is closed.
    global _drainer
    _drainer.leave()
    _drainer = _Drainer()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_start_anew)
