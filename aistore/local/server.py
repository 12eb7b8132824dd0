"""Runs the server: a socket per node, one event loop, a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from aistore.local.access_log import AccessLog
from aistore.local.api import routes
from aistore.local.api.app import App
from aistore.local.api.guard import Guard, is_loopback
from aistore.local.catalog.fault import check_before_start
from aistore.local.data_folder import make_private
from aistore.local.disk_errors import explain
from aistore.local.errors import LocalClusterError, LocalError
from aistore.local.lockfile import FolderLock
from aistore.local.protocol import IDLE_SECONDS, Connections, GuardedProtocol, Server
from aistore.local.state import State
from aistore.version import __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aistore.local.nodes import Node
    from aistore.local.options import Options

log = logging.getLogger(__name__)

_OTHER_FILES = 400  # each thread that reads the catalog has three open
_LEAST_FILES = 64
_LEAST_FILE_SIZE = 16 << 20
_BACKLOG = 1024
_GRACE_SECONDS = 3
_STOP_SECONDS = 4.5
_PARENT_SECONDS = 1.0
# The event loop waits this long for each thread that is busy with an archive.
_TURN_SECONDS = 0.001


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        with contextlib.ExitStack() as unless_listening:
            sock = unless_listening.enter_context(socket.socket(family, kind))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and host == "::":
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(address)
            sock.listen(_BACKLOG)
            unless_listening.pop_all()
    except (OSError, UnicodeError) as err:
        reason = getattr(err, "strerror", None) or err
        error = LocalClusterError(f"can't listen on {host} port {port}: {reason} (port 0 takes any free one)")
        error.errno = getattr(err, "errno", None)
        raise error from err
    return sock


def _own_host(host: str) -> str:
    """The address at which programs of this machine reach a server that listens on `host`."""
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared only


@contextlib.contextmanager
def _sockets(options: Options) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        found = []
        for port in [options.port] + [0] * options.targets + [options.auth_port] * options.auth:
            sock = _listen(options.host, port)
            stack.callback(sock.close)
            found.append(sock)
        yield found


@contextlib.contextmanager
def _folder(options: Options) -> Iterator[Path]:
    """The locked data folder; a temporary one is removed at the end."""
    try:
        root = options.dir or Path(tempfile.mkdtemp(prefix="aistore-local-"))
    except OSError as err:
        raise LocalClusterError(
            f"no temporary folder can be made: {err.strerror or err} (set TMPDIR, or give --dir)"
        ) from err
    try:
        lock = FolderLock(root)
        try:
            make_private(root.resolve())
            check_before_start(root.resolve())
            yield root.resolve()
        finally:
            lock.release()
    finally:
        if options.dir is None:
            shutil.rmtree(root, ignore_errors=True)


def _watch_parent(stop: Callable[[], None]) -> None:
    """Stop when the process that started this one ends: its pipe closes, or the parent is another."""
    parent = os.getppid()

    def wait_for_pipe() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        stop()

    def poll_parent() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        stop()

    for watch in (wait_for_pipe, poll_parent):
        threading.Thread(target=watch, daemon=True, name=watch.__name__).start()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _check_file_size() -> None:
    """Refuse a limit of the size of files that is too small for the catalog."""
    with contextlib.suppress(ImportError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if soft != resource.RLIM_INFINITY and soft < _LEAST_FILE_SIZE:
            raise LocalClusterError(
                f"files may have only {soft} bytes: {_LEAST_FILE_SIZE} are needed (raise `ulimit -f`)"
            )


def _connection_limit(wanted: int) -> int:
    """How many connections there may be, so that each can have a file open as well."""
    try:
        import resource
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _OTHER_FILES
    if soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):  # a system may have a limit beyond which it won't go
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft < _LEAST_FILES:
        raise LocalClusterError(
            f"only {soft} files may be open: at least {_LEAST_FILES} are needed (raise `ulimit -n`)"
        )
    if soft < needed:
        log.warning("only %d files may be open: connections are limited to fit", soft)
    return max(min(wanted, (soft - min(_OTHER_FILES, soft // 2)) // 2), 1)


def _http_server(app: Any, state: State, on_exit: Callable[[], None]) -> Server:
    # What it reports, an answer or a cut connection tells already; failures of ours are logged by the
    # application.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        **state.tls.settings(),
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(IDLE_SECONDS),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
    )
    return Server(config, on_exit)


@contextlib.contextmanager
def _logged_to(handler: logging.Handler) -> Iterator[None]:
    """The package's log lines, from INFO on, also go to a handler."""
    logger = logging.getLogger("aistore")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


