"""One connection to one server: bytes out, heads and bytes in, errors of the operating system made ours."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import ssl
import time
import weakref
from typing import TYPE_CHECKING

from aistore.sdk.errors import (
    AISConnectionError,
    AISConnectionRefused,
    AISConnectTimeout,
    AISReadTimeout,
    AISSSLError,
)
from aistore.sdk.transport.resolve import resolve
from aistore.sdk.transport.waits import limit_waits
from aistore.wire.http1.messages import MAX_INTERIM
from aistore.wire.http1.parse import (
    RESPONSE_PREFIX,
    MalformedMessageError,
    ResponseHead,
    find_end,
    parse_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from aistore.sdk.transport.body import Body
    from aistore.sdk.transport.url import Origin

RECV = 16 * 1024
"""How much is received at a time while a head is expected, in bytes."""

log = logging.getLogger("aistore.sdk.transport")

_live: weakref.WeakSet[Connection] = weakref.WeakSet()


class DeadConnectionError(Exception):
    """The peer closed or reset the connection.

    Attributes:
        answered: Whether any byte of the answer had arrived.
    """

    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered


class Connection:
    """A connected socket, and what was received on it but not used yet.

    Invariant: one thread at a time owns a connection; a child of a fork never does (its copies are closed
    right after the fork, without a word to the peer).

    Attributes:
        origin: The server.
        buffer: Received bytes that belong to the current answer.
        reused: Whether it carried a request before.
        idle_since: Monotonic time of its last return to the pool.
        read: Limit of each wait for the peer in seconds, or None.
        deadline: Monotonic time after which there is no more waiting, or None.
    """

    __slots__ = (
        "__weakref__", "_is_plain", "_poll", "_timeout", "buffer", "deadline", "idle_since", "key", "origin",
        "read", "reused", "sock",
    )  # fmt: skip

    def __init__(self, origin: Origin, sock: socket.socket) -> None:
        self.origin = origin
        self.key = origin.key
        self.sock: socket.socket | None = sock
        self.buffer = b""
        self.reused = False
        self.idle_since = 0.0
        # TLS goes on by itself after a wait that the operating system has ended.
        self._is_plain = type(sock) is socket.socket
        self._timeout = self.read = sock.gettimeout()
        self.deadline: float | None = None
        self._poll = _poller(sock)
        _live.add(self)

    def limit(self, read: float | None, deadline: float | None = None) -> None:
        """Limit the following waits for the peer.

        Args:
            read: Limit of each in seconds, or None.
            deadline: Monotonic time after which there is none, or None.

        Raises:
            AISReadTimeout: That time is over.
        """
        self.read = read
        self.deadline = deadline
        if deadline is None:
            self._set_timeout(read)
        else:
            self.shorten()

    def shorten(self) -> None:
        """Let the next wait end at the deadline, which a peer that sends byte by byte would never meet.

        Raises:
            AISReadTimeout: It is over.
        """
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self.timed_out("")
        # Never 0: that would be no limit.
        self._set_timeout(max(0.001, left if self.read is None else min(self.read, left)))

    def timed_out(self, what: str) -> AISReadTimeout:
        """Make the error of a wait that has ended.

        Args:
            what: What did not happen within the read timeout.
        """
        is_late = self.deadline is not None and self.deadline <= time.monotonic()
        return AISReadTimeout(
            "the time limit of the call is over" if is_late else f"{what} within the read timeout"
        )

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds == self._timeout or self.sock is None:
            return
        if self._is_plain:
            limit_waits(self.sock, seconds)
        else:
            self.sock.settimeout(seconds)
        self._timeout = seconds

    def is_stale(self) -> bool:
        """Tell whether an idle connection is unusable: closed by the peer, or with bytes nobody asked for."""
        return self.sock is None or bool(self.buffer) or bool(self._poll(0))

    def wait_readable(self, seconds: float | None) -> bool:
        """Wait for bytes of the peer.

        Args:
            seconds: How long at the most; None for no limit.

        Returns:
            Whether there are any.
        """
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        if self.buffer:
            return True
        return bool(self._poll(None if seconds is None else max(0, int(seconds * 1000))))

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        sock, self.sock = self.sock, None
        self.buffer = b""
        if sock is not None:
            sock.close()

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise DeadConnectionError(
                "the connection is closed, or belongs to the parent process", answered=False
            )
        return self.sock

    def _lost(self, err: OSError, what: str, *, answered: bool) -> Exception:
        # An alert is the peer's last word on this client's TLS (a certificate is missing, for one): to
        # connect again would end the same way. With TLS 1.3 it comes only now, after the handshake.
        alert = err if _is_alert(err) else self._alert_at_hand()
        if alert is not None:
            return AISSSLError(f"TLS with {self.origin.netloc} refused: {_tls_reason(alert)}")
        return DeadConnectionError(f"{what}{describe(err)}", answered=answered)

    def _alert_at_hand(self) -> ssl.SSLError | None:
        """Return the alert that came before the connection broke under what was being sent."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return None
        try:
            self.sock.settimeout(0)
            self.sock.recv(1)
        except ssl.SSLError as err:
            return err if _is_alert(err) else None
        except OSError:
            return None
        return None

    # ------------------------------------------------------------ out

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`."""
        sock = self.sock or self._socket()
        try:
            if self.deadline is None:
                sock.sendall(data)
                return
            view = memoryview(data).cast("B")
            while view:
                self.shorten()
                view = view[sock.send(view) :]
        except (TimeoutError, BlockingIOError) as err:
            raise self.timed_out("the server took nothing of the request") from err
        except OSError as err:
            raise self._lost(err, "connection lost while sending: ", answered=False) from err

    def send_file(self, body: Body, file: object) -> None:
        """Send a regular file from where it stands, by the operating system where that can be.

        Returns when `body.size` bytes are sent or the file has no more.
        """
        sock = self._socket()
        assert body.size is not None
        body.touched = True
        if not body.size:
            return
        try:
            start = file.tell()  # type: ignore[attr-defined]  # a FileIO or BufferedReader
            sock.settimeout(self._timeout)  # the limit that `sendfile` looks at
            try:
                sent = sock.sendfile(file, start, body.size)  # type: ignore[arg-type]
            finally:
                limit_waits(sock, self._timeout)
        except TimeoutError as err:
            raise self.timed_out("the server took nothing of the body") from err
        except OSError as err:
            raise self._lost(err, "connection lost while sending: ", answered=False) from err
        if sent != body.size:
            from aistore.sdk.transport.body import BodyError

            raise BodyError(
                f"the file ended {body.size - sent} bytes before its announced size of {body.size}"
            )

    # ------------------------------------------------------------ in

    def read_head(self, *, until_continue: bool = False) -> ResponseHead:
        """Read the head of the next answer; interim (1xx) ones are skipped.

        Args:
            until_continue: Return `100 Continue`, too.

        Returns:
            The head; what follows it is in `buffer`.

        Raises:
            DeadConnectionError: The peer closed or reset the connection.
            AISReadTimeout: Nothing came within the read timeout.
            MalformedMessageError: What came is not a head.
        """
        for _ in range(MAX_INTERIM):
            head = self._read_head()
            if head.status >= 200 or (until_continue and head.status == 100):
                return head
            if head.status == 101:
                raise MalformedMessageError("switch of protocols that nobody asked for")
        raise MalformedMessageError(f"more than {MAX_INTERIM} interim answers")

    def _read_head(self) -> ResponseHead:
        sock = self.sock or self._socket()
        data = self.buffer
        searched = 0
        while True:
            if data:
                end = find_end(data, searched, RESPONSE_PREFIX)
                if end >= 0:
                    head = parse_response(data, end)
                    self.buffer = data[end:]
                    return head
                searched = len(data)
            if self.deadline is not None:
                self.shorten()
            try:
                more = sock.recv(RECV)
            except (TimeoutError, BlockingIOError) as err:
                self.buffer = data
                raise self.timed_out("no answer") from err
            except OSError as err:
                raise self._lost(err, "", answered=bool(data)) from err
            if not more:
                raise DeadConnectionError(
                    "the server closed the connection without an answer", answered=bool(data)
                )
            data = data + more if data else more

    def recv(self, size: int) -> bytes:
        """Receive up to `size` bytes, from the buffer first; `b""` is the end of the connection."""
        if self.buffer:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return data
        sock = self.sock or self._socket()
        try:
            return sock.recv(size)
        except BlockingIOError as err:
            raise TimeoutError(str(err)) from None

    def recv_into(self, view: memoryview) -> int:
        """Receive into `view`, from the buffer first; 0 is the end of the connection."""
        if self.buffer:
            size = min(len(view), len(self.buffer))
            view[:size] = self.buffer[:size]
            self.buffer = self.buffer[size:]
            return size
        sock = self.sock or self._socket()
        try:
            return sock.recv_into(view)
        except BlockingIOError as err:
            raise TimeoutError(str(err)) from None


def _poller(sock: socket.socket) -> Callable[[int | None], object]:
    """Return what waits some milliseconds, or without limit, and returns whether there is something to read.

    `select` has a limit on descriptors, but `poll` is not everywhere.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return poll.poll
    return lambda millis: select.select([sock], [], [], None if millis is None else millis / 1000)[0]


def describe(err: BaseException) -> str:
    """Say what an operating system error is, without its number when it has words."""
    if isinstance(err, OSError) and err.errno is not None and err.strerror:
        return err.strerror
    return str(err) or type(err).__name__


def open_connection(
    origin: Origin, context: ssl.SSLContext | None, connect: float | None, read: float | None
) -> Connection:
    """Connect to a server.

    Args:
        origin: The server.
        context: TLS context, for https.
        connect: Limit in seconds for name look-up, TCP and TLS together; None for no limit.
        read: Read timeout the connection starts with.

    Returns:
        The connection.

    Raises:
        AISConnectionRefused: Nothing listens there.
        AISConnectTimeout: It took longer than `connect`.
        AISSSLError: TLS failed.
        AISConnectionError: Anything else, an unknown host name included.
    """
    started = time.monotonic()
    deadline = None if connect is None else started + connect
    sock = _connect_any(origin, connect, deadline)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            sock.settimeout(_left(deadline))
            sock = context.wrap_socket(sock, server_hostname=origin.host)
        log.debug("connected to %s in %.1f ms", origin.netloc, (time.monotonic() - started) * 1000)
        conn = Connection(origin, sock)
        conn.limit(read)
        return conn
    except TimeoutError as err:
        sock.close()
        raise AISConnectTimeout(f"TLS with {origin.netloc} not ready within {connect} s") from err
    except ssl.SSLError as err:
        sock.close()
        raise AISSSLError(f"TLS with {origin.netloc} failed: {_tls_reason(err)}") from err
    except OSError as err:
        sock.close()
        raise AISConnectionError(f"connection to {origin.netloc} lost: {describe(err)}") from err
    except BaseException:
        sock.close()
        raise


def _left(deadline: float | None) -> float | None:
    # Never 0: that would mean "do not block".
    return None if deadline is None else max(0.001, deadline - time.monotonic())


def _is_alert(err: OSError) -> TypeGuard[ssl.SSLError]:
    return isinstance(err, ssl.SSLError) and err.reason is not None and "ALERT" in err.reason


def _tls_reason(err: ssl.SSLError) -> str:
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {err.verify_message}"
    if getattr(err, "reason", None) in (  # only what OpenSSL itself raised has one
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
    ):
        return "the server does not speak TLS (is it http:// rather than https://?)"
    return describe(err)


def _connect_any(origin: Origin, connect: float | None, deadline: float | None) -> socket.socket:
    try:
        addresses = resolve(origin.host, origin.port, connect)
    except TimeoutError as err:
        raise AISConnectTimeout(str(err)) from err
    except (OSError, UnicodeError) as err:
        raise AISConnectionError(f"host {origin.host!r} not found: {describe(err)}") from err
    last: OSError | None = None
    for family, kind, proto, _, address in addresses:
        sock = socket.socket(family, kind, proto)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
        except OSError as err:
            sock.close()
            last = err
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    where = origin.netloc
    if isinstance(last, TimeoutError) and last.errno != errno.ETIMEDOUT:
        raise AISConnectTimeout(f"no connection to {where} within {connect} s") from last
    if isinstance(last, ConnectionRefusedError):
        raise AISConnectionRefused(f"connection to {where} refused") from last
    raise AISConnectionError(
        f"no connection to {where}: {describe(last) if last else 'no address'}"
    ) from last


def _close_inherited() -> None:
    for conn in list(_live):
        conn.close()
    _live.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_close_inherited)
