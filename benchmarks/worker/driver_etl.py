"""An ETL server under eight kept-alive connections; the CPU that counts is the server's."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from operation import Operation, ThreadedOperation, peak_memory, tree_cpu
from payload import content
from wire import Wires, encode

START_SECONDS = 30


def prepare(op):
    port = _free_port()
    scratch = tempfile.TemporaryDirectory()
    environ = {**os.environ, "AIS_TARGET_URL": op.get("target_url", op["endpoint"])}
    environ |= {"AIS_ETL_ALLOWED_HOSTS": "127.0.0.1", "AIS_ETL_FQN_ROOTS": scratch.name}
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("etl_app.py")), op["kind"], str(port)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def close():
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        scratch.cleanup()

    try:
        _wait_until_ready(server, port)
        once, check = _work(op, f"127.0.0.1:{port}", Path(scratch.name))
    except BaseException:
        close()
        raise
    operation = Operation(
        once, check=check, close=close, cpu=lambda: tree_cpu(server.pid), peak=lambda: peak_memory(server.pid)
    )
    loaded = ThreadedOperation(operation, op["threads"])
    if "count" not in op:
        return loaded
    # As often as a row has objects is one piece of work.
    return Operation(
        lambda: loaded.run(op["count"]),
        check=check,
        close=close,
        cpu=operation.cpu,
        peak=operation.peak,
    )


def _work(op, netloc, scratch):
    wires, data = Wires(), content(op["size"])
    method, target, body, fields, expected = "PUT", "/bucket/object", data, "", data
    match op["name"]:
        case "hpush_fqn":
            path = scratch / "object"
            path.write_bytes(data)
            fqn = urllib.parse.quote(urllib.parse.quote(str(path), safe=""), safe="")
            target, body = f"{target}?etl_fqn={fqn}", b""
        case "hpull":
            method, target, body = "GET", f"/{op['object']}", None
        case "direct_put":
            fields, expected = f"Ais-Node-Url: {op['sink']}\r\n", b""
    request = encode(method, netloc, target, body, fields)
    expected_length = len(expected)

    def once():
        status, _, length = wires[netloc].exchange(request, body)
        if status >= 300 or length < expected_length:
            raise ConnectionError(f"status {status}, {length} bytes")

    def check():
        wire = wires[netloc]
        status, _, length = wire.exchange(request, body)
        if op["name"] == "direct_put":
            # Whether the bytes have arrived is looked at afterwards, where they should be.
            if status != 204:
                raise ValueError(f"status {status} after a direct put")
        elif status != 200 or (length == len(expected) <= len(wire.body) and wire.body != expected):
            raise ValueError(f"status {status}, or other bytes than sent")
        return {}

    return once, check


def _free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _wait_until_ready(server, port):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with status {server.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                if b" 200 " in sock.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server did not start")
