"""boto3 behind a proxy that redirects, as a cluster's does, to where the objects are."""

import importlib
import subprocess
import sys

import pytest
from scripted import Answer, ScriptedServer

boto3 = pytest.importorskip("boto3")

from botocore import utils  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

from aistore.local import LocalCluster  # noqa: E402

KEYS = ("AKIAPATCH", "patch-secret-key")


@pytest.fixture
def patch(monkeypatch):
    """Patch botocore for one test."""
    for cls in (utils.S3RegionRedirector, utils.S3RegionRedirectorv2):
        monkeypatch.setattr(cls, "redirect_from_error", cls.redirect_from_error)
    monkeypatch.delitem(sys.modules, "aistore.botocore_patch.botocore", raising=False)
    return importlib.import_module("aistore.botocore_patch.botocore")


@pytest.fixture(scope="module")
def targets():
    """Give a cluster that checks signatures."""
    with LocalCluster(targets=2, s3_keys=KEYS) as cluster:
        yield cluster


def s3_client(endpoint, keys=KEYS):
    return boto3.client(
        "s3",
        endpoint_url=f"{endpoint}/s3",
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(retries={"max_attempts": 1}, connect_timeout=10, read_timeout=10),
    )


class Proxy(ScriptedServer):
    def __init__(self, destination, status=307, header="Location"):
        super().__init__(
            lambda request: Answer(status=status, headers={header: f"{destination()}{request.target}"})
        )


@pytest.fixture
def proxy(targets):
    server = Proxy(lambda: targets.endpoint)
    yield server
    server.close()


def test_objects_are_read_and_written_through_redirects(patch, proxy):
    s3 = s3_client(proxy.endpoint)
    s3.create_bucket(Bucket="patched")
    s3.put_object(Bucket="patched", Key="a/b c.txt", Body=b"hello" * 1000)
    assert s3.get_object(Bucket="patched", Key="a/b c.txt")["Body"].read() == b"hello" * 1000
    assert s3.head_object(Bucket="patched", Key="a/b c.txt")["ContentLength"] == 5000
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="patched")["Contents"]] == ["a/b c.txt"]
    s3.delete_object(Bucket="patched", Key="a/b c.txt")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="patched", Key="a/b c.txt")
    s3.delete_bucket(Bucket="patched")
    s3.close()
    assert len(proxy.requests) >= 7


@pytest.mark.parametrize(("status", "header"), [(301, "location"), (302, "LOCATION"), (307, "Location")])
def test_statuses_and_header_case(patch, targets, status, header):
    server = Proxy(lambda: targets.endpoint, status, header)
    s3 = s3_client(server.endpoint)
    assert "Buckets" in s3.list_buckets()
    s3.close()
    server.close()


def test_a_circle_of_redirects_ends(patch):
    server = Proxy(lambda: server.endpoint)
    s3 = s3_client(server.endpoint)
    with pytest.raises(ClientError):
        s3.get_object(Bucket="circle", Key="a")
    s3.close()
    server.close()
    assert len([request for request in server.requests if request.path == "/s3/circle/a"]) == 5


def test_other_answers_are_left_to_botocore(patch, targets):
    s3 = s3_client(targets.endpoint, ("AKIAPATCH", "wrong"))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.list_buckets()
    s3.close()


class Answered:
    def __init__(self, status, **headers):
        self.status_code = status
        self.headers = headers


@pytest.mark.parametrize(
    ("response", "url", "location"),
    [
        ((Answered(307, Location="http://t:1/s3/b?x=1"), {}), "http://p:1/s3/b", "http://t:1/s3/b?x=1"),
        ((Answered(307, Location="/s3/c"), {}), "http://p:1/s3/b", "http://p:1/s3/c"),
        ((Answered(307, Location="http://t:1/"), {}), "https://p:1/", None),  # never from https to http
        ((Answered(307, Location="ftp://t/"), {}), "http://p:1/", None),
        ((Answered(307), {}), "http://p:1/", None),
        ((Answered(200, Location="http://t:1/"), {}), "http://p:1/", None),
        ((None, {}), "http://p:1/", None),
        (None, "http://p:1/", None),
    ],
)
def test_what_is_followed(patch, response, url, location):
    request = {"url": url, "context": {"s3_redirect": {}}}
    assert patch._follow(request, response) is (location is not None)
    assert request["url"] == (location or url)


def test_what_cannot_be_understood_is_botocores(patch):
    calls = []

    def redirect_from_error(self, request_dict, response, operation, **kwargs):
        calls.append((request_dict, response, operation, kwargs))
        return "botocore's"

    wrapped = patch._wrap(redirect_from_error)
    assert (
        wrapped(None, {"url": "http://p/"}, (Answered(307, Location="http://t/"), {}), "op", more=1)
        == "botocore's"
    )
    assert len(calls) == 1


def test_an_unknown_signature_is_refused(patch):
    def redirect_from_error(self, request, response):
        pass

    with pytest.raises(RuntimeError, match="not supported"):
        patch._wrap(redirect_from_error)


@pytest.mark.parametrize("first", ["botocore.utils", "aistore.botocore_patch.botocore"])
def test_either_import_may_come_first(first):
    second = "aistore.botocore_patch.botocore" if first == "botocore.utils" else "boto3"
    code = f"""
import {first}, {second}, sys
import aistore.botocore_patch.botocore, botocore.utils
assert 'botocore.utils' in sys.modules
for name, cls in vars(botocore.utils).items():
    if 'S3RegionRedirector' in name:
        assert hasattr(cls.redirect_from_error, '__wrapped__'), name
        assert not hasattr(cls.redirect_from_error.__wrapped__, '__wrapped__'), name
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_patch_works_without_botocore():
    code = "import sys; sys.modules['botocore'] = None; import aistore.botocore_patch.botocore"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