def _application(state: State, sockets: list[socket.socket]) -> Callable[..., Awaitable[None]]:
    """What answers at every port, once each node knows its address."""
    options = state.options
    host = _own_host(options.host)
    # The socket of the AuthN service, if there is one, is the last.
    nodes: list[Node] = [state.nodes.proxy, *state.nodes.targets]
    ports = {sock.getsockname()[1]: node for node, sock in zip(nodes, sockets, strict=False)}
    for port, node in ports.items():
        node.bind(state.tls.scheme, host, port)
    routes.register_all(state)
    access_log = AccessLog(options.access_log) if options.access_log else None
    if access_log is not None:
        state.on_stop.append(access_log.close)
    guard = Guard(options.host)
    app = App(state, ports, guard, access_log)
    if state.authn is None:
        return app
    from aistore.local.authn.service import AuthnApp, ServiceNode

    service = ServiceNode()
    service.bind(state.tls.scheme, host, sockets[-1].getsockname()[1])
    state.authn.url = service.url
    authn_app = AuthnApp(state, state.authn, service, guard, access_log)

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await (authn_app if scope["server"][1] == service.port else app)(scope, receive, send)

    return answer


def _serve(
    state: State, sockets: list[socket.socket], deadline: _Deadline, on_ready: Callable[[State], None]
) -> None:
    server = _http_server(_application(state, sockets), state, deadline.begin)
    # The HTTP server takes the first two while it runs and raises them again when it has stopped.
    for number in _stop_signals():
        signal.signal(number, server.stop)
    if state.options.child:
        _watch_parent(server.stop)
    sys.setswitchinterval(_TURN_SECONDS)
    loop = _new_loop()
    try:
        loop.call_soon(on_ready, state)
        log.info("aistore.local %s at %s, data in %s", __version__, state.nodes.proxy.url, state.root)
        loop.run_until_complete(server.serve(sockets))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


class _Deadline:
    """Ends the process when its stop takes too long.

    Whatever the server was doing then, what it has acknowledged is on disk.

    Args:
        state (State): The cluster.
        folder (Path | None): The folder to remove; None if it is to stay.
    """

    def __init__(self, state: State, folder: Path | None) -> None:
        self._state = state
        self._folder = folder
        self._ended = threading.Event()

    def begin(self) -> None:
        """The stop has begun."""
        threading.Thread(target=self._watch, daemon=True, name="deadline").start()

    def end(self) -> None:
        """The stop is over."""
        self._ended.set()

    def _watch(self) -> None:
        if self._ended.wait(_STOP_SECONDS):
            return
        self._state.kill()
        if self._folder is not None:
            # It may be large, and threads may still write there.
            script = 'for i in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 1; done'
            nowhere = subprocess.DEVNULL
            subprocess.Popen(
                ["/bin/sh", "-c", script, "sh", str(self._folder)],
                stdin=nowhere,
                stdout=nowhere,
                stderr=nowhere,
                start_new_session=True,
            )
        os._exit(0)


def _warn(options: Options) -> None:
    """Say what it means that other machines can reach this server."""
    if not options.auth:
        sys.stderr.write(
            f"warning: listening on {options.host} without --auth: anyone who can reach it can read, change "
            "and delete everything\n"
        )
    elif not (options.tls_cert or options.tls_self_signed):
        sys.stderr.write(
            f"warning: listening on {options.host} without TLS: passwords and tokens can be read on the way\n"
        )


def run(options: Options, on_ready: Callable[[State], None]) -> None:
    """Run until a signal, or until the parent of a child process ends.

    Args:
        options (Options): What was asked for.
        on_ready: Called once, when requests are answered.

    Raises:
        LocalClusterError: The port or the folder can't be used.
    """
    os.umask(0o077)  # of what ETLs make, too
    with (
        _stopped_early(),
        _explained(options),
        contextlib.ExitStack() as folder,
        _sockets(options) as sockets,
        _folder(options) as root,
    ):
        _check_file_size()
        GuardedProtocol.all = Connections(_connection_limit(options.max_connections))
        if not is_loopback(options.host):
            _warn(options)
        state = State(options, root)
        deadline = _Deadline(state, root if options.dir is None else None)
        folder.callback(deadline.end)
        try:
            with _logged_to(state.log):
                _serve(state, sockets, deadline, on_ready)
        finally:
            state.close()


@contextlib.contextmanager
def _explained(options: Options) -> Iterator[None]:
    """Report what the machine refuses in one sentence."""
    try:
        yield
    except LocalClusterError:
        raise
    except (OSError, sqlite3.Error, LocalError, MemoryError, RuntimeError) as err:
        if type(err) is RuntimeError and "new thread" not in str(err):
            raise
        error = LocalClusterError(explain(err, options.dir))
        error.errno = getattr(err, "errno", None)
        raise error from err


class _StoppedEarly(BaseException):
    """A signal to stop that came before the server could take it."""


def _stop_signals() -> list[signal.Signals]:
    """The signals that stop the server; SIGHUP does not if whoever started it ignores it, as `nohup` does."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    return numbers


@contextlib.contextmanager
def _stopped_early() -> Iterator[None]:
    """Clear up and end without an error when a signal comes before the server runs."""

    def stop(*_: Any) -> None:
        raise _StoppedEarly

    for number in _stop_signals():
        signal.signal(number, stop)
    with contextlib.suppress(_StoppedEarly):
        yield
