"""Classes of ours in a runtime with the 2.0.0 package, and classes of that package in ours."""

import contextlib
import socket
import subprocess

import pytest
import requests
from etl_classes import CLASSES
from etl_peers import run_server, runtime_env, wait_until

from aistore.sdk.etl.webserver.utils import serialize_class

pytestmark = pytest.mark.peer

MODULES = {
    "fastapi": ("fastapi_server", "FastAPIServer"),
    "flask": ("flask_server", "FlaskServer"),
    "threaded": ("http_multi_threaded_server", "HTTPMultiThreadedServer"),
}

SERIALIZE = """
from aistore.sdk.etl.webserver.{0} import {1}
from aistore.sdk.etl.webserver import serialize_class
class Upper({1}):
    def transform(self, data, path, etl_args):
        if etl_args == "fail":
            raise ValueError("asked to fail")
        return data.upper()
    def get_mime_type(self):
        return "text/x-upper"
class Stream({1}):
    def transform_stream(self, reader, path, etl_args):
        while chunk := reader.read(65536):
            yield chunk.upper()
print(serialize_class({2}))
"""

# What the runtime image's entry point does, on a given port and without its packages.
RUN = """
import base64, cloudpickle, os, sys
cls = cloudpickle.loads(base64.b64decode(os.environ["ETL_CLASS_PAYLOAD"]))
cls(host="127.0.0.1", port=int(sys.argv[1])).start()
"""


def peer_payload(peer_python, kind, streaming, folder):
    script = SERIALIZE.format(*MODULES[kind], "Stream" if streaming else "Upper")
    done = subprocess.run(
        [peer_python, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextlib.contextmanager
def peer_server(peer_python, cls, target, folder):
    """Serve a class of ours with the 2.0.0 package; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [peer_python, "-c", RUN, str(port)],
            cwd=folder,
            env=runtime_env(target.url, serialize_class(cls)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    url = f"http://127.0.0.1:{port}"

    def ready():
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{url}/health", timeout=2).ok

    try:
        wait_until(ready, what="the peer's server")
        yield url
    finally:
        process.kill()
        process.wait()


def check(url, target, *, streaming):
    """Put, get from the target, deliver, fail."""
    target.seen.clear()
    target.objects["ais/@#/bck/o"] = b"abc"
    assert requests.put(f"{url}/b/o", data=b"abc", timeout=10).content == b"ABC"
    assert requests.get(f"{url}/ais%2F@%23%2Fbck%2Fo", timeout=10).content == b"ABC"
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst?uuid=j"}
    reply = requests.put(f"{url}/b/o", data=b"abc", headers=headers, timeout=10)
    assert (reply.status_code, reply.headers["Ais-Direct-Put-Length"]) == (204, "3")
    assert (target.seen[-1].body, target.seen[-1].query) == (b"ABC", "uuid=j")
    if not streaming:
        reply = requests.put(f"{url}/b/o", data=b"abc", params={"etl_args": "fail"}, timeout=10)
        assert reply.status_code == 500


def test_a_class_of_the_2_0_0_package_runs_in_our_runtime(peer_python, kind, streaming, target, tmp_path):
    payload = peer_payload(peer_python, kind, streaming, tmp_path)
    with run_server(None, target.url, tmp_path / "run", payload=payload) as server:
        check(server.url, target, streaming=streaming)


def test_a_class_of_ours_runs_with_the_2_0_0_package(peer_python, kind, streaming, target, tmp_path):
    with peer_server(peer_python, CLASSES[kind, streaming], target, tmp_path) as url:
        check(url, target, streaming=streaming)


def test_pipelines_of_both(peer_python, kind, target, tmp_path, start):
    """A stage of theirs after one of ours, and before one."""
    ours = start(kind)
    with peer_server(peer_python, CLASSES["fastapi", False], target, tmp_path) as theirs:
        for first, second in ((ours.url, theirs), (theirs, ours.url)):
            for body in (b"abc", b"abc" * 100_000):
                back = requests.put(f"{first}/b/o", data=body, headers={"Ais-Node-Url": second}, timeout=20)
                assert (back.status_code, back.content) == (200, body.upper())
                destination = {"Ais-Node-Url": f"{second},http://{target.netloc}/dst"}
                reply = requests.put(f"{first}/b/o", data=body, headers=destination, timeout=20)
                assert (reply.status_code, reply.headers["Ais-Direct-Put-Length"]) == (204, str(len(body)))
                assert target.seen[-1].body == body.upper()
