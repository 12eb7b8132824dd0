"""`LocalCluster`: start, stop, what goes wrong, and that nothing is left."""

from __future__ import annotations

import http.client
import inspect
import os
import pickle
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from wire import Wire

from aistore.local import LocalCluster, LocalClusterError


def _wait(condition, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_data_survives_a_restart(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("kept")
        wire.ok("PUT", "/v1/objects/kept/a/b", b"bytes", {"Ais-Custom-Md": "k=v"})
        ids = wire.ok("GET", "/v1/daemon?what=smap").body
    with LocalCluster(dir=tmp_path, targets=3) as cluster:
        wire = Wire(cluster.endpoint)
        answer = wire.ok("GET", "/v1/objects/kept/a/b")
        assert (answer.body, answer.headers["ais-custom-md"]) == (b"bytes", "k=v")
        assert wire.ok("GET", "/v1/daemon?what=snode").body[:0] == ids[:0]
        assert Wire(cluster.endpoint).ok("GET", "/v1/health").status == 200


def test_every_option_has_its_argument(tmp_path: Path) -> None:
    options = {
        "quota": 10**6,
        "fsync": True,
        "max_connections": 50,
        "etl_memory": 1 << 30,
        "etl_direct_put": True,
    }
    log, files = tmp_path / "-access.jsonl", tmp_path / "files"
    with LocalCluster(access_log=log, promote_dir=files, auth=True, auth_port=0, **options) as cluster:
        told = Path(f"/proc/{cluster.pid}/cmdline").read_bytes().decode().split("\0")
        client = cluster.client()
        assert client.bucket("b").create().head()
    assert {
        "--quota=1000000",
        "--fsync",
        "--max-connections=50",
        "--etl-memory=1073741824",
        "--etl-direct-put",
    } <= set(told)
    assert f"--promote-dir={files}" in told
    assert '"path":"/v1/buckets/b"' in log.read_text()
    # Each that the command line has, but the file of options and what goes through the environment.
    own = {
        "tls-self-signed": "tls",
        "no-auth": "auth",
        "s3-access-key": "s3_keys",
        "s3-secret-key": "s3_keys",
    }
    known = {own.get(name, name.replace("-", "_")) for name in _long_options()}
    assert known == set(inspect.signature(LocalCluster).parameters) - {"admin", "start_timeout"}


def _long_options() -> set[str]:
    usage = subprocess.run(
        [sys.executable, "-m", "aistore.local", "--help"], capture_output=True, text=True, check=True
    ).stdout
    return set(re.findall(r"^ +(?:-h, )?--([a-z0-9-]+)", usage, re.MULTILINE)) - {"help", "version", "config"}


def test_standard_output_is_no_access_log_of_a_child() -> None:
    with pytest.raises(ValueError, match="access_log: expecting a file"):
        LocalCluster(access_log="-")


def test_temporary_folder_is_removed() -> None:
    with LocalCluster() as cluster:
        folder = cluster.dir
        assert folder is not None
        assert folder.is_dir()
        pid = cluster.pid
    assert not folder.exists()
    assert pid is not None
    assert not _alive(pid)
    with pytest.raises(LocalClusterError, match="not running"):
        _ = cluster.endpoint


def test_start_and_stop_twice_and_again() -> None:
    cluster = LocalCluster()
    assert cluster.start() is cluster.start()
    cluster.stop()
    cluster.stop()
    with cluster:
        assert Wire(cluster.endpoint).ok("GET", "/v1/health").status == 200


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalClusterError, match=f"can't listen on 127.0.0.1 port {port}") as caught:
            LocalCluster(port=port).start()
    assert isinstance(caught.value, OSError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_folder_in_use(tmp_path: Path) -> None:
    with (
        LocalCluster(dir=tmp_path),
        pytest.raises(LocalClusterError, match="in use by another local cluster"),
    ):
        LocalCluster(dir=tmp_path).start()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(LocalClusterError, match="can't be used"):
        LocalCluster(dir=file).start()


def test_folder_of_a_newer_version(tmp_path: Path) -> None:
    import sqlite3

    conn = sqlite3.connect(tmp_path / "catalog.sqlite")
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    with pytest.raises(LocalClusterError, match="newer version"):
        LocalCluster(dir=tmp_path).start()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(LocalClusterError, match="targets"):
        LocalCluster(targets=0).start()
    with pytest.raises(LocalClusterError, match="port"):
        LocalCluster(port=70000).start()


def test_not_ready_in_time() -> None:
    with pytest.raises(LocalClusterError, match=r"not ready within 0\.001 s"):
        LocalCluster(start_timeout=0.001).start()


def test_full_quota_is_507_and_leaves_nothing(tmp_path: Path) -> None:
    with LocalCluster(quota=1_000_000, dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("small")
        wire.ok("PUT", "/v1/objects/small/a", b"x" * 600_000)
        answer = wire("PUT", "/v1/objects/small/b", b"x" * 600_000)
        assert answer.status == 507
        assert answer.error["tcode"] == "ErrCapExceeded"
        assert wire("GET", "/v1/objects/small/b").status == 404
        assert len([path for path in tmp_path.glob("t*/*/*/*") if path.is_file()]) == 1
        wire.ok("PUT", "/v1/objects/small/c", b"x" * 300_000)
        wire.ok("DELETE", "/v1/objects/small/a")
        _wait(lambda: wire("PUT", "/v1/objects/small/b", b"x" * 600_000).status == 200)


_PARENT = """
import sys, time
from aistore.local import LocalCluster
cluster = LocalCluster().start()
print(cluster.pid, cluster.dir, flush=True)
{then}
"""


def _run_parent(then: str) -> tuple[subprocess.Popen[str], int, Path]:
    code = _PARENT.format(then=then)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, folder = parent.stdout.readline().split()
    return parent, int(pid), Path(folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_ends_with_its_parent(number: signal.Signals) -> None:
    parent, pid, folder = _run_parent("time.sleep(60)")
    with parent:
        parent.send_signal(number)
        parent.wait(20)
    _wait(lambda: not _alive(pid) and not folder.exists())


def test_child_ends_with_a_parent_that_forgets_it() -> None:
    parent, pid, folder = _run_parent("sys.exit(0)")
    with parent:
        assert parent.wait(20) == 0
    _wait(lambda: not _alive(pid) and not folder.exists())


def test_a_forked_copy_neither_stops_nor_keeps_the_cluster() -> None:
    fork = "import os\nif os.fork() == 0: time.sleep(1); sys.exit(0)\nos.wait()\n"
    then = f"{fork}print('up', flush=True); time.sleep(60)"
    parent, pid, _ = _run_parent(then)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        assert _alive(pid)
        parent.kill()
    _wait(lambda: not _alive(pid))


def test_started_in_a_thread_it_outlives_the_thread() -> None:
    cluster = LocalCluster()
    thread = threading.Thread(target=cluster.start)
    thread.start()
    thread.join()
    try:
        assert Wire(cluster.endpoint).ok("GET", "/v1/health").status == 200
    finally:
        cluster.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line_prints_the_endpoint_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "aistore.local", "--port", "0", "--targets", "2", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip()
        wire = Wire(endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/o", b"x")
        server.send_signal(number)
        assert server.wait(20) == 0
        assert server.stderr is not None
        assert "ready" in server.stderr.read()
    assert not (tmp_path / "catalog.sqlite-wal").exists()


def test_command_line_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "aistore.local", "--port", "0", "--dir", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "can't be used" in done.stderr
    assert "Traceback" not in done.stderr


TLS = Path(__file__).resolve().parents[2] / "data" / "tls"


def _https(url: str, method: str, body: bytes | None, context: ssl.SSLContext) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    conn = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=10, context=context)
    conn.request(method, url.partition(parts.netloc)[2], body)
    response = conn.getresponse()
    response.data = response.read()  # type: ignore[attr-defined]
    conn.close()
    return response


def test_tls_with_client_certificates() -> None:
    with LocalCluster(
        tls_cert=TLS / "server.pem", tls_key=TLS / "server.key", tls_client_ca=TLS / "ca.pem"
    ) as cluster:
        assert cluster.endpoint.startswith("https://")
        context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
        context.check_hostname = False
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _https(f"{cluster.endpoint}/v1/health", "GET", None, context)
        context.load_cert_chain(TLS / "client.pem", TLS / "client.key")
        create = b'{"action":"create-bck"}'
        assert _https(f"{cluster.endpoint}/v1/buckets/b", "POST", create, context).status == 200
        moved = _https(f"{cluster.endpoint}/v1/objects/b/o", "PUT", b"", context)
        assert moved.headers["Location"].startswith("https://")
        assert _https(moved.headers["Location"], "PUT", b"x" * 3_000_000, context).status == 200
        found = _https(f"{cluster.endpoint}/v1/objects/b/o", "GET", None, context).headers["Location"]
        assert _https(found, "GET", None, context).data == b"x" * 3_000_000  # type: ignore[attr-defined]


def test_tls_files_that_do_not_fit() -> None:
    with pytest.raises(LocalClusterError, match="can't be used"):
        LocalCluster(tls_cert=TLS / "server.pem", tls_key=TLS / "client.key").start()
    with pytest.raises(LocalClusterError, match="needs --tls-cert"):
        LocalCluster(tls_key=TLS / "client.key").start()
