"""What the ETL servers are tested with: a scripted target, and processes started through the runtime."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from aistore.sdk.etl.class_payload import serialize_class

START_SECONDS = 30
RUNTIME = ["-m", "aistore.sdk.etl.webserver.runtime", "--host", "127.0.0.1", "--port", "0"]
OBJECT_PATH = "/v1/etl/_object/some-etl/SECRET"


def wait_until(condition, seconds=START_SECONDS, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


@dataclass
class Seen:
    """A request that the target got."""

    method: str
    path: str
    query: str
    headers: dict
    body: bytes
    complete: bool


@dataclass
class Target:
    """A scripted target: serves objects, keeps what is put, fails when told to.

    `script` holds what to do with the next requests instead: a status, "reset", "cut" (an answer
    shorter than it says), or "hang" (until `reset()`).
    `only` is part of the path of the requests that are scripted and kept.
    """

    objects: dict = field(default_factory=dict)
    seen: list = field(default_factory=list)
    script: list = field(default_factory=list)
    answer: tuple = (200, b"", {})
    awake: threading.Event = field(default_factory=threading.Event)
    only: str = ""

    def __post_init__(self):
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def _body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    length = int(self.headers.get("Content-Length") or 0)
                    data = self.rfile.read(length)
                    return data, len(data) == length
                data = bytearray()
                while True:
                    line = self.rfile.readline()
                    if not line.strip():
                        return bytes(data), False
                    size = int(line, 16)
                    piece = self.rfile.read(size + 2)
                    if len(piece) < size + 2:
                        return bytes(data), False
                    if size == 0:
                        return bytes(data), True
                    data += piece[:-2]

            def _handle(self):
                scripted = target.script and target.only in self.path
                step = target.script.pop(0) if scripted else None
                if step == "hang":
                    self.close_connection = True
                    target.awake.wait(30)
                    return
                if step == "reset":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body, complete = self._body()
                parts = urlsplit(self.path)
                if target.only in self.path:
                    request = self.command, parts.path, parts.query, dict(self.headers), body, complete
                    target.seen.append(Seen(*request))
                if not complete:
                    self.close_connection = True
                    return
                self._answer(step, unquote(parts.path.removeprefix(OBJECT_PATH + "/")))

            def _answer(self, step, name):
                status, data, headers = target.answer
                missing = 5 if step == "cut" else 0
                if missing:
                    self.close_connection = True
                    status, data, headers = 200, target.objects[name], {}
                elif step is not None:
                    status, data, headers = step, f"scripted {step}".encode(), {}
                elif self.command == "GET" and name in target.objects:
                    status, data, headers = 200, target.objects[name], {}
                elif self.command == "GET":
                    status, data, headers = 404, b"no such object", {}
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(data) + missing))
                self.end_headers()
                if status != 204:
                    self.wfile.write(data)

            do_GET = do_PUT = _handle

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def netloc(self):
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self):
        return f"http://{self.netloc}{OBJECT_PATH}"

    def reset(self):
        self.awake.set()
        self.awake = threading.Event()
        self.objects.clear()
        self.seen.clear()
        self.script.clear()
        self.only = ""
        self.answer = (200, b"", {})

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Server:
    """A server process."""

    process: subprocess.Popen
    url: str
    log: Path

    @property
    def netloc(self):
        return urlsplit(self.url).netloc

    def output(self):
        return self.log.read_text(errors="replace")


def runtime_env(target_url, payload, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AIS_", "ETL_"))}
    return {**clean, "AIS_TARGET_URL": target_url, "ETL_CLASS_PAYLOAD": payload, "NUM_WORKERS": "1", **env}


@contextlib.contextmanager
def run_server(cls, target_url, folder, *, python=sys.executable, payload=None, **env):
    """Start a class through the runtime, give the ready server, and stop it."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file, log = folder / "port", folder / "log"
    port_file.unlink(missing_ok=True)
    command = [str(python), *RUNTIME, "--port-file", str(port_file)]
    env = runtime_env(target_url, payload or serialize_class(cls), **env)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder
        )
    try:

        def ready():
            assert process.poll() is None, log.read_text(errors="replace")
            if not port_file.exists():
                return None
            url = f"http://127.0.0.1:{port_file.read_text().strip()}"
            with contextlib.suppress(requests.RequestException):
                if requests.get(url + "/health", timeout=2).text == "Running":
                    return url
            return None

        yield Server(process, wait_until(ready, what="server ready"), log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def run_to_end(payload, folder, *args, target_url="http://127.0.0.1:1", **env):
    """Run the runtime until it ends by itself; return its exit status and everything it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, *RUNTIME, *args],
        env=runtime_env(target_url, payload, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def exchange(netloc, method, path, body=b"", *, headers=None, chunked=False, length=None, timeout=60):
    """Send a request from one thread and read its answer in another, as targets do.

    `length` announces another length than the body's; the connection is then cut where the body ends.
    """
    host, port = netloc.split(":")
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": length or len(body)}
    fields = {"Host": netloc, "Connection": "close", **framing, **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection((host, int(port)), timeout=timeout) as sock:

        def send():
            with contextlib.suppress(ConnectionError):
                sock.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
                view = memoryview(body)
                for start in range(0, len(body), 1 << 20):
                    piece = view[start : start + (1 << 20)]
                    sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if chunked:
                    sock.sendall(b"0\r\n\r\n")

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            if length is not None:
                sender.join(timeout)
                return None
            response = HTTPResponse(sock, method=method)
            response.begin()
            return response.status, response.headers, response.read()
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sender.join(timeout)


def put_full_duplex(netloc, path, body):
    """Put a chunked body and read the answer meanwhile."""
    status, _, answer = exchange(netloc, "PUT", path, body, chunked=True)
    return status, answer


def stream_through(netloc, path, size, **headers):
    """Put so many bytes and count the upper-cased ones that come back, holding none of them."""
    host, port = netloc.split(":")
    chunk = b"a" * (1 << 20)
    fields = {"Host": netloc, "Content-Length": size, **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection((host, int(port)), timeout=60) as sock:

        def send():
            sock.sendall(f"PUT {path} HTTP/1.1\r\n{head}\r\n".encode())
            for _ in range(size // len(chunk)):
                sock.sendall(chunk)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        response = HTTPResponse(sock, method="PUT")
        response.begin()
        count = 0
        while data := response.read(1 << 20):
            count += data.count(b"A")
        sender.join(60)
        return response.status, count


def processes_of(server):
    """List a server's process and its workers (Linux)."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def open_sockets(server):
    """Count the connections that the processes of a server hold open (Linux)."""
    count = 0
    for pid in processes_of(server):
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                count += os.readlink(link).startswith("socket:")
    return count


def abandoned_connections(server):
    """Count connections to a server that their peers have closed and it has not (Linux)."""
    port = int(server.netloc.rpartition(":")[2])
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "08" for row in rows)


def open_files(server, folder):
    """List the files below a folder that the processes of a server hold open (Linux)."""
    found = []
    for pid in processes_of(server):
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                found += [name for name in [os.readlink(link)] if name.startswith(str(folder))]
    return found


def peak_memory(server):
    """Return the largest peak of resident memory of a server's processes, in bytes (Linux)."""
    peaks = []
    for pid in processes_of(server):
        status = Path(f"/proc/{pid}/status").read_text()
        peaks += [int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)
