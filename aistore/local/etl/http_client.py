"""HTTP/1.1 to ETL servers, over connections that are kept, at a fraction of a general client's cost."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aistore.local import work
from aistore.wire.http1.messages import ResponseParser
from aistore.wire.http1.parse import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    Body = Callable[[], Iterable[bytes]]

_RECEIVE = 256 << 10
_MAX_IDLE = 64


class ExchangeError(OSError):
    """The server can't be reached, or what it says is no answer."""


class Connection:
    """One connection: a question, then its answer."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        try:
            self._sock = socket.create_connection((host, port), timeout)
        except OSError as err:
            raise ExchangeError(f"can't connect to {host}:{port}: {err}") from err
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Waiting is `_wait`'s: with a timeout, each call of a socket would look first whether it has to wait.
        self._sock.setblocking(False)
        self._poll = select.poll() if hasattr(select, "poll") else None
        self.parser = ResponseParser("GET")

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed it, or said something unasked."""
        return self._is_ready(0)

    def _is_ready(self, seconds: float, *, to_send: bool = False) -> bool:
        """Wait until bytes, or the end, have arrived, or `to_send` until there is room for more."""
        while True:
            pause = min(seconds, work.WAIT_SECONDS)
            if self._poll_once(pause, to_send=to_send):
                return True
            seconds -= pause
            if seconds <= 0:
                return False
            work.check()

    def _poll_once(self, seconds: float, *, to_send: bool) -> bool:
        if self._poll is not None:
            self._poll.register(self._sock, select.POLLOUT if to_send else select.POLLIN)
            return bool(self._poll.poll(seconds * 1000))
        watched = [self._sock]
        return any(select.select([] if to_send else watched, watched if to_send else [], [], seconds))

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def begin(self, head: bytes) -> None:
        """Send a GET without a body, without waiting.

        Raises:
            OSError: The connection is broken, or has no room for the request.
        """
        self.parser = ResponseParser("GET")
        if self._sock.send(head) < len(head):
            raise ExchangeError("the server does not take the request")

    def take(self, room: memoryview) -> None:
        """Take what has arrived, without waiting.

        Args:
            room (memoryview): Used on the way.

        Raises:
            OSError: The connection is broken, or what came is no answer.
        """
        try:
            size = self._sock.recv_into(room)
        except BlockingIOError:
            return
        self._parse(bytes(room[:size]))

    def _parse(self, data: bytes) -> None:
        try:
            if data:
                self.parser.feed(data)
            else:
                self.parser.end()
        except MalformedMessageError as err:
            raise ExchangeError(f"malformed response: {err}" if data else str(err)) from err

    def ask(self, method: str, head: bytes, body: Body | None, deadline: float) -> None:
        """Send a request and receive the head of its answer."""
        self.parser = ResponseParser(method)
        try:
            self._send(head, deadline)
            for piece in body() if body is not None else ():
                self._send(piece, deadline)
        except ConnectionError:
            # It may have answered without reading everything.
            self.parser.is_reusable = False
        sent_all = self.parser.is_reusable
        while self.parser.head is None:
            self.receive(deadline - time.monotonic())
        self.parser.is_reusable &= sent_all

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                if not self._is_ready(max(deadline - time.monotonic(), 0.01), to_send=True):
                    raise TimeoutError("the request takes too long") from None

    def receive(self, timeout: float) -> None:
        """Take the next bytes there are."""
        if not self._is_ready(max(timeout, 0.01)):
            raise TimeoutError("the answer takes too long")
        self._parse(self._sock.recv(_RECEIVE))

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class Answer:
    """An answer whose body is still to be read; `pieces` must be run to its end, or `close` be called.

    Attributes:
        status: HTTP status.
        body: The body if it is held, else None.
        headers: Values by lower-case name.
    """

    def __init__(self, connection: Connection, keep: Callable[[Connection], object]) -> None:
        self._connection = connection
        self._keep = keep
        self._is_open = True
        self.body: bytes | None = None
        head = connection.parser.head
        assert head is not None
        self.status = head.status
        self.headers: Mapping[str, str] = head.fields

    def hold(self) -> None:
        """Take the body of an answer that has arrived whole from its connection, which it needs no more."""
        self.body = b"".join(_taken(self._connection.parser))
        self.close()

    def pieces(self, patience: float) -> Generator[bytes, None, None]:
        """The body as it arrives.

        Args:
            patience (float): Seconds to wait for it altogether; what the caller takes doesn't count.

        Raises:
            TimeoutError: It takes longer.
            OSError: It breaks off.
        """
        if self.body is not None:
            yield self.body
            return
        parser = self._connection.parser
        try:
            while True:
                yield from _taken(parser)
                if parser.is_complete:
                    break
                begin = time.monotonic()
                self._connection.receive(patience)
                patience -= time.monotonic() - begin
                if patience < 0:
                    raise TimeoutError("the answer takes too long")
        finally:
            self.close()

    def read(self, limit: int, patience: float) -> bytes:
        """The body's first bytes; the connection is closed when there are more."""
        found = b""
        with contextlib.closing(self.pieces(patience)) as pieces:
            for piece in pieces:
                found += piece
                if len(found) > limit:
                    break
        return found[:limit]

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        if not self._is_open:
            return
        self._is_open = False
        parser = self._connection.parser
        if parser.is_complete and parser.is_reusable:
            self._keep(self._connection)
        else:
            self._connection.close()


