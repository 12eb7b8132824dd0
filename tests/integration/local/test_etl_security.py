"""ETLs of a local cluster: the requests that their processes accept, and what they reach with `--auth`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from wire import Wire
from wire_jobs import COMMAND

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.errors import AISError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

OBJECTS = {"a": b"text of a", "b": b"text of b", "c": b"x" * 3_000_000}


class Fast(FastAPIServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class Flask(FlaskServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class Threaded(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class Stream(FastAPIServer):
    def transform_stream(self, reader, path, etl_args):
        while chunk := reader.read(65536):
            yield chunk.upper()


class Prying(HTTPMultiThreadedServer):
    """Asks its target for what the arguments say: METHOD UNAME; gives the status and the content."""

    def transform(self, data, path, etl_args):
        import requests as own

        method, _, uname = etl_args.partition(" ")
        answer = own.request(method, f"{self.host_target}/{uname}", data=b"planted", timeout=20)
        return f"{answer.status_code} ".encode() + answer.content


class Failing(FastAPIServer):
    def transform(self, data, path, etl_args):
        raise ValueError(f"failed with {self.host_target} and {self.settings.secret}")


class Tells(FastAPIServer):
    """Gives the user that it runs as, and its environment."""

    def transform(self, data, path, etl_args):
        import json
        import os

        return json.dumps([os.getuid(), dict(os.environ)]).encode()


SERVERS = {"fastapi": Fast, "flask": Flask, "threaded": Threaded, "stream": Stream}


def fill(client: Client, name: str = "src") -> None:
    bucket = client.bucket(name).create()
    for key, data in OBJECTS.items():
        bucket.object(key).get_writer().put_content(data)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(targets=2) as cluster:
        fill(cluster.client())
        yield cluster


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalCluster]:
    with LocalCluster(targets=2, auth=True, etl_direct_put=True) as cluster:
        for bucket in ("src", "secret"):
            fill(cluster.client(), bucket)
        yield cluster


def process_url(cluster: LocalCluster, etl: str) -> str:
    """The URL of a process, with the secret that a client of hpull is sent there with."""
    answer = Wire(cluster.endpoint)("GET", f"/v1/objects/src/a?etl_name={etl}", follow=False)
    location = answer.headers["location"]
    while "etl_secret" not in location:
        answer = requests.get(location, timeout=20, allow_redirects=False)
        location = answer.headers["location"]
    return location


@pytest.mark.parametrize("kind", SERVERS)
def test_a_process_answers_its_target_and_those_that_it_sends(cluster: LocalCluster, kind: str) -> None:
    client = cluster.client()
    etl = client.etl(f"pulled-{kind}")
    etl.init_class(comm_type="hpull", NUM_WORKERS=1)(SERVERS[kind])
    try:
        assert client.bucket("src").object("a").get_reader(etl=ETLConfig(etl.name)).read_all() == b"TEXT OF A"
        location = process_url(cluster, etl.name)
        assert requests.get(location, timeout=20).content == b"TEXT OF A"
        secret = location.partition("etl_secret=")[2].partition("&")[0]
        bare = location.replace(f"etl_secret={secret}", "x=y")
        base = f"http://{urlsplit(location).netloc}"
        with Thief() as thief:
            hop = {"Ais-Node-Url": thief.url}
            for url in (bare, f"{base}/{quote('ais/@#/src/a', safe='')}", bare.replace("/a", "/b"), base):
                for headers in ({}, hop, {**hop, "Host": "evil.example"}, {**hop, "Ais-Etl-Secret": "x"}):
                    for method in ("GET", "PUT"):
                        answer = requests.request(method, url, headers=headers, data=b"d", timeout=20)
                        assert answer.status_code == 403, (method, url, headers)
            # A page in a browser has another name as Host, even if it knew the secret.
            headers = {"Ais-Etl-Secret": secret, "Host": "evil.example"}
            assert requests.get(location, headers=headers, timeout=20).status_code == 403
            assert not thief.seen
        assert requests.get(f"{base}/health", timeout=20).status_code == 200
        untold(cluster, etl.name, secret)
    finally:
        etl.delete()


def untold(cluster: LocalCluster, name: str, secret: str) -> None:
    """The secret is in nothing that is shown."""
    wire = Wire(cluster.endpoint)
    for target in ("", f"/{name}", f"/{name}/logs", f"/{name}/health", f"/{name}/metrics"):
        assert secret.encode() not in wire.ok("GET", f"/v1/etl{target}").body
    assert secret.encode() not in wire.ok("GET", "/v1/daemon?what=log").body
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                assert secret.encode() not in (entry / "cmdline").read_bytes()
            except OSError:
                continue


class Thief:
    """A server that a process would send results to, with the path that has its secret to write."""

    def __enter__(self) -> Thief:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                seen.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/stolen"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("comm", ["hpush", "hpull", "ws"])
def test_errors_do_not_tell_secrets(cluster: LocalCluster, comm: str) -> None:
    client = cluster.client()
    etl = client.etl("failing-etl")
    etl.init_class(comm_type=comm, NUM_WORKERS=1)(Failing)
    try:
        with pytest.raises(AISError, match="failed with http://") as caught:
            client.bucket("src").object("a").get_reader(etl=ETLConfig(etl.name)).read_all()
        assert "/_object/failing-etl/*** and ***" in str(caught.value)
        assert "etl_secret" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    finally:
        etl.delete()


# ---- with AuthN

WAYS = [(kind, comm) for kind in SERVERS for comm in ("hpush", "hpull")]
WAYS.append(("fastapi", "ws"))


@pytest.mark.parametrize(("kind", "comm"), WAYS)
def test_transforms_work_with_tokens(guarded: LocalCluster, kind: str, comm: str) -> None:
    """Inline, to another object, of a bucket: what a caller may read, its ETL may read."""
    client = guarded.client()
    etl = client.etl(f"tokens-{kind}")
    etl.init_class(comm_type=comm, NUM_WORKERS=1)(SERVERS[kind])
    try:
        bucket, to = client.bucket("src"), client.bucket("dst").create(exist_ok=True)
        for name, data in OBJECTS.items():
            got = bucket.object(name).get_reader(etl=ETLConfig(etl.name)).read_all()
            assert got == data.upper()
        bucket.object("a").copy(to.object("copied"), etl=ETLConfig(etl.name))
        assert to.object("copied").get_reader().read_all() == b"TEXT OF A"
        client.job(bucket.transform(etl_name=etl.name, to_bck=to)).wait()
        for name, data in OBJECTS.items():
            assert to.object(name).get_reader().read_all() == data.upper()
    finally:
        client.bucket("dst").delete(missing_ok=True)
        etl.delete()


def test_a_pipeline_works_with_tokens(guarded: LocalCluster) -> None:
    client = guarded.client()
    etls = [client.etl(f"stage-{n}-etl") for n in range(3)]
    for etl, cls in zip(etls, (Fast, Stream, Threaded), strict=True):
        etl.init_class(NUM_WORKERS=1)(cls)
    try:
        bucket, to = client.bucket("src"), client.bucket("dst").create(exist_ok=True)
        chain = etls[0] >> etls[1] >> etls[2]
        for name, data in OBJECTS.items():
            assert bucket.object(name).get_reader(etl=ETLConfig(chain)).read_all() == data.upper()
        client.job(bucket.transform(etl_name=chain.name, etl_pipeline=chain.pipeline, to_bck=to)).wait()
        for name, data in OBJECTS.items():
            assert to.object(name).get_reader().read_all() == data.upper()
    finally:
        client.bucket("dst").delete(missing_ok=True)
        for etl in etls:
            etl.delete()


PRIED = (
    "GET ais/@%23/secret/a",
    "HEAD ais/@%23/secret/a",
    "PUT ais/@%23/secret/a",
    "PUT ais/@%23/src/planted",
    "PUT ais/@%23/src/planted?uuid=no-such-job&owt=3",
    "GET ais/@%23/src/b",
    "GET ais/@%23/missing/b",
)


@pytest.mark.parametrize("comm", ["hpush", "hpull"])
def test_a_process_reads_what_its_caller_may_read(guarded: LocalCluster, comm: str) -> None:
    client = guarded.client()
    etl = client.etl("prying-etl")
    etl.init_class(comm_type=comm, NUM_WORKERS=1)(Prying)
    try:
        source = client.bucket("src").object("a")

        def pry(args: str) -> bytes:
            return source.get_reader(etl=ETLConfig(etl.name, args=args)).read_all()

        assert pry("GET ais/@%23/src/a") == b"200 text of a"
        for args in PRIED:
            got = pry(args)
            assert got.startswith(b"403 "), (args, got)
        assert client.bucket("secret").object("a").get_reader().read_all() == OBJECTS["a"]
        with pytest.raises(AISError, match="does not exist"):
            client.bucket("src").object("planted").head()
    finally:
        etl.delete()


def test_without_tokens_a_process_reads_and_writes_as_on_a_cluster(cluster: LocalCluster) -> None:
    client = cluster.client()
    etl = client.etl("prying-etl")
    etl.init_class(NUM_WORKERS=1)(Prying)
    try:
        config = ETLConfig(etl.name, args="GET ais/@%23/src/b")
        assert client.bucket("src").object("a").get_reader(etl=config).read_all() == b"200 text of b"
    finally:
        etl.delete()


def test_a_process_runs_as_the_servers_user_and_is_told_nothing_of_it(tmp_path: Path) -> None:
    """Its code can do what that user can: who may start ETLs is trusted. But secrets are not handed to it."""
    secrets = {"admin": ("boss", "hush-password"), "s3_keys": ("hush-access", "hush-secret")}
    with LocalCluster(auth=True, dir=tmp_path, **secrets) as cluster:
        client = cluster.client()
        fill(client)
        client.etl("tells-etl").init_class(NUM_WORKERS=1)(Tells)
        told = client.bucket("src").object("a").get_reader(etl=ETLConfig("tells-etl")).read_all()
        user, environment = json.loads(told)
        assert user == Path(f"/proc/{cluster.pid}").stat().st_uid
        assert "AIS_ETL_SECRET" not in environment
        text = json.dumps(environment) + Path(f"/proc/{cluster.pid}/cmdline").read_text()
        assert "hush" not in text
        # Others than admins start none.
        with pytest.raises(AISError, match="token required"):
            Client(cluster.endpoint).etl("other-etl").init_class(NUM_WORKERS=1)(Tells)


def test_commands_are_refused_with_tokens(guarded: LocalCluster) -> None:
    with pytest.raises(AISError, match=r"runs a command.*--allow-open-etl") as caught:
        guarded.client().etl("upper-etl").init("any:1", COMMAND)
    assert caught.value.status_code == 403
    assert guarded.client().cluster().list_etls() == []
    with LocalCluster(auth=True, allow_open_etl=True) as cluster:
        client = cluster.client()
        fill(client)
        client.etl("upper-etl").init("any:1", COMMAND)
        config = ETLConfig("upper-etl")
        assert client.bucket("src").object("a").get_reader(etl=config).read_all().endswith(b"TEXT OF A")


def test_a_command_that_runs_our_servers_checks_too(cluster: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(
        "import os\n"
        "from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer\n"
        "class Served(FastAPIServer):\n"
        "    def transform(self, data, path, etl_args):\n"
        "        return data.upper()\n"
        "Served(port=int(os.environ['PORT'])).start()\n"
    )
    client = cluster.client()
    etl = client.etl("command-etl")
    etl.init("any:1", [sys.executable, str(tmp_path / "served.py")], comm_type="hpull")
    try:
        location = process_url(cluster, etl.name)
        assert requests.get(location, timeout=20).content == b"TEXT OF A"
        assert requests.get(location.partition("?")[0], timeout=20).status_code == 403
    finally:
        etl.delete()
