"""A server that answers requests as a test says, whole, cut short, reset, or piece by piece; see `peer`."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from aistore.sdk.request_client import RequestClient
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.session_manager import SessionManager

TLS = Path(__file__).resolve().parents[1] / "data" / "tls"


@dataclass
class Request:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    target: str = ""

    @property
    def params(self) -> dict[str, str]:
        return dict(self.query)


@dataclass
class Answer:
    """What to send. `cut`: after how many bytes of the body the connection ends (`reset`: with a RST)."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    chunked: bool = False


Script = Callable[[Request], Answer]


class ScriptedServer:
    """Serves connections in threads; keeps what was asked, and counts connections."""

    def __init__(self, script: Script, *, tls: bool = False) -> None:
        self.script = script
        self._tls = server_context() if tls else None
        self.requests: list[Request] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._mistakes: list[Exception] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        if self._mistakes:
            raise self._mistakes[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        if self._tls:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
            self._open.append(sock)
        with sock, sock.makefile("rb") as reader:
            try:
                while request := read_request(reader, sock):
                    self.requests.append(request)
                    if not self._answer(sock, request, self.script(request)):
                        return
            except OSError:
                return
            except Exception as err:  # the test's own mistake: it must not look like a broken connection
                self._mistakes.append(err)

    def _answer(self, sock: socket.socket, request: Request, answer: Answer) -> bool:
        headers = {**answer.headers}
        pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body
        if answer.chunked:
            headers.setdefault("Transfer-Encoding", "chunked")
        elif isinstance(answer.body, bytes):
            headers.setdefault("Content-Length", str(len(answer.body)))
        lines = [
            f"HTTP/1.1 {answer.status} Scripted",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if request.method == "HEAD":
            return True
        left = answer.cut
        for piece in pieces:
            part = piece if left is None else piece[:left]
            if part:
                sock.sendall(b"%x\r\n%s\r\n" % (len(part), part) if answer.chunked else part)
            if left is not None:
                left -= len(part)
                if not left:
                    if answer.reset:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return False
        if answer.chunked:
            sock.sendall(b"0\r\n\r\n")
        return True


def read_request(reader, sock) -> Request | None:
    line = reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split()
    headers = {}
    while (line := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect") == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
    else:
        body = reader.read(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    return Request(method, url.path, parse_qsl(url.query, keep_blank_values=True), headers, body, target)


def server_context() -> ssl.SSLContext:
    """Make the TLS settings of a server whose certificate `ca.pem` has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


@contextmanager
def scripted(script: Script, *, tls: bool = False) -> Iterator[tuple[ScriptedServer, RequestClient]]:
    """Run a server, and give it with a client whose calls are sent once; over https it checks the server."""
    server = ScriptedServer(script, tls=tls)
    client = request_client(server.endpoint)
    try:
        yield server, client
    finally:
        client.session_manager.close()
        server.close()


def request_client(endpoint: str) -> RequestClient:
    manager = SessionManager(retry=RetryConfig.default().http_retry, ca_cert=str(TLS / "ca.pem"))
    return RequestClient(endpoint, manager, timeout=(5, 5))
