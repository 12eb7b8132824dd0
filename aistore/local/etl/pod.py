"""One server process of an ETL, next to one target: started, watched, stopped with all that it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from aistore._child import module_command, script_command
from aistore.local.errors import LocalError
from aistore.sdk.const import QPARAM_ETL_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PACKAGE = "aistore.local.etl"
_HOST = "127.0.0.1"
_CONTAINER_PORT = "8000"
_LOG_BYTES = 1 << 20
_SHOWN_LINES = 12
_POLL_SECONDS = 0.02
_PROBE_SECONDS = 2.0


class _Log:
    """The newest output, at most a megabyte."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def add(self, data: bytes) -> None:
        with self._lock:
            self._pieces.append(data)
            self._size += len(data)
            while self._size - len(self._pieces[0]) >= _LOG_BYTES:
                self._size -= len(self._pieces.popleft())

    def text(self) -> bytes:
        with self._lock:
            return b"".join(self._pieces)[-_LOG_BYTES:]


class Pod:
    """A process.

    Args:
        etl_name (str): The ETL.
        node_id (str): The target.
        secret (str): What requests to the process show.
        folder (Path): Its working folder, made here and removed when it is stopped.
        on_exit: Called when it ends without having been stopped.
        memory (int | None): Bytes that it, and each process that it starts, may take.
    """

    def __init__(
        self,
        etl_name: str,
        node_id: str,
        secret: str,
        folder: Path,
        on_exit: Callable[[Pod], None],
        memory: int | None = None,
    ) -> None:
        self.etl_name = etl_name
        self.node_id = node_id
        self.secret = secret
        self.port = 0
        self._folder = folder
        self._port_file = folder / "port"
        self._on_exit = on_exit
        self._memory = memory
        self._log = _Log()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._started = time.monotonic()
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_HOST}:{self.port}"

    @property
    def stage_url(self) -> str:
        """Where it answers, for the process that it is the next stage of."""
        return f"{self.url}?{QPARAM_ETL_SECRET}={self.secret}"

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start_class(self, python: str, env: dict[str, str]) -> None:
        """Run the runtime for a class; it chooses its port and writes it to a file."""
        arguments = ["--host", _HOST, "--port", "0", "--port-file", str(self._port_file)]
        arguments += ["--skip-packages", "--watch-stdin"]
        self._spawn(module_command("aistore.sdk.etl.webserver.runtime", *arguments, python=python), env)

    def start_command(self, command: Sequence[str], env: dict[str, str]) -> None:
        """Run a command that would listen on port 8000 in its container; that port in it becomes a free one.

        Raises:
            LocalError: There is no such program.
        """
        if shutil.which(command[0], path=env.get("PATH")) is None:
            raise LocalError(f'command "{command[0]}" is not on this machine', tcode="ErrETL")
        self.port = _free_port()
        words = [_replace_address(word, str(self.port)) for word in command]
        self._spawn(script_command(_PACKAGE, "supervise.py", *words), {**env, "PORT": str(self.port)})

    def _spawn(self, command: list[str], env: dict[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._memory is not None:
            command = script_command(_PACKAGE, "limit_memory.py", str(self._memory), *command)
        try:
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as err:
            raise LocalError(f"ETL {self.etl_name} can't be started: {err}", tcode="ErrETL") from err
        self._reader = threading.Thread(target=self._read_log, daemon=True, name=f"etl-log-{self.etl_name}")
        self._reader.start()
        threading.Thread(target=self._watch, daemon=True, name=f"etl-watch-{self.etl_name}").start()

    def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as out, contextlib.suppress(OSError, ValueError):
            while data := os.read(out.fileno(), 1 << 16):
                self._log.add(data)

    def _watch(self) -> None:
        assert self._process is not None
        self._process.wait()
        if not self._stopping.is_set():
            self._on_exit(self)

    def wait_ready(self, path: str, deadline: float, cancelled: Callable[[], bool]) -> None:
        """Wait until the health path answers 200.

        Args:
            path (str): The path.
            deadline (float): When to give up, by `time.monotonic`.
            cancelled: Whether to give up at once.

        Raises:
            LocalError: It ended, with its last lines, or is not ready in time.
        """
        while not self._is_ready(path):
            if not self.is_alive:
                raise LocalError(self.describe_exit(), tcode="ErrETL")
            if cancelled():
                raise LocalError(f"the start of ETL {self.etl_name} was cancelled", tcode="ErrETL")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"ETL {self.etl_name} is not ready within init_timeout; last lines:\n{self.last_lines()}",
                    tcode="ErrETL",
                )
            time.sleep(_POLL_SECONDS)

    def _is_ready(self, path: str) -> bool:
        if not self.port:
            try:
                self.port = int(self._port_file.read_text())
            except (OSError, ValueError):
                return False
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def logs(self) -> bytes:
        """The newest output."""
        return self._log.text()

    def last_lines(self) -> str:
        """The last lines of the output."""
        lines = self.logs().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_SHOWN_LINES:])

    def describe_exit(self) -> str:
        """How the process ended, with its last lines."""
        assert self._process is not None
        if self._reader is not None:
            self._reader.join(timeout=1.0)
        status = self._process.poll()
        limit = f" (it may take {self._memory} bytes of memory: --etl-memory)" if self._memory else ""
        return f"ETL {self.etl_name} ended with exit status {status}{limit}; last lines:\n{self.last_lines()}"

    def usage(self) -> tuple[float, int]:
        """CPU cores used on average, and bytes of memory; zeros where the system doesn't say."""
        ticks, pages = 0, 0
        if self._process is not None:
            for stat in _session(self._process.pid):
                ticks += int(stat[11]) + int(stat[12])
                pages += int(stat[21])
        seconds = max(time.monotonic() - self._started, 1e-3)
        if not ticks and not pages:
            return 0.0, 0
        return round(ticks / os.sysconf("SC_CLK_TCK") / seconds, 3), pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """Kill the process and all that it started."""
        self._stopping.set()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self, grace: float) -> None:
        """End the process and all that it started: asked to, and after `grace` seconds killed."""
        self._stopping.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace)
            self.kill()
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            if self._reader is not None:
                self._reader.join(timeout=1.0)
        shutil.rmtree(self._folder, ignore_errors=True)


def _replace_address(word: str, port: str) -> str:
    for separator in ("", ":", "="):
        if word == separator + _CONTAINER_PORT:
            return separator + port
        if separator and word.endswith(separator + _CONTAINER_PORT):
            host = word[: -len(_CONTAINER_PORT) - 1]
            return host.replace("0.0.0.0", _HOST) + separator + port  # noqa: S104 - replaced by loopback
    return _HOST if word == "0.0.0.0" else word  # noqa: S104 - replaced by loopback


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((_HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def _session(leader: int) -> list[list[str]]:
    """Fields of `/proc/PID/stat`, from the state on, of every process of a session."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    stat = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                    if int(stat[3]) == leader:
                        found.append(stat)
    return found
