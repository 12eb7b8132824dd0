"""The floor: a socket, bytes that are known beforehand, a buffer that is there already.

No retries, no TLS, no error mapping, no checks but the status and the length.
"""

import socket
import threading

FIELDS = "User-Agent: ais/python/0\r\nAccept-Encoding: identity\r\n"
BUFFER = 1 << 20


class Wire:
    """A connection to one server.

    Args:
        netloc: `host:port`.
    """

    def __init__(self, netloc):
        self.netloc = netloc
        self.buffer = bytearray(BUFFER)
        self.view = memoryview(self.buffer)
        self.sock = None
        self.body = b""

    def connect(self):
        host, _, port = self.netloc.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def exchange(self, request, body=None, *, into=None, has_body=True):
        """Send a request and receive its answer.

        Args:
            request: Head of the request.
            body: Its body.
            into: Buffer for the body of the answer; it stays in `buffer` (or is dropped) otherwise.
            has_body: Whether the answer has one.

        Returns:
            Status, head and length of the body; for a chunked one the length with its framing.
        """
        if self.sock is None:
            self.connect()
        sock = self.sock
        if body is not None and len(body) <= 65536:
            sock.sendall(request + body)
        else:
            sock.sendall(request)
            if body is not None:
                sock.sendall(body)
        got, end = 0, -1
        while end < 0:
            size = sock.recv_into(self.view[got:])
            if not size:
                raise ConnectionError(f"{self.netloc} closed the connection")
            got += size
            end = self.buffer.find(b"\r\n\r\n", 0, got)
        head = bytes(self.view[: end + 4])
        have = got - end - 4
        status = int(head[9:12])
        length = 0
        if has_body and status not in (204, 304):
            length = self._receive(sock, head, have, end + 4, into)
        if head.startswith(b"HTTP/1.0") or b"onnection: close" in head:
            self.close()
        return status, head, length

    def _receive(self, sock, head, have, start, into):
        lower = head.lower()
        mark = lower.find(b"content-length:")
        if mark < 0:
            return self._receive_unknown(sock, lower, have, start, into)
        length = int(head[mark + 15 : head.index(b"\r", mark)])
        if into is not None:
            into[:have] = self.view[start : start + have]
            while have < length:
                size = sock.recv_into(into[have:length])
                if not size:
                    raise ConnectionError("the body was cut short")
                have += size
            return length
        if start + length <= BUFFER:
            self.body = self.view[start : start + length]
            while have < length:
                size = sock.recv_into(self.view[start + have : start + length])
                if not size:
                    raise ConnectionError("the body was cut short")
                have += size
            return length
        while have < length:
            have += sock.recv_into(self.view[: min(BUFFER, length - have)])
        return length

    def _receive_unknown(self, sock, lower, have, start, into):
        # To the last chunk, or to the end of the connection; with the framing.
        chunked = b"transfer-encoding: chunked" in lower
        tail = bytes(self.view[start : start + have])[-5:]
        if into is not None:
            into[:have] = self.view[start : start + have]
        while not (chunked and tail.endswith(b"0\r\n\r\n")):
            size = sock.recv_into(self.view)
            if not size:
                self.close()
                break
            if into is not None:
                into[have : have + size] = self.view[:size]
            have += size
            tail = (tail + bytes(self.view[max(0, size - 5) : size]))[-5:]
        return have


class Pipe(Wire):
    """A connection whose requests are sent ahead of their answers."""

    def __init__(self, netloc):
        super().__init__(netloc)
        self.connect()
        self._low = self._high = 0

    def send(self, requests):
        self.sock.sendall(requests)

    def receive(self):
        """Receive the next answer, and return the length of its body."""
        while (end := self.buffer.find(b"\r\n\r\n", self._low, self._high)) < 0:
            self._more()
        head = bytes(self.view[self._low : end]).lower()
        if head[9:12] != b"200":
            raise ConnectionError(f"status {head[9:12].decode()}")
        mark = head.index(b"content-length:") + 15
        length = int(head[mark:].partition(b"\r")[0])
        self._low = end + 4
        while self._high - self._low < length:
            self._more()
        self._low += length
        return length

    def _more(self):
        if self._low:
            rest = bytes(self.view[self._low : self._high])
            self.view[: len(rest)] = rest
            self._low, self._high = 0, len(rest)
        size = self.sock.recv_into(self.view[self._high :])
        if not size:
            raise ConnectionError(f"{self.netloc} closed the connection")
        self._high += size


class Wires(threading.local):
    """Connections of each thread, by server."""

    def __init__(self):
        self.by_netloc = {}

    def __getitem__(self, netloc):
        wire = self.by_netloc.get(netloc)
        if wire is None:
            wire = self.by_netloc[netloc] = Wire(netloc)
        return wire

    def locate(self, method, netloc, target):
        """Return the server that a request is redirected to, and the target there.

        Args:
            method: HTTP method.
            netloc: Server.
            target: Path and query.
        """
        status, head, _ = self[netloc].exchange(encode(method, netloc, target, None))
        return _location(head) if status in (301, 307) else (netloc, target)

    def travel(self, method, netloc, target, body=None, *, fields="", probe=False, into=None):
        """Send a request, follow its redirect, and return the connection that has the answer.

        Args:
            method: HTTP method.
            netloc: Server.
            target: Path and query.
            body: Body.
            fields: Field lines besides the usual ones.
            probe: Learn the redirect with an empty request.
            into: Buffer for the body of the answer.
        """
        has_body = method != "HEAD"
        first = b"" if probe else body
        wire = self[netloc]
        status, head, length = wire.exchange(
            encode(method, netloc, target, first, fields), first, into=into, has_body=has_body
        )
        if status in (301, 307):
            netloc, target = _location(head)
            wire = self[netloc]
            status, head, length = wire.exchange(
                encode(method, netloc, target, body, fields), body, into=into, has_body=has_body
            )
        elif probe and body:
            status, head, length = wire.exchange(
                encode(method, netloc, target, body, fields), body, into=into, has_body=has_body
            )
        if status >= 300:
            raise ConnectionError(f"status {status} of {method} {target}")
        return wire, length


def _location(head):
    mark = head.lower().index(b"\r\nlocation: ") + 12
    place = head[mark : head.index(b"\r", mark)].decode()
    netloc, _, rest = place.partition("//")[2].partition("/")
    return netloc, "/" + rest


def encode(method, netloc, target, body, fields=""):
    if "Accept:" not in fields:
        fields += "Accept: */*\r\n"
    framing = "" if body is None else f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: {netloc}\r\n{FIELDS}{fields}{framing}\r\n".encode()
