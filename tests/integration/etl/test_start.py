"""Servers that a program starts itself with `start()`, as images of one's own do."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from etl_classes import CLASSES
from etl_peers import runtime_env, wait_until

SUPPORT = Path(__file__).resolve().parents[2] / "support"


@contextlib.contextmanager
def started(cls, target, folder):
    """Run `Class(host, port).start()` in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = (
        f"import sys; sys.path.append({str(SUPPORT)!r})\n"
        f"from etl_classes import {cls.__name__} as Class\n"
        f"Class('127.0.0.1', {port}).start()\n"
    )
    command = [sys.executable, "-c", script]
    env = runtime_env(target.url, "")
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready():
        assert process.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{url}/health", timeout=2).ok

    try:
        wait_until(ready, what="server ready")
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_transforms_and_stops(kind, streaming, target, tmp_path):
    with started(CLASSES[kind, streaming], target, tmp_path) as (process, url):
        assert requests.put(f"{url}/b/o", data=b"abc", timeout=10).content == b"ABC"
        assert requests.put(f"{url}/b/o", data=iter([b"a", b"bc"]), timeout=10).content == b"ABC"
        reply = requests.put(f"{url}/b/o", data=b"x", params={"etl_args": "fail"}, timeout=10)
        assert (reply.status_code, "asked to fail" in reply.text) == (500, True)
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def put(connection, path, body):
    connection.request("PUT", path, body=body)
    return connection.getresponse().read()


def test_a_stream_that_fails_midway_is_cut(kind, target, tmp_path):  # defect 1
    with started(CLASSES[kind, True], target, tmp_path) as (_, url):
        for _ in range(2):
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
            # http.client sends head and body one after the other: the reset may come before the body is sent.
            with contextlib.closing(connection), pytest.raises((http.client.IncompleteRead, ConnectionError)):
                put(connection, "/b/o?etl_args=late-fail", b"abc")
        assert requests.put(f"{url}/b/o", data=b"abc", timeout=10).content == b"ABC"
