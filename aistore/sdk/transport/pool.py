"""Idle connections, kept for reuse."""

from __future__ import annotations

import time
import weakref
from collections import deque
from typing import TYPE_CHECKING

from aistore.sdk.transport.connection import Connection, open_connection
from aistore.sdk.transport.tls import TLSConfig, context_for

if TYPE_CHECKING:
    from aistore.sdk.transport.url import Origin

SURPLUS_IDLE = 15.0
"""How long connections beyond the pool size are kept, in seconds."""


class Pool:
    """Last-in-first-out stacks of idle connections, one a server.

    It never makes a caller wait and never drops a connection that the current concurrency uses: `size`
    bounds what is kept of a burst once it is over. Threads share it without a lock (each step is one atomic
    operation of a deque); in a child of a fork it is empty, because every inherited connection was closed.

    Args:
        size: How many connections to one server stay when they are no longer used.
        tls: TLS settings.
        max_idle: How long an idle connection is used again, in seconds; None for no limit.
    """

    def __init__(self, size: int, tls: TLSConfig, max_idle: float | None = None) -> None:
        self.size = size
        self.tls = tls
        self._max_idle = max_idle
        self._idle: dict[tuple[str, str, int], deque[Connection]] = {}
        # Sockets of a pool that is dropped without `close` are closed with it, without a warning.
        self._finalizer = weakref.finalize(self, _close_all, self._idle)

    def take(self, origin: Origin, connect: float | None, read: float | None, *, fresh: bool) -> Connection:
        """Take an idle connection to a server, or open one.

        Args:
            origin: The server.
            connect: Connect timeout in seconds, or None.
            read: Read timeout in seconds, or None.
            fresh: Open a new one in any case.

        Returns:
            A connection that the caller owns.
        """
        idle = None if fresh else self._idle.get(origin.key)
        while idle:
            try:
                conn = idle.pop()
            except IndexError:  # another thread took it
                break
            if conn.is_stale() or (self._max_idle is not None and _idle_time(conn) > self._max_idle):
                conn.close()
                continue
            conn.limit(read)
            return conn
        context = context_for(self.tls) if origin.scheme == "https" else None
        return open_connection(origin, context, connect, read)

    def give(self, conn: Connection) -> None:
        """Give back a connection whose answer was read to its end.

        Args:
            conn: The connection; the caller must not use it any more.
        """
        if conn.sock is None:
            return
        if conn.buffer:  # more than the answer: it would be taken for the next one
            conn.close()
            return
        now = time.monotonic()
        conn.reused = True
        conn.idle_since = now
        idle = self._idle.get(conn.key)
        if idle is None:
            idle = self._idle.setdefault(conn.key, deque())
        idle.append(conn)
        if len(idle) > self.size:
            self._drop_surplus(idle, now)

    def _drop_surplus(self, idle: deque[Connection], now: float) -> None:
        # The oldest is at the left; a race with another thread only drops one more or one less.
        try:
            while len(idle) > self.size and now - idle[0].idle_since > SURPLUS_IDLE:
                idle.popleft().close()
        except IndexError:
            return

    def idle_count(self) -> int:
        """Count the idle connections."""
        return sum(map(len, list(self._idle.values())))

    def close(self) -> None:
        """Close the idle connections; the pool stays usable."""
        _close_all(self._idle)


def _idle_time(conn: Connection) -> float:
    return time.monotonic() - conn.idle_since


def _close_all(idle: dict[tuple[str, str, int], deque[Connection]]) -> None:
    for stack in list(idle.values()):
        while stack:
            try:
                stack.pop().close()
            except IndexError:
                break
