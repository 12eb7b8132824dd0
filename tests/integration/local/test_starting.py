"""Starting the server where the machine does not let it, at which addresses it is found, and signals."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from etl_classes import UpperThreaded
from wire import Wire

from aistore.local import LocalCluster, LocalClusterError
from aistore.sdk.etl import ETLConfig

SECONDS = 30.0
TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
COMMAND = [sys.executable, "-m", "aistore.local", "--port", "0"]


def failure(*options: str, limit: Callable[[], None] | None = None) -> str:
    """Return what a server that can't start writes."""
    done = subprocess.run(
        [*COMMAND, *options], preexec_fn=limit, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 1
    return done.stderr


def assert_one_sentence(text: str, *parts: str) -> None:
    assert len(text.splitlines()) == 1, text
    assert text.startswith("aistore.local: ")
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("limit", "value", "part"),
    [
        (resource.RLIMIT_FSIZE, 65536, "files may have only 65536 bytes"),
        (resource.RLIMIT_NOFILE, 20, "only 20 files may be open"),
    ],
)
def test_a_limit_of_the_process(tmp_path: Path, limit: int, value: int, part: str) -> None:
    text = failure("--dir", str(tmp_path), limit=lambda: resource.setrlimit(limit, (value, value)))
    assert_one_sentence(text, part)


@pytest.mark.parametrize("name", ["catalog.sqlite", "journal", "t0"])
@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"no database, no folder")])
def test_something_else_in_the_place_of_a_file(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)
    done = subprocess.Popen(
        [*COMMAND, "--dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    if done.stdout.readline():  # a folder `t0` and an empty lock are what the server makes
        done.terminate()
        assert done.communicate(timeout=SECONDS)
        return
    assert_one_sentence(done.communicate(timeout=SECONDS)[1], "can't be ")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--host", "nosuch.invalid"), "can't listen on nosuch.invalid"),
        (("--host", "x" * 70), "can't listen on xxx"),
        (("--host", "192.0.2.1"), "can't listen on 192.0.2.1"),
        (("--dir", "/dev/null"), "there is a file of that name"),
        (("--tls-cert", "/nosuch.pem"), "TLS certificate can't be used: '/nosuch.pem': No such file"),
        (("--tls-cert", str(TLS / "server.key")), "server.key"),
        (
            ("--tls-self-signed", "--tls-client-ca", "/nosuch.pem"),
            "TLS client authority can't be used: '/nosuch.pem'",
        ),
    ],
)
def test_bad_options_are_one_sentence(options: tuple[str, ...], part: str) -> None:
    assert_one_sentence(failure(*options), part)


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    key = tmp_path / "encrypted.key"
    command = ["openssl", "ec", "-aes256", "-passout", "pass:word", "-in", str(TLS / "server.key")]
    made = subprocess.run([*command, "-out", str(key)], capture_output=True, timeout=SECONDS)
    if made.returncode:
        command[1] = "rsa"
        subprocess.run([*command, "-out", str(key)], capture_output=True, timeout=SECONDS, check=True)
    text = failure("--tls-cert", str(TLS / "server.pem"), "--tls-key", str(key))
    assert_one_sentence(text, "the TLS key is encrypted")


def test_no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/full']")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(LocalClusterError, match=r"no temporary file can be made .* No usable temporary"):
        LocalCluster().start()


