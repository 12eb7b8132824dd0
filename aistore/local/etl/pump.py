"""Requests to ETL servers of which one thread has many under way.

A thread for each request would take the interpreter from the others at each of its system calls. One thread
takes what has arrived on all connections in its turn, and never waits while there is something to do.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from aistore.local.etl.http_client import Answer

if TYPE_CHECKING:
    from types import TracebackType

    from aistore.local.etl.http_client import Connection, Connections

T = TypeVar("T")

_RECEIVE = 256 << 10
# An answer whose body is longer is handed out before it is whole: reading it is then the caller's.
_MAX_HELD = 256 << 10
_MAX_SECONDS = 0.25


class _Line(Generic[T]):
    """A connection, and what is asked over it."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self.connection = connection
        self.token: T | None = None
        self.deadline = 0.0
        self.has_head = False


class Pump(Generic[T]):
    """Requests under way; belongs to one thread, a context manager that gives up what is under way.

    Args:
        connections (Connections): Where connections come from.
        patience (float): Seconds until an answer must begin, and then until it must be whole.
    """

    def __init__(self, connections: Connections, patience: float) -> None:
        self._connections = connections
        self._patience = patience
        self._selector = selectors.DefaultSelector()
        self._idle: defaultdict[str, list[_Line[T]]] = defaultdict(list)
        self._busy: dict[_Line[T], None] = {}  # in the order of their deadlines
        self._room = memoryview(bytearray(_RECEIVE))
        self._ear, self._voice = socket.socketpair()
        for sock in (self._ear, self._voice):
            sock.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)

    def __enter__(self) -> Pump[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in [*self._busy, *(line for lines in self._idle.values() for line in lines)]:
            line.connection.close()
        self._selector.close()
        self._ear.close()
        self._voice.close()

    def __len__(self) -> int:
        """How many requests are under way."""
        return len(self._busy)

    def under_way(self) -> list[T]:
        """The requests under way."""
        return [line.token for line in self._busy if line.token is not None]

    def ask(self, token: T, url: str, head: bytes, connect_seconds: float) -> None:
        """Send a request that has no body.

        Args:
            token (T): Comes back with the answer.
            url (str): The server's `http://host:port`.
            head (bytes): The request.
            connect_seconds (float): For a new connection.

        Raises:
            OSError: It can't be sent; nobody has seen all of it.
        """
        line = self._line(url, connect_seconds)
        try:
            line.connection.begin(head)
        except BaseException:
            self._drop(line)
            line.connection.close()
            raise
        line.token, line.has_head = token, False
        self._be_patient(line)

    def _be_patient(self, line: _Line[T]) -> None:
        self._busy.pop(line, None)
        self._busy[line] = None
        line.deadline = time.monotonic() + self._patience

    def _line(self, url: str, connect_seconds: float) -> _Line[T]:
        idle = self._idle[url]
        while idle:
            line = idle.pop()
            if not line.connection.is_stale:
                return line
            self._drop(line)
            line.connection.close()
        line = _Line(url, self._connections.lease(url, connect_seconds))
        self._selector.register(line.connection, selectors.EVENT_READ, line)
        return line

    def _drop(self, line: _Line[T]) -> None:
        self._selector.unregister(line.connection)
        self._busy.pop(line, None)

    def wake(self) -> None:
        """Have `wait` return; may be called by any thread."""
        with contextlib.suppress(OSError):  # it is about to return, or nobody waits any more
            self._voice.send(b"!")

    def wait(self) -> list[tuple[T, Answer | OSError]]:
        """Wait until something has come, at most a second.

        Returns:
            What came of requests: an answer, which holds its body unless that is long, or why there is none.
        """
        first = next(iter(self._busy), None)
        pause = _MAX_SECONDS
        if first is not None:
            pause = min(max(first.deadline - time.monotonic(), 0), _MAX_SECONDS)
        settled: list[tuple[T, Answer | OSError]] = []
        for key, _ in self._selector.select(pause):
            line = key.data
            if line is None:
                self._ear.recv(_RECEIVE)
            elif line not in self._busy:
                self._idle[line.url].remove(line)
                self._drop(line)
                line.connection.close()
            else:
                self._receive(line, settled)
        self._give_up_late(settled)
        return settled

    def _receive(self, line: _Line[T], settled: list[tuple[T, Answer | OSError]]) -> None:
        parser = line.connection.parser
        try:
            line.connection.take(self._room)
        except OSError as err:
            self._fail(line, err, settled)
            return
        if parser.is_complete or parser.held > _MAX_HELD:
            settled.append((self._token(line), self._answer(line)))
        elif parser.head is not None and not line.has_head:
            line.has_head = True
            self._be_patient(line)

    def _answer(self, line: _Line[T]) -> Answer:
        parser = line.connection.parser
        if parser.is_complete and parser.is_reusable:
            del self._busy[line]
            answer = Answer(line.connection, lambda _: self._idle[line.url].append(line))
        else:
            self._drop(line)
            answer = Answer(line.connection, lambda kept: self._connections.give_back(line.url, kept))
        if parser.is_complete:
            answer.hold()
        return answer

    def _give_up_late(self, settled: list[tuple[T, Answer | OSError]]) -> None:
        now = time.monotonic()
        while self._busy and (line := next(iter(self._busy))).deadline <= now:
            self._fail(line, TimeoutError("the answer takes too long"), settled)

    def _fail(self, line: _Line[T], err: OSError, settled: list[tuple[T, Answer | OSError]]) -> None:
        self._drop(line)
        line.connection.close()
        settled.append((self._token(line), err))

    @staticmethod
    def _token(line: _Line[T]) -> T:
        token, line.token = line.token, None
        assert token is not None
        return token
