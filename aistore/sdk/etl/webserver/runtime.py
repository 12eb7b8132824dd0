"""Entry point of an ETL's process: `python -m aistore.sdk.etl.webserver.runtime`.

Installs `PACKAGES` and `OS_PACKAGES`, decodes `ETL_CLASS_PAYLOAD` and serves the class, in a pod or as a
local process. Exit status: 0 after SIGTERM or SIGINT, 1 when the class cannot be loaded or served (the last
line on standard error says why), 2 for wrong arguments or environment.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aistore._child import module_command
from aistore.sdk.errors import InvalidArgument, SDKError
from aistore.sdk.etl.webserver.caller import hide_secrets, known_secret, take_secret

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

EXIT_FAILED = 1
EXIT_USAGE = 2

DEFAULT_HOST = "0.0.0.0"  # noqa: S104 - inside the pod
DEFAULT_PORT = 8000
DEFAULT_WORKERS = 6
BACKLOG = 2048

ENV_WORKERS = "NUM_WORKERS"
ENV_LOG_LEVEL = "AIS_ETL_LOG_LEVEL"

logger = logging.getLogger("aistore.sdk.etl.runtime")


class StartFailed(SDKError):  # noqa: N818 - private to this module, always turned into an exit status
    """The server cannot be started; the text is for a person."""


def main(argv: list[str] | None = None) -> int:
    """Run the entry point.

    Args:
        argv: Arguments. Default: those of the command line.

    Returns:
        The exit status.
    """
    options = _parse(argv)
    try:
        _default_stop_signals()
        _configure_logging()
        return _run(options)
    except InvalidArgument as exc:
        return _fail(f"{type(exc).__name__}: {exc}", EXIT_USAGE)
    except SDKError as exc:
        return _fail(str(exc), EXIT_FAILED)
    except (KeyboardInterrupt, _Stopped):
        logger.info("stopped")
        return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m aistore.sdk.etl.webserver.runtime", description=main.__doc__
    )
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to bind to (default: all)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port to bind to, 0 for a free one (default: 8000)"
    )
    parser.add_argument("--port-file", type=Path, help="write the port here once it is bound")
    parser.add_argument(
        "--skip-packages", action="store_true", help="PACKAGES and OS_PACKAGES are installed already"
    )
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input ends")
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a worker: serve on this inherited socket
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)  # a worker: say here that it serves
    return parser.parse_args(argv)


def _run(options: argparse.Namespace) -> int:
    from aistore.sdk.etl.webserver import supervisor
    from aistore.sdk.etl.webserver.packages import install_packages

    supervisor.stop_with_parent(watch_stdin=options.watch_stdin)
    _raise_open_files_limit()
    if options.fd is not None:
        take_secret()
        return _serve_as_worker(options.fd, options.ready_fd)
    workers = num_workers(os.environ)
    if not options.skip_packages and install_packages(os.environ):
        # What was installed may replace what this process has imported: start anew.
        arguments = [arg for arg in sys.argv[1:] if arg != "--skip-packages"]
        command = module_command(__spec__.name, "--skip-packages", *arguments)
        os.execv(command[0], command)  # noqa: S606
    take_secret()
    cls = load_class(os.environ)
    listener = _bind(options.host, options.port)
    with listener:
        if options.port_file is not None:
            _write_atomically(options.port_file, f"{listener.getsockname()[1]}\n")
        return _serve(cls, listener, workers)


def _serve(cls: type[ETLServer], listener: socket.socket, workers: int) -> int:
    from aistore.sdk.etl.webserver import supervisor
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
    from aistore.sdk.etl.webserver.flask_server import FlaskServer

    if issubclass(cls, FastAPIServer) and workers > 1:
        return supervisor.Supervisor(listener, workers).run()
    if issubclass(cls, FlaskServer) and supervisor.has_gunicorn():
        return supervisor.run_gunicorn(lambda: vars(_construct(cls))["app"], listener, workers)
    _serve_on(_construct(cls), listener)
    return 0


def _serve_as_worker(fd: int, ready_fd: int | None) -> int:
    listener = socket.socket(fileno=fd)
    server = _construct(load_class(os.environ))
    if ready_fd is not None:
        server.on_started = lambda: _tell(ready_fd)
    _serve_on(server, listener)
    return 0


def _serve_on(server: ETLServer, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    vars(server).update(host=host, port=port)
    server.serve_on(listener)


def _tell(fd: int) -> None:
    os.write(fd, b"1")
    os.close(fd)


def load_class(env: Mapping[str, str]) -> type[ETLServer]:
    """Decode the class of the environment.

    Raises:
        StartFailed: There is none, or it cannot be unpickled here.
    """
    from aistore.sdk.etl.class_payload import PAYLOAD_VARIABLE, deserialize_class

    payload = env.get(PAYLOAD_VARIABLE, "")
    if not payload:
        raise StartFailed(f"{PAYLOAD_VARIABLE} is not set: there is no class to serve")
    try:
        return deserialize_class(payload)
    except ModuleNotFoundError as exc:
        traceback.print_exc()
        raise StartFailed(
            f"the ETL class needs the module {exc.name!r}, which is not installed here: name its package "
            "in `dependencies`"
        ) from exc
    except Exception as exc:
        traceback.print_exc()
        raise StartFailed(f"the ETL class cannot be loaded: {type(exc).__name__}: {exc}") from exc


def _construct(cls: type[ETLServer]) -> ETLServer:
    try:
        return cls()
    except InvalidArgument:
        raise
    except Exception as exc:
        traceback.print_exc()
        raise StartFailed(f"{cls.__name__}() failed: {type(exc).__name__}: {exc}") from exc


def num_workers(env: Mapping[str, str]) -> int:
    """Return how many worker processes to run (`NUM_WORKERS`, default 6).

    Raises:
        InvalidETLEnvironment: It is not a number of at least 1.
    """
    from aistore.sdk.etl.webserver.settings import InvalidETLEnvironment

    text = env.get(ENV_WORKERS, "").strip()
    if not text:
        return DEFAULT_WORKERS
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidETLEnvironment(f"{ENV_WORKERS}={text!r} is not a number of at least 1")
    return int(text)


class _Formatter(logging.Formatter):
    """Writes what is logged, without the server's secrets.

    Args:
        host_target: URL of the target.
        secret: The server's own secret.
    """

    def __init__(self, host_target: str, secret: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(process)d]: %(message)s")
        self._known = host_target, secret

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, with its traceback."""
        return hide_secrets(super().format(record), *self._known)


