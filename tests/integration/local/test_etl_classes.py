"""ETL classes on a local cluster: every server and way of talking, pipelines, direct put, packages."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from wire import Wire

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk import Bucket
from aistore.sdk.errors import AISError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
OBJECTS = {f"d/{n:02d}.txt": b"text %d" % n for n in range(8)}
OBJECTS |= {"empty": b"", "sp ace+plus@%25.txt": b"special", "large": b"x" * 3_000_000}


def upper(data: bytes, path: str, etl_args: str) -> bytes:
    if etl_args == "fail":
        raise ValueError("asked to fail")
    return data.upper() + path.encode() if data else b""


class Fast(FastAPIServer):
    def transform(self, data, path, etl_args):
        return upper(data, path, etl_args)


class Flask(FlaskServer):
    def transform(self, data, path, etl_args):
        return upper(data, path, etl_args)


class Threaded(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return upper(data, path, etl_args)


class Streaming(FastAPIServer):
    def transform_stream(self, reader, path, etl_args):
        if etl_args == "fail":
            raise ValueError("asked to fail")
        while chunk := reader.read(65536):
            yield chunk.upper()


class Reverse(FastAPIServer):
    def transform(self, data, path, etl_args):
        return data[::-1]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with LocalCluster(targets=2, etl_direct_put=True) as cluster, cluster.client() as client:
        bucket = client.bucket("src").create()
        for name, data in OBJECTS.items():
            bucket.object(name).get_writer().put_content(data)
        yield client


@pytest.fixture
def src(client: Client) -> Bucket:
    return client.bucket("src")


@pytest.fixture
def dst(client: Client) -> Iterator[Bucket]:
    bucket = client.bucket("dst").create()
    yield bucket
    bucket.delete()


def read(bucket: Bucket, name: str, etl: object = None, args: str = "") -> bytes:
    config = ETLConfig(etl, args=args) if etl is not None else None
    return bucket.object(name).get_reader(etl=config).read_all()


def result(cls: type[ETLServer], name: str) -> bytes:
    return OBJECTS[name].upper() if cls is Streaming else upper(OBJECTS[name], f"src/{name}", "")


@pytest.mark.parametrize(
    ("cls", "comm", "direct_put"),
    [
        (Fast, "hpush", True),
        (Fast, "hpull", True),
        (Fast, "ws", True),
        (Fast, "hpush", False),
        (Flask, "hpush", True),
        (Flask, "hpull", True),
        (Threaded, "hpush", True),
        (Threaded, "hpull", True),
        (Streaming, "hpush", True),
        (Streaming, "hpull", True),
    ],
)
def test_every_server_and_way_gives_the_same_bytes(
    client: Client, src: Bucket, dst: Bucket, cls: type[ETLServer], comm: str, direct_put: bool
) -> None:
    with client.etl("each-way") as etl:
        etl.init_class(comm_type=comm, direct_put=direct_put, NUM_WORKERS=1)(cls)
        for name in OBJECTS:
            assert read(src, name, etl.name) == result(cls, name)
            assert src.object(name).get_reader(etl=ETLConfig(etl.name), latest=True).read_all() == result(
                cls, name
            )
        with pytest.raises(AISError, match="asked to fail"):
            read(src, "large", etl.name, "fail")
        job = client.job(src.transform(etl_name=etl.name, to_bck=dst))
        assert job.wait(timeout=30)
        for name in OBJECTS:
            assert read(dst, name) == result(cls, name)
        assert sum(snap.stats.objects for snap in job.get_details().list_snapshots()) == len(OBJECTS)


def stage_path(first: str, name: str) -> str:
    """The path that a later stage sees."""
    return f"src/{name}"


@pytest.mark.parametrize("first", ["hpush", "hpull", "ws"])
def test_pipelines_lose_nothing_not_even_empty_results(
    client: Client, src: Bucket, dst: Bucket, first: str
) -> None:
    with client.etl("pipe-first") as one, client.etl("pipe-second") as two, client.etl("pipe-third") as three:
        one.init_class(comm_type=first, NUM_WORKERS=1)(Fast)
        two.init_class(NUM_WORKERS=1)(Reverse)
        three.init_class(NUM_WORKERS=1)(Threaded)
        for chain in (one >> two, one >> two >> three):

            def wanted(name: str, stages: int = len(chain.pipeline)) -> bytes:
                data = result(Fast, name)[::-1]
                return upper(data, stage_path(first, name), "") if stages == 2 else data

            if first != "hpull":
                for name in OBJECTS:
                    assert read(src, name, chain) == wanted(name)
            job = client.job(src.transform(etl_name=chain.name, etl_pipeline=chain.pipeline, to_bck=dst))
            assert job.wait(timeout=30)
            for name in OBJECTS:
                assert read(dst, name) == wanted(name)


def test_an_inline_pipeline_that_begins_with_hpull_is_refused(client: Client, src: Bucket) -> None:
    with client.etl("pipe-first") as one, client.etl("pipe-second") as two:
        one.init_class(comm_type="hpull", NUM_WORKERS=1)(Fast)
        two.init_class(NUM_WORKERS=1)(Reverse)
        with pytest.raises(AISError, match="not supported for hpull"):
            read(src, "d/01.txt", one >> two)


def test_a_stage_that_does_not_run_is_named(client: Client, src: Bucket) -> None:
    with client.etl("pipe-first") as one:
        one.init_class(NUM_WORKERS=1)(Fast)
        with pytest.raises(AISError, match="pipe-absent"):
            read(src, "d/01.txt", one >> client.etl("pipe-absent"))


def make_wheel(folder: Path) -> Path:
    """A package that is installed nowhere, as a wheel."""
    wheel = folder / "only_for_this_test-1.5-py3-none-any.whl"
    info = "only_for_this_test-1.5.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("only_for_this_test.py", "NUMBER = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: only-for-this-test\nVersion: 1.5\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_packages_are_installed_for_that_etl_only(client: Client, src: Bucket, tmp_path: Path) -> None:
    class NeedsPackage(FastAPIServer):
        def transform(self, data, path, etl_args):
            import only_for_this_test

            return f"{only_for_this_test.NUMBER} {only_for_this_test.__file__}".encode()

    wheel = make_wheel(tmp_path)
    with client.etl("with-package") as etl:
        etl.init_class(dependencies=[f"only-for-this-test @ {wheel.as_uri()}", "msgspec"], NUM_WORKERS=1)(
            NeedsPackage
        )
        number, file = read(src, "empty", etl.name).decode().split(" ", 1)
        assert number == "42"
        assert "venv" in Path(file).parts
        assert Path(file).exists()
    assert not Path(file).exists()


def test_packages_that_are_here_need_no_installer(client: Client, src: Bucket) -> None:
    with client.etl("with-package") as etl:
        etl.init_class(dependencies=["msgspec>=0.18"], NUM_WORKERS=1)(Fast)
        assert read(src, "d/01.txt", etl.name) == result(Fast, "d/01.txt")


def test_an_object_that_changes_during_a_transform_is_not_lost(
    client: Client, src: Bucket, dst: Bucket
) -> None:
    """The file that an ETL was told to read may be replaced before it does."""

    class Patient(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data

    bucket = client.bucket("changing").create()
    try:
        with client.etl("patient-etl") as etl:
            etl.init_class(NUM_WORKERS=1)(Patient)
            for n in range(40):
                bucket.object(f"{n}").get_writer().put_content(b"old")
            job = client.job(bucket.transform(etl_name=etl.name, to_bck=dst))
            deadline = time.monotonic() + 30
            while not job.status().end_time:
                assert time.monotonic() < deadline
                for n in range(40):
                    bucket.object(f"{n}").get_writer().put_content(b"new")
            assert job.status().err == ""
            assert {read(dst, f"{n}") for n in range(40)} <= {b"old", b"new"}
    finally:
        bucket.delete()


def test_results_are_fetched_and_delivered_over_tls() -> None:
    tls = {"tls_cert": TLS / "server.pem", "tls_key": TLS / "server.key", "etl_direct_put": True}
    with LocalCluster(targets=2, **tls) as cluster, cluster.client(ca_cert=str(TLS / "ca.pem")) as client:
        src, dst = client.bucket("src").create(), client.bucket("dst").create()
        for n in range(8):
            src.object(f"{n}").get_writer().put_content(b"text")
        with client.etl("over-tls") as etl:
            etl.init_class(NUM_WORKERS=1)(Fast)
            assert client.job(src.transform(etl_name=etl.name, to_bck=dst)).wait(timeout=30)
        assert {entry.name: read(dst, entry.name) for entry in dst.list_all_objects()} == {
            f"{n}": b"TEXT" + f"src/{n}".encode() for n in range(8)
        }
        # A client that speaks https is not sent to a process, which speaks http.
        with client.etl("pull-tls") as etl:
            etl.init_class(comm_type="hpull", NUM_WORKERS=1)(Reverse)
            assert read(src, "1", etl=etl.name) == b"txet"


class Greedy(FastAPIServer):
    def transform(self, data, path, etl_args):
        return b"%d" % len(bytes(int(etl_args)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits memory")
def test_a_transform_that_takes_too_much_memory_fails_alone() -> None:
    with LocalCluster(etl_memory=1 << 30) as cluster, cluster.client() as client:
        bucket = client.bucket("b").create()
        bucket.object("o").get_writer().put_content(b"x")
        etl = client.etl("greedy")
        etl.init_class(NUM_WORKERS=1)(Greedy)
        assert read(bucket, "o", etl="greedy", args="1000") == b"1000"
        with pytest.raises(AISError, match=r"MemoryError.*may take 1073741824 bytes of memory: --etl-memory"):
            read(bucket, "o", etl="greedy", args=str(2 << 30))
        assert read(bucket, "o", etl="greedy", args="2000") == b"2000"


def location(endpoint: str, path: str) -> str:
    """Where the target that has an object sends a GET of it; "" if it answers itself."""
    wire = Wire(endpoint)
    at_target = wire("GET", path, follow=False).headers["location"]
    parts = urlsplit(at_target)
    answer = wire("GET", f"{parts.path}?{parts.query}", follow=False, base=f"http://127.0.0.1:{parts.port}")
    assert answer.status in {200, 307}
    return answer.headers.get("location", "")


@pytest.mark.parametrize(("host", "redirects"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_clients_elsewhere_are_not_sent_to_the_processes(host: str, redirects: bool) -> None:
    with LocalCluster(host=host) as cluster:
        endpoint = f"http://127.0.0.1:{urlsplit(cluster.endpoint).port}"
        with Client(endpoint) as client:
            bucket = client.bucket("b").create()
            bucket.object("o").get_writer().put_content(b"text")
            client.etl("reverse").init_class(comm_type="hpull", NUM_WORKERS=1)(Reverse)
            assert read(bucket, "o", etl="reverse") == b"txet"
            assert bool(location(endpoint, "/v1/objects/b/o?etl_name=reverse")) == redirects
