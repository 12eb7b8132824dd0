"""What programs that were written for the 2.0.0 package, and their tests, pass, set and compare."""

import pickle
import subprocess
import sys
from unittest.mock import Mock

import pytest
import requests
import urllib3

from aistore.sdk import Client
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.types import ClusterPermission, RoleInfo
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.obj.multipart_upload import MultipartUpload
from aistore.sdk.provider import Provider
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.session_manager import SessionManager
from aistore.sdk.types import AggregatedJobSnap, BucketEntry, BucketList, ETLNodeLogs, JobSnap
from aistore.sdk.utils import get_provider_from_request


@pytest.mark.parametrize(
    ("perm", "text"), [(AccessAttr.GET, "1"), (AccessAttr.GET | AccessAttr.PUT, "5"), ("7", "7")]
)
def test_permissions_are_flags_or_text(perm, text):
    assert ClusterPermission(id="c", perm=perm).perm == text
    role = RoleInfo.model_validate({"name": "r", "desc": "d", "clusters": [{"id": "c", "perm": perm}]})
    assert role.clusters[0].perm == text
    with pytest.raises(InvalidArgument):
        ClusterPermission(id="c", perm=2)


@pytest.mark.parametrize("args", [1000, 1.5, True, b"x", [1, "a"], (1, 2), "text"])
def test_etl_arguments_of_any_type_are_passed_on(args):
    params = {}
    ETLConfig("e", args=args).update_qparams(params)
    assert params == {"etl_name": "e", "etl_args": args}


def test_words_and_bytes_in_models():
    assert JobSnap(is_idle="yes").is_idle is True
    assert JobSnap(is_idle="Off").is_idle is False
    assert ETLNodeLogs(target_id="t", logs=b"line").logs == "line"
    with pytest.raises(InvalidArgument, match="idle"):
        JobSnap(is_idle="perhaps")


def test_a_list_of_models_that_is_none():
    # Its type is no class: from Python 3.13 on issubclass() refuses that.
    with pytest.raises(InvalidArgument, match="AggregatedJobSnap"):
        AggregatedJobSnap.model_validate({"target": "no list"})


def test_an_upload_before_it_is_created():
    client = Mock()
    client.request.return_value.text = "id"
    upload = MultipartUpload(client, "objects/b/o")
    assert upload.upload_id is None
    upload.create()
    assert client.request.call_args_list[0].kwargs["params"] is None


def test_the_certificate_of_the_environment_is_told(monkeypatch):
    monkeypatch.setenv("AIS_CRT", "cert.pem")
    monkeypatch.setenv("AIS_CRT_KEY", "key.pem")
    assert SessionManager().client_cert == ("cert.pem", "key.pem")


def test_the_provider_of_a_request_that_is_not_prepared():
    request = requests.Request("GET", "http://host/v1/objects/b/o", params={"provider": "aws"})
    assert get_provider_from_request(request) == Provider.AMAZON
    assert get_provider_from_request(request.prepare()) == Provider.AMAZON


def test_the_parts_of_the_default_retry_policy_are_the_default():
    default = RetryConfig.default()
    same = RetryConfig(default.http_retry, default.network_retry)
    for config in (default, same, pickle.loads(pickle.dumps(same))):
        assert not config.has_own_http_retry
        assert not config.has_own_network_retry
    assert RetryConfig(urllib3.Retry(total=1), default.network_retry).has_own_http_retry
    other = RetryConfig.default()
    other.network_retry.stop = lambda _: True
    assert other.has_own_network_retry
    other.network_retry = None
    assert other.has_own_network_retry


def test_pages_iterate_over_their_entries():
    entries = [BucketEntry(n="a"), BucketEntry(n="b")]
    assert [entry.name for entry in BucketList(UUID="u", ContinuationToken="", Flags=0, Entries=entries)] == [
        "a",
        "b",
    ]
    assert list(BucketList(UUID="u", ContinuationToken="", Flags=0)) == []


def test_modules_are_attributes_of_their_packages():
    # As after `import aistore` of the 2.0.0 package.
    code = "import aistore; aistore.version.__version__; aistore.sdk.client.Client; aistore.sdk.etl.etl_const"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_bucket_does_not_iterate():
    # Programs tell sources and lists of sources apart by that.
    with pytest.raises(TypeError):
        iter(Client("http://localhost:1").bucket("b"))