def _taken(parser: ResponseParser) -> list[bytes]:
    taken, parser.pieces = parser.pieces, []
    return taken


def make_head(url: str, method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request, in ASCII; arguments as of `Connections.request`."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n{fields}\r\n".encode("ascii")


def _connect(url: str, seconds: float) -> Connection:
    parts = urlsplit(url)
    return Connection(parts.hostname or "", parts.port or 80, seconds)


class Connections:
    """Idle connections by server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[Connection]] = {}

    def request(
        self,
        url: str,
        method: str,
        target: str,
        headers: Mapping[str, str],
        *,
        body: Body | None = None,
        connect_seconds: float,
        deadline: float,
    ) -> Answer:
        """Send a request and receive the head of its answer.

        Args:
            url (str): The server's `http://host:port`.
            method (str): Verb.
            target (str): Path and query, escaped.
            headers: In ASCII; the length of the body is among them.
            body: Gives the body's pieces, anew at each call.
            connect_seconds (float): For a new connection.
            deadline (float): `time.monotonic()` by which the answer must begin.

        Raises:
            TimeoutError: No answer in time.
            OSError: It can't be reached, or the connection broke.
        """
        head = make_head(url, method, target, headers)
        kept = self._take(url)
        if kept is not None:
            try:
                return self._ask(url, kept, method, head, body, deadline)
            except TimeoutError:
                raise
            except OSError:
                # Closed by the server in the moment that it was taken: that says nothing about the request.
                if kept.parser.head is not None:
                    raise
        return self._ask(url, _connect(url, connect_seconds), method, head, body, deadline)

    def _ask(
        self,
        url: str,
        connection: Connection,
        method: str,
        head: bytes,
        body: Body | None,
        deadline: float,
    ) -> Answer:
        try:
            connection.ask(method, head, body, deadline)
        except BaseException:
            connection.close()
            raise
        return Answer(connection, lambda kept: self.give_back(url, kept))

    def lease(self, url: str, connect_seconds: float) -> Connection:
        """A connection, kept or new, which is now the caller's.

        Raises:
            OSError: There is none.
        """
        return self._take(url) or _connect(url, connect_seconds)

    def _take(self, url: str) -> Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(url)
                connection = idle.pop() if idle else None
            if connection is None or not connection.is_stale:
                return connection
            connection.close()

    def give_back(self, url: str, connection: Connection) -> None:
        """Keep a connection whose last answer was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(url, [])
            if len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        connection.close()

    def forget(self, url: str) -> None:
        """Close the idle connections to a server."""
        with self._lock:
            idle = self._idle.pop(url, [])
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close every idle connection."""
        for url in list(self._idle):
            self.forget(url)
