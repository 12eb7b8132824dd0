"""What a URL of any part of the package names is the object of just this name."""

from unittest.mock import Mock

import fsspec
import pytest

from aistore.cli.uri import parse_object
from aistore.pytorch import AISCheckpoint
from aistore.pytorch.manifest import manifest_at
from aistore.pytorch.web_dataset import open_url
from aistore.sdk.errors import InvalidBckProvider, InvalidURLException
from aistore.sdk.types import Namespace

NAMES = [
    "img#1.jpg",
    "img?2.jpg",
    "img;3.jpg",
    "%41img",
    "img&x=1+ [4]",
    "d#1/img",
    "@img/#1",
    "img\n5",
    "a//b",
]


@pytest.fixture(params=NAMES)
def stored(request, bucket):
    """Give the URL of an object with an odd name; what a cut or decoded name would name is there, too."""
    for name in ("img", "Aimg", "d", "d/img", "img 5", "img5", "a/b", "b"):
        if not request.param.startswith(f"{name}/"):
            bucket.object(name).get_writer().put_content(b"wrong")
    bucket.object(request.param).get_writer().put_content(b"right")
    return f"ais://{bucket.name}/{request.param}"


def test_a_name_is_taken_literally(stored, client, endpoint, monkeypatch):
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    with open_url(stored) as file:
        assert file.read() == b"right"
    assert client.get_object_from_url(stored).get_reader().read_all() == b"right"
    assert parse_object(stored).object_of(client).get_reader().read_all() == b"right"
    with fsspec.open(stored) as file:
        assert file.read() == b"right"


def test_what_is_written_has_the_name(stored, client, bucket, endpoint, monkeypatch):
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    name = stored.removeprefix(f"ais://{bucket.name}/")
    with AISCheckpoint(client, f"{stored}.runs").writer("1.pt") as file:
        file.write(b"1")
    with open_url(f"{stored}.tar", "wb") as file:
        file.write(b"2")
    manifest_at(f"{stored}.list", lambda: client.cluster().client)._write(b"3")
    for ending, content in (("runs/1.pt", b"1"), ("tar", b"2"), ("list", b"3")):
        assert bucket.object(f"{name}.{ending}").get_reader().read_all() == content
    assert AISCheckpoint(client, f"{stored}.runs").names() == ["1.pt"]


def test_ray_lists_what_a_url_names(bucket, client):
    pytest.importorskip("ray.data")
    from aistore.ray.datasource import _resolve

    assert _resolve(f"ais://{bucket.name}/a#1?x", client, "/p") == (bucket, "a#1?x/p")


def test_a_namespace_is_kept(client):
    obj = client.get_object_from_url("s3://@cluster#team/b/x#1")
    assert obj.uname == "aws/@cluster#team/b/x#1"
    manifest = manifest_at("ais://#team/b/list", lambda: client.cluster().client)
    assert manifest._obj.uname == "ais/@#team/b/list"
    assert AISCheckpoint(client, "ais://#team/b/runs")._bucket.namespace == Namespace(name="team")


@pytest.mark.parametrize("url", ["ais://b", "ais://b/", "ais:///o", "b/o", " ais://b/o", "ais://@u#n", ""])
def test_urls_of_no_object_are_refused(client, url):
    with pytest.raises(InvalidURLException):
        client.get_object_from_url(url)


def test_unknown_providers_are_refused(client):
    with pytest.raises(InvalidBckProvider):
        AISCheckpoint(client, "hdfs://b/o")


def test_a_stand_in_of_a_client_makes_the_bucket():
    """Programs' tests put a client of their own in the place of `Client`."""
    client = Mock()
    AISCheckpoint(client, "ais://b/x#1")
    client.bucket.assert_called_once_with("b", provider="ais")
    for url in ("", "bucket/name", "ais://"):
        with pytest.raises(InvalidURLException):
            AISCheckpoint(None, url)
