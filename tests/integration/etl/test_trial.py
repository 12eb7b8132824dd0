"""A class tried on this machine, in process and over HTTP."""

import os

import pytest
import requests
from etl_classes import CLASSES, WRONG, FailsToStart

from aistore.sdk.errors import InvalidArgumentType, SDKError
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from aistore.sdk.etl.webserver.trial import serve_locally


def test_in_process(kind, streaming, tmp_path, target):
    cls = CLASSES[kind, streaming]
    file = tmp_path / "o.txt"
    file.write_bytes(b"abc")
    target.objects["/page"] = b"abc"
    assert cls.try_transform(b"abc") == b"ABC"
    assert cls.try_transform(file) == cls.try_transform(str(file)) == b"ABC"
    assert cls.try_transform(f"http://{target.netloc}/page") == b"ABC"
    assert cls.try_transform(file, etl_args="path") == b"bucket/o.txt"
    assert cls.try_transform(b"", "b/o", "path") == b"b/o"
    with pytest.raises(ValueError, match="asked to fail"):
        cls.try_transform(b"abc", etl_args="fail")
    with pytest.raises(InvalidArgumentType):
        cls.try_transform(3)
    assert "AIS_TARGET_URL" not in os.environ


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_bytes_is_an_error_in_process(kind, streaming, wrong):
    expected = UnicodeEncodeError if wrong == "surrogate" else TypeError
    with pytest.raises(expected):
        CLASSES[kind, streaming].try_transform(b"abc", etl_args=wrong)


@pytest.mark.parametrize("whole", [b"", b"abc", "abc", bytearray(b"abc"), memoryview(b"abc"), None, 3])
def test_a_stream_is_an_iterator(whole):
    class Whole(HTTPMultiThreadedServer):
        def transform_stream(self, reader, path, etl_args):
            return whole

    with pytest.raises(TypeError):
        Whole.try_transform(b"abc")


def test_a_file_is_passed_by_its_path_when_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("ETL_DIRECT_FQN", "true")
    (tmp_path / "o").write_bytes(b"")
    assert CLASSES["threaded", False].try_transform(tmp_path / "o") == b"path:" + str(tmp_path / "o").encode()


def test_over_http(kind):
    with serve_locally(CLASSES[kind, False], SOME_SETTING=1) as url:
        assert requests.put(f"{url}/b/o", data=b"abc", timeout=10).content == b"ABC"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=5)


def test_a_class_that_does_not_start():
    with pytest.raises(SDKError, match="no model file"), serve_locally(FailsToStart):
        pass
