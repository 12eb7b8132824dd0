"""`LocalCluster`: a local AIStore for the length of a `with` block, in a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from aistore._child import module_command
from aistore.local.admin import NAME_VARIABLE, PASSWORD_VARIABLE, Admin, take_admin
from aistore.local.errors import LocalClusterError
from aistore.local.s3.keys import ACCESS_VARIABLE, SECRET_VARIABLE, Keys, make_keys
from aistore.sdk.errors import InvalidArgument, UnsupportedOperation

if TYPE_CHECKING:
    from types import TracebackType

    from aistore.sdk.client import Client

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_TAIL = 2000

_running: weakref.WeakSet[LocalCluster] = weakref.WeakSet()


class LocalCluster:
    """A single-machine AIStore in a child process.

    The child ends with the `with` block, with `stop()`, and with this process however that ends.

    Args:
        targets (int): Number of targets. Default: 1.
        dir (str | Path | None): Folder for data, kept and reopened with all it holds. Default: a temporary
            folder, removed at the end.
        port (int): The proxy's port. Default: 0, any free one.
        host (str): Address to listen on. Default: `127.0.0.1`, this machine only.
        quota (int | None): Bytes that all objects may take up. Default: None, the disk's.
        fsync (bool): Flush each write to the device. Default: False: writes survive the death of the server
            at any moment, but the last moments before a power failure may be lost.
        promote_dir (str | Path | None): The only folder that files may be promoted from. Default:
            `/var/lib/ais/promote`, as on a real cluster.
        tls_cert (str | Path | None): Certificate chain (PEM) to serve https with. Default: None, plain http.
        tls_key (str | Path | None): Its private key (PEM), if that is not in the same file.
        tls_client_ca (str | Path | None): Demand client certificates signed by this authority.
        tls (bool): Serve https with a certificate made in the data folder; `client()` checks it.
            Default: False.
        auth (bool | None): Demand tokens, and serve AuthN at `auth_endpoint`; `client()` has a token of the
            built-in user. Default: None, no tokens, and a folder that was used with them is refused; False
            opens that to everyone.
        admin (tuple[str, str] | None): Name and password of the built-in user. Default: the environment
            variables AIS_AUTHN_SU_NAME and AIS_AUTHN_SU_PASS, else `admin` and a password that is made up.
        s3_keys (tuple[str, str] | None): Access key and secret key that requests to `/s3` must be signed
            with. Default: the environment variables AIS_LOCAL_S3_ACCESS_KEY and AIS_LOCAL_S3_SECRET_KEY, else
            every request is accepted.
        etl_memory (int | None): Bytes of memory that each process of an ETL may take; Linux only. Default:
            None, no limit.
        etl_direct_put (bool): Have ETL classes put results of offline transforms to the targets that they
            belong to, as on a cluster. Default: False: they come back with the answer.
        allow_open_etl (bool): With `auth=True`, start ETLs that are commands of their own, which may answer
            every program of this machine. Default: False: they are refused.
        max_connections (int | None): Connections at a time; more are closed at once. Default: None, 4096.
        auth_port (int): AuthN's port, with `auth=True`. Default: 0, any free one.
        access_log (str | Path | None): File to append a line of JSON to for each request. Default: None.
        start_timeout (float): Seconds to wait for the server to be ready. Default: 30.

    Raises:
        InvalidArgument: `access_log` is standard output.
    """

    def __init__(
        self,
        targets: int = 1,
        dir: str | os.PathLike[str] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        quota: int | None = None,
        fsync: bool = False,
        promote_dir: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        tls_client_ca: str | os.PathLike[str] | None = None,
        tls: bool = False,
        auth: bool | None = None,
        admin: tuple[str, str] | None = None,
        s3_keys: tuple[str, str] | None = None,
        etl_memory: int | None = None,
        etl_direct_put: bool = False,
        allow_open_etl: bool = False,
        max_connections: int | None = None,
        auth_port: int = 0,
        access_log: str | os.PathLike[str] | None = None,
        start_timeout: float = _START_SECONDS,
    ) -> None:
        values = {
            "targets": targets,
            "port": port,
            "host": host,
            "quota": quota,
            "etl-memory": etl_memory,
            "max-connections": max_connections,
            "auth-port": auth_port if auth else None,
            "dir": _absolute(dir),
            "promote-dir": _absolute(promote_dir),
            "tls-cert": _absolute(tls_cert),
            "tls-key": _absolute(tls_key),
            "tls-client-ca": _absolute(tls_client_ca),
            "access-log": _absolute(_log_file(access_log)),
        }
        flags = {
            "fsync": fsync,
            "tls-self-signed": tls,
            "auth": auth,
            "no-auth": auth is False,
            "etl-direct-put": etl_direct_put,
            "allow-open-etl": allow_open_etl,
        }
        # In one piece, so that a value may begin with a dash.
        self._arguments = [f"--{option}={value}" for option, value in values.items() if value is not None]
        self._arguments += [f"--{option}" for option, is_set in flags.items() if is_set]
        self._admin: Admin | None = None
        if auth:
            self._admin = Admin(*admin) if admin is not None else _default_admin()
        self._s3_keys = make_keys(*s3_keys) if s3_keys is not None else None
        self._start_timeout = start_timeout
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._endpoint = ""
        self._auth_endpoint = ""
        self._ca_file = ""
        self._dir = Path(os.path.abspath(dir)) if dir is not None else None

    @property
    def endpoint(self) -> str:
        """URL of the proxy, for `Client(endpoint)`.

        Raises:
            LocalClusterError: The cluster is not running.
        """
        self._check_running()
        return self._endpoint

    @property
    def auth_endpoint(self) -> str:
        """URL of the AuthN service, for `AuthNClient(endpoint)`.

        Raises:
            LocalClusterError: The cluster is not running, or without AuthN.
        """
        self._check_running()
        if not self._auth_endpoint:
            raise LocalClusterError("the local cluster has no AuthN service: start it with auth=True")
        return self._auth_endpoint

    @property
    def admin(self) -> tuple[str, str]:
        """Name and password of the built-in user of AuthN.

        Raises:
            LocalClusterError: The cluster is without AuthN.
        """
        if self._admin is None:
            raise LocalClusterError("the local cluster has no AuthN service: start it with auth=True")
        return self._admin.name, self._admin.password

    @property
    def ca_file(self) -> str | None:
        """What a certificate that was made for this cluster can be checked with: `Client(..., ca_cert=...)`.

        None without `tls=True`, and when it isn't running.
        """
        return self._ca_file or None

    def _check_running(self) -> None:
        if not self._endpoint:
            raise LocalClusterError(
                "the local cluster is not running: call start(), or use it in a `with` statement"
            )

    @property
    def dir(self) -> Path | None:
        """The data folder; None before the start of a cluster on a temporary one."""
        return self._dir

    @property
    def pid(self) -> int | None:
        """Process ID of the server, None when it isn't running."""
        return self._child.pid if self._child is not None else None

    def client(self, **kwargs: Any) -> Client:
        """A client of this cluster; arguments as of `Client`.

        It checks the certificate that was made for the cluster, and has a new token of the built-in user,
        unless the arguments say otherwise.
        """
        from aistore.sdk.client import Client

        if self._ca_file and "skip_verify" not in kwargs:
            kwargs.setdefault("ca_cert", self._ca_file)
        if self._auth_endpoint and "token" not in kwargs:
            kwargs["token"] = self._new_token(kwargs)
        return Client(self.endpoint, **kwargs)

    def _new_token(self, client_arguments: dict[str, Any]) -> str:
        from aistore.sdk.authn import AuthNClient

        alike = {
            key: client_arguments[key]
            for key in ("ca_cert", "skip_verify", "client_cert")
            if key in client_arguments
        }
        with AuthNClient(self._auth_endpoint, **alike) as authn:
            return authn.login(*self.admin)

    def start(self) -> LocalCluster:
        """Start the server and wait until it answers; nothing happens if it is running.

        Raises:
            LocalClusterError: It could not start: the port or the folder is taken, an extra is not installed,
                ...
        """
        if self._child is not None:
            return self
        try:
            command = module_command("aistore.local", "--child", *self._arguments)
        except UnsupportedOperation as err:
            raise LocalClusterError(str(err)) from err
        # A file, not a pipe: nobody has to read it, and the tail is there when it is needed.
        try:
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        except OSError as err:
            raise LocalClusterError(
                f"no temporary file can be made for the server's messages: {err.strerror or err} (set TMPDIR)"
            ) from err
        # A session of its own keeps Ctrl-C of the terminal from the child, which this process then stops in
        # order.
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
            env=_child_environment(self._s3_keys, self._admin),
        )
        _running.add(self)
        try:
            ready = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self._endpoint = ready["endpoint"]
        self._auth_endpoint = ready["auth_endpoint"]
        self._ca_file = ready["ca_file"]
        self._dir = Path(ready["dir"])
        return self

    def _wait_until_ready(self) -> dict[str, Any]:
        child = self._child
        assert child is not None
        assert child.stdout is not None
        deadline = time.monotonic() + self._start_timeout
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise LocalClusterError(
                        f"the local cluster was not ready within {self._start_timeout:g} s{self._tail()}"
                    )
                piece = os.read(child.stdout.fileno(), 4096)
                if not piece:
                    code = child.wait(_STOP_SECONDS)
                    raise LocalClusterError(f"the local cluster ended with exit code {code}{self._tail()}")
                line += piece
        ready: dict[str, Any] = json.loads(line)
        if "error" in ready:
            error = LocalClusterError(ready["error"])
            error.errno = ready["errno"]
            raise error
        return ready

    def _tail(self) -> str:
        """The end of what the child wrote to its standard error."""
        assert self._stderr is not None
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL))
        text = self._stderr.read().decode("utf-8", "replace").strip()
        return f"; its last words:\n{text}" if text else ""

    def stop(self) -> None:
        """Stop the server, if it is running, and wait for its end; a temporary folder is removed."""
        child, self._child = self._child, None
        self._endpoint = self._auth_endpoint = self._ca_file = ""
        _running.discard(self)
        if child is None:
            return
        with contextlib.ExitStack() as stack:
            for pipe in (child.stdout, self._stderr):
                if pipe is not None:
                    stack.callback(pipe.close)
            stack.callback(self._end, child)

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        # The closed pipe is what tells the child to stop.
        with contextlib.suppress(BrokenPipeError):
            if child.stdin is not None:
                child.stdin.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> LocalCluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"LocalCluster({self._endpoint or 'not running'})"


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    """A path that means the same wherever this program changes to; an empty one is the server's to refuse."""
    return os.path.abspath(path) if path else path  # type: ignore[return-value]  # None or empty


def _log_file(path: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
    if path == "-":
        raise InvalidArgument(
            "access_log: expecting a file; the server's standard output is for telling that it is ready"
        )
    return path


def _default_admin() -> Admin:
    """The built-in user of the environment, which is left as it is."""
    import secrets

    admin = take_admin(dict(os.environ))
    return admin if admin.password else admin._replace(password=secrets.token_urlsafe(18))


def _child_environment(s3_keys: Keys | None, admin: Admin | None) -> dict[str, str]:
    """This process's environment, with the secrets: users of the machine can read arguments."""
    env = dict(os.environ)
    if s3_keys is not None:
        env[ACCESS_VARIABLE], env[SECRET_VARIABLE] = s3_keys
    if admin is not None:
        env[NAME_VARIABLE], env[PASSWORD_VARIABLE] = admin
    return env


def _forget_in_child() -> None:
    # A forked copy must not hold the server's pipe open, nor stop the server when it exits.
    for cluster in list(_running):
        child, cluster._child = cluster._child, None  # noqa: SLF001 - this module's own class
        if child is not None:
            child.returncode = 0
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def _stop_all() -> None:
    for cluster in list(_running):
        cluster.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(_stop_all)