def test_the_reason_reaches_the_program_that_starts_it(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").mkdir()
    with pytest.raises(
        LocalClusterError, match=r"can't be used: .*catalog.sqlite': Is a directory"
    ) as caught:
        LocalCluster(dir=tmp_path).start()
    assert "\n" not in str(caught.value)
    with pytest.raises(LocalClusterError, match=r"^argument --targets: '0': expecting 1 to 64 targets$"):
        LocalCluster(targets=0).start()
    for empty in ({"host": ""}, {"dir": ""}):
        with pytest.raises(LocalClusterError, match="not an empty text"):
            LocalCluster(**empty).start()


def test_a_relative_folder_stays_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    cluster = LocalCluster(dir="data")
    assert cluster.dir == tmp_path / "data"
    with cluster:
        Wire(cluster.endpoint).create("kept")
    monkeypatch.chdir("elsewhere")
    with cluster:
        assert Wire(cluster.endpoint).ok("HEAD", "/v1/buckets/kept")


def test_a_colon_in_the_folders_name(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path / "a:b") as cluster:
        client = cluster.client()
        obj = client.bucket("b").create().object("o")
        obj.get_writer().put_content(b"text")
        client.etl("shouting").init_class()(UpperThreaded)
        assert obj.get_reader(etl=ETLConfig("shouting")).read_all() == b"TEXT"


# ---- addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_addresses_are_those_by_which_a_client_came(host: str) -> None:
    """On every address of the machine a name that the server made up would lead nowhere."""
    with LocalCluster(host=host, targets=2) as cluster:
        assert urlsplit(cluster.endpoint).hostname == "127.0.0.1"
        wire = Wire(cluster.endpoint)
        wire.create("b")
        port = urlsplit(cluster.endpoint).port
        for name in ("127.0.0.1", "localhost", "some.machine", "[2001:db8::1]"):
            own = {"Host": f"{name}:{port}"}
            bare = name.strip("[]")
            moved = wire("PUT", "/v1/objects/b/o", b"x", own, follow=False)
            assert urlsplit(moved.headers["location"]).hostname == bare
            batch = wire("GET", "/v1/ml/moss/b", {"in": [{"objname": "o"}]}, own, follow=False)
            assert urlsplit(batch.headers["location"]).hostname == bare
            smap = json.loads(wire.ok("GET", "/v1/daemon?what=smap", None, own).body)
            nodes = [smap["proxy_si"], *smap["tmap"].values()]
            assert {node["public_net"]["node_ip_addr"] for node in nodes} == {bare}
            assert {urlsplit(node["public_net"]["direct_url"]).hostname for node in nodes} == {bare}
        assert cluster.client().bucket("b").object("o").get_writer().put_content(b"y").status_code == 200


def test_a_host_that_is_no_name_is_not_repeated() -> None:
    with LocalCluster(host="0.0.0.0") as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        moved = wire("PUT", "/v1/objects/b/o", b"x", {"Host": "user@else.where/path"}, follow=False)
        assert "else.where" not in moved.headers.get("location", "")


def test_ipv4_loopback_is_this_machine_on_a_socket_for_both_families() -> None:
    with LocalCluster(host="::") as cluster:
        port = urlsplit(cluster.endpoint).port
        for address in ("127.0.0.1", "[::1]"):
            answer = Wire(f"http://{address}:{port}")("PUT", "/v1/etl", {})
            assert answer.status == 400, answer  # not 403: ETLs may be started from this machine


# ---- signals


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_temporary_folder_goes_with_any_signal(number: signal.Signals, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        assert list(tmp_path.iterdir())
        server.send_signal(number)
        assert server.wait(SECONDS) == 0
    assert not list(tmp_path.iterdir())


def test_a_signal_before_the_server_runs(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from aistore.local import __main__, server

def interrupted(*_):
    os.kill(os.getpid(), signal.SIGHUP)

server.State = interrupted
sys.exit(__main__.main(["--port", "0"]))
"""
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_a_hangup_that_is_ignored_stays_so() -> None:
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731 - as `nohup` does
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=ignore
    ) as server:
        assert server.stdout is not None
        wire = Wire(server.stdout.readline().decode().strip())
        server.send_signal(signal.SIGHUP)
        assert wire.ok("GET", "/v1/health")
        server.terminate()
        assert server.wait(SECONDS) == 0


def test_closed_standard_output_keeps_no_server_from_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = f'exec "$0" -m aistore.local --port {port} --dir "$1" >&-'
    with subprocess.Popen(
        ["/bin/sh", "-c", command, sys.executable, str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        assert "is ready" in server.stderr.readline()
        server.terminate()
        assert server.wait(SECONDS) == 0


ORPHANS = """
import ctypes, os, subprocess, sys, time
from aistore.local import init_process

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become children of this process

def main():
    os.kill(os.getppid(), 0)
    # The shell ends at once; its child, an orphan then, soon after.
    subprocess.run(["/bin/sh", "-c", "exec 3>&-; (exec true) & echo $!"], stdout=sys.stdout, check=True)
    sys.stdin.readline()
    return 7

code = init_process.run(main)
print("ended", flush=True)
sys.exit(code)
"""


def test_the_first_process_of_a_container_waits_for_orphans() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        orphan = Path(f"/proc/{first.stdout.readline().strip()}")
        while orphan.exists():  # a process that nobody waits for would stay there
            assert first.poll() is None
        first.stdin.write("\n")
        first.stdin.close()
        assert first.stdout.readline() == "ended\n"
        assert first.wait(SECONDS) == 7


def test_the_first_process_passes_signals_on(tmp_path: Path) -> None:
    code = """
import sys
from aistore.local import __main__
__main__.os.getpid = lambda: 1
sys.exit(__main__.main(["--port", "0"]))
"""
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    ) as first:
        assert first.stdout is not None
        assert Wire(first.stdout.readline().decode().strip()).ok("GET", "/v1/health")
        first.terminate()
        assert first.wait(SECONDS) == 0
    assert not list(tmp_path.iterdir())
