"""A cluster with a certificate of its own: who is taken for whom, and every room over https."""

from __future__ import annotations

import json
import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from wire import Wire

from aistore import Client
from aistore.local import LocalCluster, LocalClusterError
from aistore.sdk.authn import AuthNClient
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
CLIENT_CERT = (str(TLS / "client.pem"), str(TLS / "client.key"))


class Upper(FastAPIServer):
    def transform(self, data, path, etl_args):
        if etl_args == "environment":
            return json.dumps(dict(os.environ)).encode()
        return data.upper()


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(targets=2, tls=True, auth=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with cluster.client() as client:
        yield client


# ---- who is taken for whom


def test_the_certificate_is_checked(cluster: LocalCluster) -> None:
    assert cluster.endpoint.startswith("https://")
    assert cluster.auth_endpoint.startswith("https://")
    token = cluster.client()._request_client.token
    for ca_cert in (None, str(TLS / "ca.pem")):
        with Client(cluster.endpoint, ca_cert=ca_cert, token=token) as stranger:
            with pytest.raises(requests.exceptions.SSLError, match="certificate is not trusted"):
                stranger.cluster().list_buckets()
        with AuthNClient(cluster.auth_endpoint, ca_cert=ca_cert) as stranger:
            with pytest.raises(requests.exceptions.SSLError):
                stranger.login(*cluster.admin)
    with pytest.warns(UserWarning, match="not verified"):
        with Client(cluster.endpoint, skip_verify=True, token=token) as careless:
            assert isinstance(careless.cluster().list_buckets(), list)


def test_the_key_is_this_users_alone(cluster: LocalCluster) -> None:
    ca_file = Path(cluster.ca_file or "")
    assert stat.S_IMODE(ca_file.with_suffix(".key").stat().st_mode) == 0o600
    assert stat.S_IMODE(ca_file.parent.stat().st_mode) == 0o700


def test_names_that_it_is_reached_by(cluster: LocalCluster) -> None:
    port = cluster.endpoint.rpartition(":")[2]
    token = cluster.client()._request_client.token
    with Client(f"https://localhost:{port}", ca_cert=cluster.ca_file, token=token) as client:
        assert client.cluster().get_info()


def test_the_certificate_is_kept_with_the_folder(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path, tls=True) as cluster:
        first = Path(cluster.ca_file or "").read_bytes()
        assert cluster.client().bucket("b").create()
    assert cluster.ca_file is None
    with LocalCluster(dir=tmp_path, tls=True) as cluster:
        assert Path(cluster.ca_file or "").read_bytes() == first
        assert cluster.client().bucket("b").head()


def test_old_versions_of_tls_are_refused(cluster: LocalCluster) -> None:
    context = ssl.create_default_context(cafile=cluster.ca_file)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    wire = Wire(cluster.endpoint, cluster.ca_file)
    wire._tls = context
    with pytest.raises((ssl.SSLError, ConnectionError)):
        wire("GET", "/v1/health")


def test_options_that_exclude_each_other() -> None:
    for options, why in (
        ({"tls": True, "tls_cert": TLS / "server.pem"}, "exclude each other"),
        ({"tls_client_ca": TLS / "ca.pem"}, "needs --tls-cert or --tls-self-signed"),
    ):
        with pytest.raises(LocalClusterError, match=why):
            LocalCluster(**options).start()
    with LocalCluster() as plain:
        assert plain.ca_file is None
        for ask in (lambda: plain.auth_endpoint, lambda: plain.admin):
            with pytest.raises(LocalClusterError, match="auth=True"):
                ask()


# ---- every room


def test_objects_of_every_size(client: Client) -> None:
    bucket = client.bucket("tls-objects").create()
    for size in (0, 1, 100_000, 9_000_000):
        data = os.urandom(size)
        bucket.object("o").get_writer().put_content(data)
        assert bucket.object("o").get_reader().read_all() == data
    bucket.delete()


def test_batches(client: Client) -> None:
    bucket = client.bucket("tls-batch").create()
    content = {f"{n}": os.urandom(70_000) for n in range(30)}
    for name, data in content.items():
        bucket.object(name).get_writer().put_content(data)
    for streaming in (True, False):
        batch = client.batch(list(content), bucket, streaming_get=streaming)
        assert {info.obj_name: data for info, data in batch.get()} == content
    bucket.delete()


def _transforms(client: Client) -> dict[str, str]:
    """Transform a bucket; returns the environment of the ETL's server."""
    src, dst = client.bucket("tls-src").create(), client.bucket("tls-dst").create()
    for n in range(8):
        src.object(f"{n}").get_writer().put_content(b"text")
    with client.etl("tls-etl") as etl:
        etl.init_class(NUM_WORKERS=1)(Upper)
        reader = src.object("1").get_reader(etl=ETLConfig(name=etl.name))
        assert reader.read_all() == b"TEXT"
        asked = ETLConfig(name=etl.name, args="environment")
        told: dict[str, str] = json.loads(src.object("1").get_reader(etl=asked).read_all())
        # Half of the results belong to the other target: the ETL's server delivers them over https.
        assert client.job(src.transform(etl_name=etl.name, to_bck=dst)).wait(timeout=30)
    names = [entry.name for entry in dst.list_all_objects()]
    assert len(names) == 8
    assert {dst.object(name).get_reader().read_all() for name in names} == {b"TEXT"}
    src.delete()
    dst.delete()
    return told


def test_etls_check_the_certificate_too(cluster: LocalCluster, client: Client) -> None:
    told = _transforms(client)
    assert told["AIS_CLIENT_CA"] == cluster.ca_file
    assert told["AIS_TARGET_URL"].startswith("https://")
    assert "AIS_SKIP_VERIFY_CRT" not in told
    assert not [name for name in told if "AUTHN" in name]


# ---- client certificates


def test_clients_with_certificates() -> None:
    with LocalCluster(targets=2, tls=True, tls_client_ca=TLS / "ca.pem") as cluster:
        with cluster.client(client_cert=CLIENT_CERT) as client:
            # The servers of ETLs have certificates of their own.
            told = _transforms(client)
        assert Path(told["AIS_CRT_KEY"]).stat().st_mode & 0o077 == 0
        stranger = Wire(cluster.endpoint, cluster.ca_file)
        with LocalCluster(tls=True) as other:
            # None at all, then one that was made the same way, for nobody here.
            for pair in (None, (other.ca_file, Path(other.ca_file or "").with_suffix(".key"))):
                if pair is not None:
                    stranger._tls.load_cert_chain(*pair)
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    stranger("GET", "/v1/health")


def test_redirects_lead_to_https(cluster: LocalCluster) -> None:
    wire = Wire(cluster.endpoint, cluster.ca_file)
    token = {"Authorization": f"Bearer {cluster.client()._request_client.token}"}
    wire("POST", "/v1/buckets/tls-redirect", {"action": "create-bck"}, token)
    for method, status in (("GET", 301), ("HEAD", 307), ("PUT", 307), ("DELETE", 307)):
        answer = wire(method, "/v1/objects/tls-redirect/o", None, token, follow=False)
        assert answer.status == status
        assert answer.headers["location"].startswith("https://127.0.0.1:")
    wire("DELETE", "/v1/buckets/tls-redirect", {"action": "destroy-bck"}, token)