def _configure_logging() -> None:
    from aistore.sdk.etl.webserver.settings import ENV_TARGET_URL, InvalidETLEnvironment

    level = os.environ.get(ENV_LOG_LEVEL, "INFO").strip().upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise InvalidETLEnvironment(
            f"{ENV_LOG_LEVEL}={level!r} is none of DEBUG, INFO, WARNING, ERROR, CRITICAL"
        )
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(_Formatter(os.environ.get(ENV_TARGET_URL, ""), known_secret(os.environ)))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of objects may be anything
    logging.basicConfig(level=level, handlers=[shown])
    for noisy in ("httpx", "httpcore", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.getLevelName(level), logging.WARNING))


def _raise_open_files_limit() -> None:
    """Let this process, which is the server's own, have as many open files as it may."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as exc:
            logger.warning("cannot raise the limit of open files: %s", exc)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        raise StartFailed(f"cannot listen on {host}:{port}: {exc}") from exc
    return listener


def _write_atomically(path: Path, text: str) -> None:
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(fd, "w") as file:
        file.write(text)
    Path(temporary).replace(path)


class _Stopped(BaseException):
    """SIGTERM came during the start, or while a server without its own handler was running."""


def _default_stop_signals() -> None:
    """Have SIGTERM end servers that do not handle it themselves (Flask's own); the others replace this."""
    if threading.current_thread() is not threading.main_thread():
        return

    def stop(_signum: int, _frame: object) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)


def _fail(message: str, status: int) -> int:
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - whoever started this process reads it
    return status


if __name__ == "__main__":
    sys.exit(main())
