"""Processes of an ETL server: several workers on one socket, none of which outlives its parent."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import logging
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from aistore._child import module_command
from aistore.sdk.const import AIS_ETL_SECRET
from aistore.sdk.errors import SDKError
from aistore.sdk.etl.webserver.caller import take_secret
from aistore.sdk.etl.webserver.fastapi_server import GRACE_SECONDS, IDLE_SECONDS
from aistore.sdk.etl.webserver.requirements import require

POLL_SECONDS = 0.1
# More deaths than these per worker and minute are not the fault of single requests.
MAX_DEATHS_PER_MINUTE = 10
GUNICORN_THREADS = 8

logger = logging.getLogger("aistore.sdk.etl.runtime")


# ---------------------------------------------------------------- parents


def stop_with_parent(*, watch_stdin: bool = False) -> None:
    """Have this process end, by SIGTERM to itself, when its parent does.

    Args:
        watch_stdin: Take the end of standard input for the parent's end too.
    """
    parent = os.getppid()
    if parent > 1:  # in a container the parent is outside, or init
        _in_background(lambda: _wait_for_end_of(parent))
    if watch_stdin:
        _in_background(_wait_for_end_of_input)


def _in_background(wait: Callable[[], None]) -> None:
    def then_stop() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=then_stop, name="parent-watch", daemon=True).start()


def _wait_for_end_of(parent: int) -> None:
    # Not PR_SET_PDEATHSIG, which fires when the *thread* that started us ends.
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(parent)
            try:
                if os.getppid() == parent:
                    select.select([fd], [], [])
                return
            finally:
                os.close(fd)
    while os.getppid() == parent:
        time.sleep(1)


def _wait_for_end_of_input() -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass


# ---------------------------------------------------------------- workers


class Supervisor:
    """Runs several worker processes that accept connections from one socket.

    A worker that cannot start ends everything, with its exit status; one that dies later, or is killed at any
    time, is replaced.

    Args:
        listener: The bound socket.
        count: How many workers.
    """

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener = listener
        self._count = count
        self._workers: list[_Worker] = []
        self._deaths: collections.deque[float] = collections.deque(maxlen=count * MAX_DEATHS_PER_MINUTE)
        self._stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until a worker cannot start; return the exit status."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._stop)
        try:
            for _ in range(self._count):
                self._workers.append(_Worker(self._listener))
            while not self._stopping:
                for place, worker in enumerate(self._workers):
                    status = worker.poll()
                    if status is None or self._stopping:
                        continue
                    # Killed from outside while it starts, it has not failed to.
                    cannot_start = status > 0 and not worker.was_ready()
                    if cannot_start or self._too_many_deaths():
                        return status if status > 0 else 1
                    logger.error("worker %d ended with status %d, starting another", worker.pid, status)
                    worker.end(time.monotonic())
                    self._workers[place] = _Worker(self._listener)
                time.sleep(POLL_SECONDS)
            return 0
        finally:
            self._end_workers()

    def _too_many_deaths(self) -> bool:
        now = time.monotonic()
        full = len(self._deaths) == self._deaths.maxlen
        too_many = full and now - self._deaths[0] < 60
        self._deaths.append(now)
        return too_many

    def _stop(self, _signum: int, _frame: object) -> None:
        self._stopping = True

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + GRACE_SECONDS + 2
        for worker in self._workers:
            worker.end(deadline)


class _Worker:
    """One worker process."""

    def __init__(self, listener: socket.socket) -> None:
        self._ready_fd, write_fd = os.pipe()
        fd = listener.fileno()
        module = "aistore.sdk.etl.webserver.runtime"
        command = module_command(module, "--fd", str(fd), "--ready-fd", str(write_fd))
        try:
            env = {**os.environ, **({AIS_ETL_SECRET: secret} if (secret := take_secret()) else {})}
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(fd, write_fd), env=env
            )
        except BaseException:
            os.close(self._ready_fd)
            raise
        finally:
            os.close(write_fd)

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._process.poll()

    def was_ready(self) -> bool:
        """Say, once it has ended, whether it had come to serve."""
        return bool(os.read(self._ready_fd, 1))

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it has ended; kill it after the deadline."""
        try:
            self._process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._ready_fd)


# ---------------------------------------------------------------- gunicorn


def has_gunicorn() -> bool:
    """Say whether gunicorn can be used here."""
    return hasattr(os, "fork") and importlib.util.find_spec("gunicorn") is not None


def run_gunicorn(make_app: Callable[[], Any], listener: socket.socket, workers: int) -> int:
    """Serve a WSGI application with gunicorn on a bound socket; each worker makes its own.

    Args:
        make_app: Makes the application, in the worker.
        listener: The bound socket, which is taken over.
        workers: How many worker processes.

    Returns:
        The exit status.

    Raises:
        SDKError: A worker could not make the application; with its reason.
    """
    base = require("gunicorn.app.base", "FlaskServer")
    halted = require("gunicorn.errors", "FlaskServer").HaltServer
    fd = listener.detach()  # gunicorn closes what it is given
    reasons, tell = os.pipe()
    master = os.getpid()

    class Application(base.BaseApplication):  # type: ignore[misc, name-defined]  # the package is optional
        def run(self) -> None:
            from aistore.sdk.etl.webserver.gunicorn_worker import ETLArbiter

            ETLArbiter(self).run()

        def load_config(self) -> None:
            for name, value in _gunicorn_settings(fd, workers).items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            try:
                return make_app()
            except SDKError as exc:
                os.write(tell, f"{exc}\n".encode()[: select.PIPE_BUF])
                raise

    status = 0
    try:
        Application().run()
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except halted as exc:  # several workers that fail at once make gunicorn stumble over the second
        status = exc.exit_status or 1
    if status and os.getpid() == master:
        os.close(tell)
        with os.fdopen(reasons, "rb") as pipe:
            reason = pipe.read().decode("utf-8", "replace").strip()
        raise SDKError(reason.splitlines()[0] if reason else f"gunicorn ended with status {status}")
    return status


def _gunicorn_settings(fd: int, workers: int) -> dict[str, Any]:
    return {
        "bind": f"fd://{fd}",
        "workers": workers,
        "worker_class": "aistore.sdk.etl.webserver.gunicorn_worker.ETLWorker",
        "threads": GUNICORN_THREADS,
        "keepalive": IDLE_SECONDS,
        "graceful_timeout": GRACE_SECONDS,
        "timeout": 0,  # obj_timeout is the target's to keep
        "proc_name": "aistore-etl",
        "control_socket_disable": True,
    }
