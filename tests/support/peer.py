"""A scripted HTTP peer for what goes on below requests: connections and bytes; see also `scripted`."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

from scripted import TLS as TLS
from scripted import server_context


class Request:
    """One request as it came."""

    def __init__(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes, head: bytes):
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.head = head

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.fields if k.lower() == name.lower()), None)

    def __repr__(self) -> str:
        return f"<{self.method} {self.target} body={len(self.body)}>"


class Line:
    """The peer's end of one connection."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_head(self) -> bytes | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            if not line:
                return None
            head += line
        return head

    def read_body(self, fields: list[tuple[str, str]]) -> bytes:
        lower = {k.lower(): v for k, v in fields}
        if lower.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(self.file.readline().split(b";")[0], 16)
                body += self.file.read(size)
                assert self.file.readline() == b"\r\n"
                if not size:
                    return body
        return self.file.read(int(lower.get("content-length", "0")))

    def read(self) -> Request | None:
        head = self.read_head()
        if head is None:
            return None
        start, *lines = head.decode("latin-1").split("\r\n")[:-2]
        fields = [(k, v.strip()) for k, v in (line.split(":", 1) for line in lines)]
        asks_first = any(k.lower() == "expect" for k, _ in fields)
        body = b"" if asks_first else self.read_body(fields)
        method, target, _ = start.split(" ")
        return Request(method, target, fields, body, head)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()


Script = Callable[["Peer", Line], None]


class Peer:
    """Listens on loopback and runs `script` for each connection, in a thread of its own."""

    def __init__(self, script: Script, *, tls: bool = False, client_ca: bool = False):
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self._lines: list[Line] = []
        self._closing = False
        self._context = None
        if tls:
            self._context = server_context()
            if client_ca:
                self._context.verify_mode = ssl.CERT_REQUIRED
                self._context.load_verify_locations(TLS / "ca.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.netloc = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.netloc}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            line = Line(sock)
            self._lines.append(line)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        try:
            self.script(self, line)
        except (OSError, ValueError):
            pass  # the client went away, or the peer is being closed
        except BaseException as err:
            self.errors.append(err)
        finally:
            with contextlib.suppress(OSError):
                line.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        assert not self.errors, self.errors

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answer(status: int = 200, body: bytes = b"", *headers: str, reason: str = "OK") -> bytes:
    """Make a plain answer."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(location: str, status: int = 307) -> bytes:
    return answer(status, b"", f"Location: {location}")


def answers(*given: bytes | Callable[[Line, Request], bytes | None]) -> Script:
    """Answer requests in the order they come, whatever connection they come on; the last answer is repeated.

    A callable answer returns the bytes, or None when it has done with the connection.
    """
    lock = threading.Lock()
    left = list(given)

    def script(peer: Peer, line: Line) -> None:
        while (request := line.read()) is not None:
            with lock:
                peer.requests.append(request)
                reply = left.pop(0) if len(left) > 1 else left[0]
            data = reply(line, request) if callable(reply) else reply
            if data is None:
                return
            line.send(data)

    return script


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition never came true"
        time.sleep(0.005)


def fetch_text(client, queue) -> None:
    """Make a request in another process: here, where that process can import it from."""
    try:
        queue.put(client._request_client.request("get", "x").text)
    except BaseException as err:
        queue.put(repr(err))
