"""Threads that take turns at many connections: one waits for all of them and does what is quick itself.

With a thread for each connection, every one of them has to get hold of the interpreter's lock several times a
request: they wait for each other more than they work. Here one thread, the leader, waits for the connections
and handles those that have something to say one after the other, with nobody to contend with.

Work that takes long delays no other all the same. Where it does so on average, the leader hands the lead over
first and stays with its connection: then each has a thread again. Where it does so unexpectedly, the watch
notices and has another thread lead.
"""

from __future__ import annotations

import contextlib
import logging
import select
import selectors
import socket
import threading
import time
from typing import Protocol

from aistore.sdk.etl.webserver.pace import Pace

# A visit that the watch finds unchanged at its second look loses the lead: after this time, or twice of it.
TICK_SECONDS = 0.005
# So many visits after that one are spread: where one is stuck the next may be, too, and they must not add up.
WARY_VISITS = 32
# The watch sleeps after so many looks that found nothing.
QUIET_TICKS = 40
# A thread that has had nothing to do for so long ends.
IDLE_SECONDS = 30.0

# Whether a selector that is being waited on learns of what is added meanwhile.
_LEARNS = hasattr(select, "epoll") or hasattr(select, "kqueue")

_log = logging.getLogger(__name__)


class Station(Protocol):
    """A connection that a crew looks after."""

    @property
    def connection(self) -> socket.socket:
        """What is waited for."""

    def visit(self) -> bool:
        """Handle what has arrived; False when the connection is at its end."""

    def leave(self) -> None:
        """Close the connection."""


class Crew:
    """Threads that visit connections when these have something to say.

    Invariants, kept under one lock: one thread leads, and only during a visit can it lose the lead; a
    connection is waited for, or in the hands of one thread, or both while that thread leads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._pace = Pace()
        # A thread is known by the lock that it sleeps on when it has nothing to do.
        self._leader: threading.Lock | None = None
        self._idle: list[threading.Lock] = []
        # Where the leader is, and how many visits leaders have begun.
        self._at: Station | None = None
        self._visits = 0
        # To how many visits more the lead is given away because one has lost it.
        self._wary = 0
        self._watcher: threading.Thread | None = None
        self._bell = threading.Lock()
        self._bell.acquire()
        self._watching = False
        self._closed = False

    def add(self, station: Station) -> None:
        """Look after a connection from now on.

        Raises:
            RuntimeError: It is the first one, and no thread can be started.
        """
        with self._lock:
            if not self._closed and (self._leader or self._start()) and self._wait_for(station):
                return
        station.leave()

    def close(self) -> None:
        """Have the threads end: at once, or when the visit that they are at is over."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while self._idle:
                self._idle.pop().release()
            self._ring()
            self._wake()
            if self._leader is None:
                self._close_all()

    def _close_all(self) -> None:
        stations = [key.data for key in self._selector.get_map().values() if key.data is not None]
        self._selector.close()
        self._waker.close()
        self._woken.close()
        for station in stations:
            station.leave()

    # ---- with the lock held

    def _start(self) -> bool:
        if self._watcher is None:
            watcher = threading.Thread(target=self._watch, name="etl-watch", daemon=True)
            watcher.start()
            self._watcher = watcher
        self._leader = self._successor()
        return self._leader is not None

    def _wait_for(self, station: Station) -> bool:
        try:
            self._selector.register(station.connection, selectors.EVENT_READ, station)
        except (OSError, ValueError, KeyError):  # it has been closed
            return False
        if not _LEARNS:
            self._wake()
        return True

    def _wait_no_more(self, station: Station) -> None:
        with contextlib.suppress(KeyError, ValueError):  # it is not waited for, or has been closed
            self._selector.unregister(station.connection)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _ring(self) -> None:
        """Have the watch look."""
        self._watching = True
        with contextlib.suppress(RuntimeError):  # it has been rung
            self._bell.release()

    def _successor(self) -> threading.Lock | None:
        """Have another thread lead as soon as the lock is let go of; None when no more can be started."""
        if self._idle:
            # The one that was busy last: its caches are warm.
            turn = self._idle.pop()
            turn.release()
            return turn
        turn = threading.Lock()
        turn.acquire()
        try:
            threading.Thread(target=self._work, args=(turn,), name="etl-worker", daemon=True).start()
        except RuntimeError:
            _log.warning("no more threads can be started")
            return None
        return turn

    def _hand_over(self, station: Station) -> bool:
        """Give the lead away, and keep a connection; False when nobody is there to take it."""
        self._wait_no_more(station)
        turn = self._successor()
        if turn is None:
            self._wait_for(station)
            return False
        self._leader, self._at = turn, None
        return True

    # ---- in the threads

    def _work(self, turn: threading.Lock) -> None:
        while True:
            self._lead(turn)
            if not self._rest(turn):
                return

    def _rest(self, turn: threading.Lock) -> bool:
        """Sleep until it is this thread's turn to lead; False when it is to end."""
        with self._lock:
            if self._closed:
                return False
            self._idle.append(turn)
        if not turn.acquire(timeout=IDLE_SECONDS):
            with self._lock:
                if turn in self._idle:
                    self._idle.remove(turn)
                    return False
            turn.acquire()
        with self._lock:  # whoever has woken this thread still has to say that it leads
            return self._leader is turn

    def _lead(self, turn: threading.Lock) -> None:
        """Wait for connections and visit them, as long as this thread leads."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    if not self._visit(turn, key.data):
                        return
                    continue
                with contextlib.suppress(OSError):
                    self._woken.recv(4096)
                if self._closed:
                    self._close_all()
                    return

    def _visit(self, turn: threading.Lock, station: Station) -> bool:
        """Visit a connection; whether this thread still leads."""
        with self._lock:
            spread = (self._pace.is_slow or self._wary > 0) and self._hand_over(station)
            if spread:
                self._wary = max(0, self._wary - 1)
            else:
                self._at = station
                self._visits += 1
                if not self._watching:
                    self._ring()
        begun = time.perf_counter()
        stays = self._try(station)
        taken = time.perf_counter() - begun
        while spread and stays and self._stays_slow():
            stays = self._try(station)
        if not stays:
            # First, because the next connection may get its number; and closing may take long, too.
            with self._lock:
                if self._leader is turn:
                    self._wait_no_more(station)
            station.leave()
        with self._lock:
            leads = self._leader is turn
            if leads:
                self._at = None
            if not spread:
                self._pace.note(taken)
            if leads or not stays or (not self._closed and self._wait_for(station)):
                return leads
        station.leave()
        return False

    def _stays_slow(self) -> bool:
        """Whether a thread that is not the leader is to stay with its connection."""
        with self._lock:
            self._pace.skip()
            return self._pace.is_slow and not self._closed

    @staticmethod
    def _try(station: Station) -> bool:
        try:
            return station.visit() and station.connection.fileno() >= 0
        except BaseException:  # noqa: BLE001 - an exit that user code raises ends a connection, not the crew
            _log.exception("a connection failed")
            return False

    def _watch(self) -> None:
        """Give the lead to another thread when the leader stays at a connection for long."""
        seen = quiet = 0
        while True:
            self._bell.acquire(timeout=TICK_SECONDS if self._watching else -1)
            with self._lock:
                if self._closed:
                    return
                if self._visits != seen:
                    seen, quiet = self._visits, 0
                elif self._at is not None:
                    if self._hand_over(self._at):
                        self._wary = WARY_VISITS
                else:
                    quiet += 1
                    self._watching = quiet < QUIET_TICKS
