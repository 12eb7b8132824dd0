"""The runtime entry point: starts what it should, says why not, stops, and leaves nothing."""

import base64
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from etl_classes import CLASSES, FailsInStartup, FailsToStart, FailsToStartFastAPI, FailsToStartFlask
from etl_peers import RUNTIME, processes_of, run_server, run_to_end, runtime_env, wait_until

from aistore.sdk.etl.class_payload import serialize_class

UPPER = CLASSES["threaded", False]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(kind, sig, target, tmp_path):  # init_class point 1
    with run_server(CLASSES[kind, False], target.url, tmp_path) as server:
        pids = processes_of(server)
        server.process.send_signal(sig)
        assert server.process.wait(10) == 0, server.output()
    wait_until(lambda: not any(map(alive, pids)), 5, "processes gone")


@linux
@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_workers(kind, target, tmp_path):
    """Several workers on one port; a dead one is replaced; SIGTERM ends them all."""
    with run_server(CLASSES[kind, False], target.url, tmp_path, NUM_WORKERS="2") as server:
        pids = wait_until(lambda: len(processes_of(server)) == 3 and processes_of(server), what="two workers")
        for _ in range(4):
            assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=10).content == b"ABC"
        # A worker that has come to serve has said so before it can be killed here.
        wait_until(
            lambda: server.output().count("startup complete") == 2 or kind == "flask", what="both ready"
        )
        os.kill(pids[1], signal.SIGKILL)
        wait_until(lambda: len(set(processes_of(server)) - set(pids)) == 1, what="a new worker")
        assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=10).content == b"ABC"
        pids = processes_of(server)
        server.process.terminate()
        assert server.process.wait(15) == 0, server.output()
    wait_until(lambda: not any(map(alive, pids)), 5, "processes gone")


@linux
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ends_with_its_parent(kind, workers, target, tmp_path):
    """Also when the parent had no chance to stop it."""
    port_file = tmp_path / "port"
    command = [sys.executable, *RUNTIME]
    script = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({[*command, '--port-file', str(port_file)]!r}, stdin=subprocess.DEVNULL)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    env = runtime_env(target.url, serialize_class(CLASSES[kind, False]), NUM_WORKERS=workers)
    with (tmp_path / "log").open("w") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, stderr=log, text=True
        )
        pid = int(parent.stdout.readline())
        try:
            wait_until(port_file.exists, what="port file")
            children = Path(f"/proc/{pid}/task/{pid}/children")
            url = f"http://127.0.0.1:{port_file.read_text().strip()}"
            assert requests.get(f"{url}/health", timeout=20).text == "Running"
            if kind != "threaded" and (workers == "2" or kind == "flask"):
                assert children.read_text().split()
            pids = [pid, *map(int, children.read_text().split())]
        finally:
            parent.kill()
            parent.wait()
            parent.stdout.close()
        wait_until(lambda: not any(map(alive, pids)), 20, "processes gone")


def test_stops_when_standard_input_ends(target, tmp_path):
    command = [sys.executable, *RUNTIME]
    env = runtime_env(target.url, serialize_class(UPPER))
    port_file = tmp_path / "port"
    process = subprocess.Popen(
        [*command, "--watch-stdin", "--port-file", str(port_file)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(port_file.exists, what="port file")
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("payload", "status", "says"),
    [
        ("", 1, "ETL_CLASS_PAYLOAD is not set"),
        ("not base64!", 1, "is not base64"),
        (base64.b64encode(b"garbage").decode(), 1, "the ETL class cannot be loaded"),
        (base64.b64encode(pickle.dumps(int)).decode(), 1, "int is not a subclass of ETLServer"),
        (base64.b64encode(b"cno_such_module\nX\n.").decode(), 1, "needs the module 'no_such_module'"),
    ],
)
def test_payloads_that_cannot_be_served(payload, status, says, tmp_path):
    code, output = run_to_end(payload, tmp_path)
    assert code == status
    assert says in output.splitlines()[-1]


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"AIS_TARGET_URL": ""}, "AIS_TARGET_URL is not set"),
        ({"AIS_TARGET_URL": "host:8080"}, "AIS_TARGET_URL='host:8080' is not a URL"),
        ({"AIS_DIRECT_PUT_RETRIES": "-1"}, "AIS_DIRECT_PUT_RETRIES='-1' is not a number of at least 0"),
        ({"NUM_WORKERS": "many"}, "NUM_WORKERS='many' is not a number of at least 1"),
        ({"AIS_ETL_LOG_LEVEL": "loud"}, "AIS_ETL_LOG_LEVEL='LOUD' is none of"),
        ({"OS_PACKAGES": "a;rm -rf"}, "is not the name of a Debian package"),
    ],
)
def test_environment_that_cannot_be_used(env, says, tmp_path):
    target_url = env.pop("AIS_TARGET_URL", "http://127.0.0.1:1")
    code, output = run_to_end(serialize_class(UPPER), tmp_path, target_url=target_url, **env)
    assert (code, says in output.splitlines()[-1]) == (2, True), output


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("cls", [FailsToStart, FailsToStartFlask, FailsToStartFastAPI])
def test_a_class_that_cannot_be_constructed(cls, workers, tmp_path):
    code, output = run_to_end(serialize_class(cls), tmp_path, NUM_WORKERS=workers)
    reason = f"{cls.__name__}() failed: RuntimeError: no model file"
    assert (code, reason in output.splitlines()[-1]) == (1, True), output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_class_that_cannot_be_started(workers, tmp_path):
    code, output = run_to_end(serialize_class(FailsInStartup), tmp_path, NUM_WORKERS=workers)
    assert (code, "no GPU here" in output) == (1, True)


def test_a_port_in_use(target, tmp_path):
    with run_server(UPPER, target.url, tmp_path / "one") as server:
        code, output = run_to_end(serialize_class(UPPER), tmp_path, "--port", server.netloc.split(":")[1])
    assert (code, "cannot listen on 127.0.0.1" in output.splitlines()[-1]) == (1, True)


def test_packages_are_installed_before_the_class_is_loaded(tmp_path):
    """An installer's failure is the reason that is given, whatever the class."""
    missing = str(tmp_path / "no-such-package-1.0.tar.gz")
    code, output = run_to_end("", tmp_path, PACKAGES=missing)
    assert (code, "PACKAGES cannot be installed" in output.splitlines()[-1]) == (2, True)
    code, output = run_to_end("", tmp_path, "--skip-packages", PACKAGES=missing)
    assert (code, "ETL_CLASS_PAYLOAD is not set" in output.splitlines()[-1]) == (1, True)


def test_installed_packages_are_there_for_the_class(target, tmp_path):
    """The process starts anew after an installation: `pip` here is an installed wheel's no-op."""
    with run_server(UPPER, target.url, tmp_path, PACKAGES="pip") as server:
        assert requests.put(f"{server.url}/b/o", data=b"abc", timeout=10).content == b"ABC"


def test_requests_in_flight_end_before_a_stop(kind, target, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with run_server(CLASSES[kind, False], target.url, tmp_path) as server, ThreadPoolExecutor(1) as pool:
        args = {"etl_args": "slow"}
        pending = pool.submit(requests.put, f"{server.url}/b/o", data=b"abc", params=args, timeout=20)
        time.sleep(0.5)  # the request is on its way: there is nothing to poll for
        server.process.terminate()
        assert pending.result().content == b"ABC"
        assert server.process.wait(15) == 0
