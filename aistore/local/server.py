"""Runs the server: a socket per node, one event loop, a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistore.local.api import routes
from aistore.local.api.app import App
from aistore.local.api.guard import Guard, is_loopback
from aistore.local.errors import LocalClusterError
from aistore.local.lockfile import FolderLock
from aistore.local.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.local.nodes import Node
    from aistore.local.options import Options

log = logging.getLogger(__name__)

_BACKLOG = 1024
_GRACE_SECONDS = 5
_PARENT_SECONDS = 1.0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as err:
        sock.close()
        error = LocalClusterError(
            f"can't listen on {host} port {port}: {err.strerror or err} (port 0 takes any free one)"
        )
        error.errno = err.errno
        raise error from err
    return sock


def _public_host(host: str) -> str:
    return {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)  # noqa: S104 - compared only


@contextlib.contextmanager
def _sockets(options: Options) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        found = []
        for port in [options.port] + [0] * options.targets:
            sock = _listen(options.host, port)
            stack.callback(sock.close)
            found.append(sock)
        yield found


@contextlib.contextmanager
def _folder(options: Options) -> Iterator[Path]:
    """The locked data folder; a temporary one is removed at the end."""
    root = options.dir or Path(tempfile.mkdtemp(prefix="aistore-local-"))
    try:
        lock = FolderLock(root)
        try:
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


def _tls(options: Options) -> dict[str, Any]:
    """TLS settings of the HTTP server.

    Raises:
        LocalClusterError: A file can't be read, or certificate and key don't fit.
    """
    if options.tls_cert is None:
        return {}
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
        if options.tls_client_ca is not None:
            context.load_verify_locations(options.tls_client_ca)
    except (OSError, ssl.SSLError) as err:
        raise LocalClusterError(f"the TLS certificate, key or client authority can't be used: {err}") from err
    return {
        "ssl_certfile": options.tls_cert,
        "ssl_keyfile": options.tls_key,
        "ssl_ca_certs": options.tls_client_ca,
        "ssl_cert_reqs": ssl.CERT_REQUIRED if options.tls_client_ca else ssl.CERT_NONE,
    }


def _http_server(app: Any, options: Options) -> Any:
    import uvicorn

    from aistore.local.protocol import IDLE_SECONDS, GuardedProtocol

    GuardedProtocol.max_connections = options.max_connections
    # What it reports, an answer or a cut connection tells already; failures of ours are logged by the
    # application.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        **_tls(options),
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
    return uvicorn.Server(config)


def _serve(
    state: State, sockets: list[socket.socket], options: Options, on_ready: Callable[[State], None]
) -> None:
    ports: dict[int, Node] = {}
    host = _public_host(options.host)
    for node, sock in zip([state.nodes.proxy, *state.nodes.targets], sockets, strict=True):
        port = sock.getsockname()[1]
        node.bind(options.scheme, host, port)
        ports[port] = node
    routes.register_all(state)
    server = _http_server(App(state, ports, Guard(options.host)), options)

    def stop(*_: Any) -> None:
        server.should_exit = True

    # The HTTP server takes these signals while it runs and raises them again when it has stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if options.child:
        _watch_parent(stop)
    loop = _new_loop()
    try:
        loop.call_soon(on_ready, state)
        loop.run_until_complete(server.serve(sockets))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def run(options: Options, on_ready: Callable[[State], None]) -> None:
    """Run until a signal, or until the parent of a child process ends.

    Args:
        options (Options): What was asked for.
        on_ready: Called once, when requests are answered.

    Raises:
        LocalClusterError: The port or the folder can't be used.
    """
    if not is_loopback(options.host):
        sys.stderr.write(
            f"warning: listening on {options.host}: anyone who can reach it can read, change and delete "
            "everything, and run code if ETL is in use\n"
        )
    with _sockets(options) as sockets, _folder(options) as root:
        state = State(options, root)
        try:
            _serve(state, sockets, options, on_ready)
        finally:
            state.close()
