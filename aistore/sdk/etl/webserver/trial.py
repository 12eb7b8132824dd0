"""Tries an ETL class on this machine before it is sent to a cluster."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from aistore._child import module_command
from aistore.sdk.const import QPARAM_ETL_ARGS
from aistore.sdk.errors import InvalidArgumentType, SDKError, Timeout
from aistore.sdk.etl.class_payload import PAYLOAD_VARIABLE, check_class, serialize_class
from aistore.sdk.etl.webserver.flow import TransformFailed, as_bytes, as_chunks
from aistore.sdk.etl.webserver.settings import ENV_TARGET_URL

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

START_SECONDS = 60.0
STOP_SECONDS = 15.0
FETCH_TIMEOUT = (10.0, 60.0)
_NO_TARGET = "http://127.0.0.1:9"  # discard: nobody answers
_environment = threading.Lock()


def try_transform(
    cls: type[ETLServer], data: bytes | str | os.PathLike[str], path: str = "", etl_args: str = ""
) -> bytes:
    """Run a class's transform in this process.

    Args:
        cls: The class.
        data: The object: its bytes, the path of a file, or a URL to get it from.
        path: What the transform is told as `bucket/object`. Default: made from the name of the file or URL.
        etl_args: Arguments for the transform.

    Returns:
        The result; that of `transform_stream` is joined.
    """
    server = _construct(check_class(cls))
    content = _content(data)
    path = path or f"bucket/{_name(data)}"
    try:
        if server.use_streaming:
            reader = io.BytesIO(content)
            chunks = as_chunks(server.transform_stream(reader, path, etl_args))
            closing = server.iter_and_close(chunks, reader)
            return b"".join(as_bytes(chunk, "transform_stream yielded") for chunk in closing)
        by_path = server.direct_fqn and isinstance(data, os.PathLike)
        return as_bytes(server.transform(str(data) if by_path else content, path, etl_args))
    except TransformFailed as exc:
        raise exc.error from None


def transform_over_http(
    cls: type[ETLServer],
    data: bytes | str | os.PathLike[str],
    path: str = "",
    etl_args: str = "",
    *,
    timeout: float = START_SECONDS,
    **env: Any,
) -> bytes:
    """Run a class's transform as a cluster does: pickled, in a process of its own, over HTTP.

    Args:
        cls: The class.
        data: The object: its bytes, the path of a file, or a URL to get it from.
        path: What the transform is told as `bucket/object`. Default: made from the name of the file or URL.
        etl_args: Arguments for the transform.
        timeout: Seconds until the server must be ready, and for the transform.
        env: Environment of the server: names and values.

    Returns:
        The result.

    Raises:
        SDKError: The class does not come to serve, or the transform failed; with what the server says.
        Timeout: It was not ready in time.
    """
    import requests

    content = _content(data)
    target = quote(path or f"bucket/{_name(data)}")
    with serve_locally(cls, timeout=timeout, **env) as url:
        params = {QPARAM_ETL_ARGS: etl_args} if etl_args else None
        answer = requests.put(f"{url}/{target}", data=content, params=params, timeout=timeout)
    if not answer.ok:
        raise SDKError(f"the ETL server answered {answer.status_code}: {answer.text.strip()}")
    return answer.content


@contextlib.contextmanager
def serve_locally(cls: type[ETLServer], *, timeout: float = START_SECONDS, **env: Any) -> Iterator[str]:
    """Serve a class in a process of its own, as a cluster would: pickled, unpickled, over HTTP.

    Args:
        cls: The class.
        timeout: Seconds until it must be ready.
        env: Environment of the server: names and values.

    Yields:
        The server's URL: `PUT URL/bucket/object` transforms a body.

    Raises:
        SDKError: The server ended instead of coming to serve; with what it wrote.
        Timeout: It was not ready in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        port_file, log = Path(folder, "port"), Path(folder, "log")
        arguments = ["--host", "127.0.0.1", "--port", "0", "--port-file", str(port_file), "--watch-stdin"]
        command = module_command("aistore.sdk.etl.webserver.runtime", *arguments)
        variables = {ENV_TARGET_URL: _NO_TARGET, "NUM_WORKERS": "1", **{k: str(v) for k, v in env.items()}}
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                env={**os.environ, **variables, PAYLOAD_VARIABLE: serialize_class(cls)},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        try:
            yield _wait_until_ready(process, port_file, log, timeout)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _wait_until_ready(process: subprocess.Popen[bytes], port_file: Path, log: Path, timeout: float) -> str:
    import requests

    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SDKError(f"the ETL server ended with status {process.returncode}: {_tail(log)}")
        if port_file.exists():
            url = f"http://127.0.0.1:{port_file.read_text().strip()}"
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{url}/health", timeout=5).ok:
                    return url
        time.sleep(0.05)
    raise Timeout(f"the ETL server was not ready within {timeout:.0f} s: {_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-20:])


def _construct(cls: type[ETLServer]) -> ETLServer:
    # The class reads its environment when it is constructed, and there is no target here.
    with _environment:
        missing = not os.environ.get(ENV_TARGET_URL)
        if missing:
            os.environ[ENV_TARGET_URL] = _NO_TARGET
        try:
            return cls()
        finally:
            if missing:
                os.environ.pop(ENV_TARGET_URL, None)


def _content(data: bytes | str | os.PathLike[str]) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, os.PathLike):
        return Path(data).read_bytes()
    if _is_url(data):
        import requests

        response = requests.get(str(data), timeout=FETCH_TIMEOUT)
        response.raise_for_status()
        return response.content
    if isinstance(data, str):
        return Path(data).read_bytes()
    raise InvalidArgumentType(f"data must be bytes, a path or a URL, not {type(data).__name__}")


def _name(data: bytes | str | os.PathLike[str]) -> str:
    if _is_url(data):
        data = urlsplit(str(data)).path
    return Path(data).name or "object" if isinstance(data, (str, os.PathLike)) else "object"


def _is_url(data: bytes | str | os.PathLike[str]) -> bool:
    return isinstance(data, str) and data.lower().startswith(("http://", "https://"))
