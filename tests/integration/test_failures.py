"""What goes wrong in the main job: each failure is a clear error of ours, in time, leaving nothing behind."""

import errno
import socket
import threading
import time
import uuid

import pytest
import requests
from leftovers import assert_nothing_left

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.errors import AISError, ErrETLNotFound, ErrObjNotFound, ErrOutOfSpace, SDKError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


@pytest.fixture
def etl(client):
    etl = client.etl(f"etl-{uuid.uuid4().hex[:12]}")
    yield etl
    if etl.name in all_etls(client):
        etl.stop()
        etl.delete()


def all_etls(client):
    return {info.id for info in client.cluster().list_etls(stages=["Running", "Initializing", "Aborted"])}


class Fails(FastAPIServer):
    def transform(self, data, path, etl_args):
        raise ValueError("no such colour: ultraviolet")


def test_a_transform_that_raises_is_reported_with_its_message_and_object(bucket, etl):
    bucket.object("a/broken.txt").get_writer().put_content(b"data")
    etl.init_class(NUM_WORKERS=1)(Fails)
    start = time.monotonic()
    with pytest.raises(AISError, match="no such colour: ultraviolet") as caught:
        bucket.object("a/broken.txt").get_reader(etl=ETLConfig(etl.name)).read_all()
    assert "a/broken.txt" in str(caught.value)
    assert caught.value.status_code == 500
    assert time.monotonic() - start < 30, "a transform's own error is final, it is not retried"


def test_an_offline_transform_that_raises_fails_the_job_and_names_the_object(client, bucket, etl):
    bucket.object("broken.txt").get_writer().put_content(b"data")
    etl.init_class(NUM_WORKERS=1)(Fails)
    to = client.bucket(f"{bucket.name}-to").create()
    try:
        job_id = bucket.transform(etl_name=etl.name, to_bck=to, cont_on_err=True)
        client.job(job_id).wait(timeout=60)
        [error] = etl.view(job_id=job_id).obj_errors
        assert "broken.txt" in error.obj_name
        assert "no such colour: ultraviolet" in error.msg
        assert not to.list_all_objects()
    finally:
        to.delete()


def test_an_unpicklable_class_is_refused_before_any_request(client, etl):
    lock = threading.Lock()

    class Unpicklable(FastAPIServer):
        def transform(self, data, path, etl_args):
            with lock:
                return data

    with pytest.raises(SDKError, match="lock"):
        etl.init_class()(Unpicklable)
    assert etl.name not in all_etls(client)


def test_a_class_that_is_no_etl_server_is_refused_before_any_request(client, etl):
    class Plain:
        def transform(self, data, path, etl_args):
            return data

    with pytest.raises(TypeError, match="ETLServer") as caught:
        etl.init_class()(Plain)
    assert isinstance(caught.value, SDKError)
    assert etl.name not in all_etls(client)


def test_a_dependency_that_does_not_exist_is_named_and_the_name_stays_free(client, bucket, etl):
    class Echo(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data

    with pytest.raises(AISError, match="no-such-package-of-anyones"):
        etl.init_class(dependencies=["no-such-package-of-anyones"], NUM_WORKERS=1)(Echo)
    assert etl.name not in all_etls(client)
    bucket.object("x").get_writer().put_content(b"data")
    etl.init_class(NUM_WORKERS=1)(Echo)
    assert bucket.object("x").get_reader(etl=ETLConfig(etl.name)).read_all() == b"data"


def test_a_server_that_crashes_at_start_is_reported_with_its_last_lines(client, etl):
    class Crashes(FastAPIServer):
        def __init__(self, *args, **kwargs):
            raise RuntimeError("the model file is missing")

        def transform(self, data, path, etl_args):
            return data

    with pytest.raises(AISError, match="the model file is missing"):
        etl.init_class(NUM_WORKERS=1)(Crashes)
    assert etl.name not in all_etls(client)


def test_an_unknown_etl_is_an_etl_not_found(client, bucket):
    bucket.object("x").get_writer().put_content(b"data")
    with pytest.raises(ErrETLNotFound, match="no-such-etl"):
        client.etl("no-such-etl").view()
    with pytest.raises(AISError, match="no-such-etl"):
        bucket.object("x").get_reader(etl=ETLConfig("no-such-etl")).read_all()
    with pytest.raises(AISError, match="no-such-etl"):
        bucket.transform(etl_name="no-such-etl", to_bck=bucket)


def test_a_missing_object_is_an_object_not_found(bucket):
    with pytest.raises(ErrObjNotFound, match="not/there") as caught:
        bucket.object("not/there").get_reader().read_all()
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(AISError):
        bucket.object("not/there").delete()


def test_a_full_disk_is_out_of_space_and_stores_nothing_of_the_object(tmp_path):
    with LocalCluster(dir=tmp_path / "data", quota=1 << 20) as cluster:
        bucket = cluster.client().bucket("small").create()
        bucket.object("fits").get_writer().put_content(b"x" * 1000)
        with pytest.raises(ErrOutOfSpace) as caught:
            bucket.object("too-large").get_writer().put_content(b"x" * (2 << 20))
        assert caught.value.errno == errno.ENOSPC
        assert [entry.name for entry in bucket.list_all_objects()] == ["fits"]
        assert bucket.object("fits").get_reader().read_all() == b"x" * 1000
        assert sum(path.stat().st_size for path in (tmp_path / "data").rglob("*") if path.is_file()) < 2 << 20


def test_a_port_in_use_is_said_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)) as caught, LocalCluster(port=port):
            pass
    assert isinstance(caught.value, SDKError)
    assert caught.value.errno == errno.EADDRINUSE
    assert_nothing_left(tmp_path)


def test_no_cluster_at_the_endpoint_is_a_connection_error_within_its_time():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        Client(endpoint).bucket("any").head()
    assert isinstance(caught.value, SDKError)
    assert time.monotonic() - start < 10
