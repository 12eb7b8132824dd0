"""`aistore.testing` outside pytest: what it offers, and ETL classes tried without a cluster."""

import subprocess
import sys

import pytest
from etl_classes import CLASSES

import aistore.testing
from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.errors import SDKError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.testing import RemoteCluster, serve_locally, transform_over_http, try_transform


class Echo(FastAPIServer):
    def transform(self, data, path, etl_args):
        if data == b"poison":
            raise ValueError("cannot take poison")
        return f"{path}|{etl_args}|{len(data)}".encode()


def test_names():
    assert dir(aistore.testing) == sorted(aistore.testing.__all__)
    assert all(getattr(aistore.testing, name) is not None for name in aistore.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        aistore.testing.nothing  # noqa: B018
    program = "import sys, aistore.testing; print([n for n in sys.modules if n.startswith('aistore.sdk')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_class_is_tried_both_ways(tmp_path):
    file = tmp_path / "a b.txt"
    file.write_bytes(b"12345")
    for run in (try_transform, transform_over_http):
        assert run(Echo, b"123") == b"bucket/object||3"
        assert run(Echo, file, etl_args="x=1&y") == b"bucket/a b.txt|x=1&y|5"
    assert serve_locally.__name__ == "serve_locally"


def test_objects_by_their_url(client, bucket):
    bucket.object("dir/a.txt").get_writer().put_content(b"content")
    url = bucket.object("dir/a.txt").get_url()
    assert transform_over_http(Echo, url, path="mine/x") == b"mine/x||7"


def test_streams_over_http():
    assert transform_over_http(CLASSES["flask", True], b"content") == try_transform(
        CLASSES["flask", True], b"content"
    )


def test_a_transform_that_fails():
    with pytest.raises(SDKError, match=r"500.*cannot take poison"):
        transform_over_http(Echo, b"poison")
    with pytest.raises(ValueError, match="cannot take poison"):
        try_transform(Echo, b"poison")


def test_a_remote_cluster():
    with LocalCluster() as cluster:
        remote = RemoteCluster(cluster.endpoint)
        with remote.client(timeout=5) as client:
            assert isinstance(client, Client)
            assert client.cluster().is_ready()
        assert repr(remote) == f"RemoteCluster({cluster.endpoint!r})"


def test_an_etl_for_a_test(ais_etl, bucket, monkeypatch):
    monkeypatch.setenv("AIS_ETL_CHECK", "false")  # not what is tested here
    etl = ais_etl(Echo, name="my-own-name", init_timeout="1m")
    bucket.object("a").get_writer().put_content(b"content")
    answer = bucket.object("a").get_reader(etl=ETLConfig(etl.name, args="x")).read_all()
    assert answer == f"{bucket.name}/a|x|7".encode()
    etl.delete()  # before the fixture does
