"""The client side: what is checked, what is sent."""

import base64
import sys
from typing import List  # noqa: UP035 - programs compare with it, and it differs from `list`
from unittest.mock import Mock, call

import pytest

from aistore.sdk.errors import AISError, InvalidArgument, InvalidArgumentType
from aistore.sdk.etl import ETLConfig, class_check
from aistore.sdk.etl.etl import Etl
from aistore.sdk.etl.etl_templates import MD5
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from aistore.sdk.types import ETLDetails, ETLNodeLogs


class Upper(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class StreamOnly(FastAPIServer):
    def transform_stream(self, reader, path, etl_args):
        yield reader.read()


@pytest.fixture
def client():
    client = Mock()
    client.request.return_value.text = "etl-123"
    return client


@pytest.fixture
def etl(client):
    return Etl(client, "my-etl")


@pytest.fixture
def unchecked(monkeypatch):
    monkeypatch.setenv(class_check.ENV_CHECK, "false")


def sent(client):
    assert client.request.call_count == 1
    return client.request.call_args.kwargs["json"]


@pytest.mark.parametrize(
    "name", ["abc", "a" * 33, "-abcdef", "abcdef-", "Abcdef", "abc_def", "abcdef\n", "", "àbcdef"]
)
def test_bad_names(client, name):
    with pytest.raises(InvalidArgument, match="ETL name") as error:
        Etl(client, name)
    assert isinstance(error.value, ValueError)


def test_good_names(client):
    for name in ("abcdef", "a" * 32, "a--bcd1", "123456"):
        assert Etl(client, name).name == name


def test_init_with_defaults(etl, client):
    assert etl.init("img:1") == "etl-123"
    client.request.assert_called_once_with(
        "put",
        path="etl",
        json={
            "name": "my-etl",
            "communication": "hpush://",
            "init_timeout": "5m",
            "obj_timeout": "45s",
            "support_direct_put": False,
            "runtime": {"image": "img:1"},
        },
        timeout=300,
    )


def test_init_with_everything(etl, client):
    etl.init(
        image="img",
        command="python  run.py --x",
        comm_type="hpull",
        init_timeout="1m30s",
        obj_timeout="100ms",
        direct_put=True,
        direct_file_access=True,
        SIZE=3,
        FLAG=True,
    )
    message = sent(client)
    assert client.request.call_args.kwargs["timeout"] == 90
    assert (message["communication"], message["init_timeout"], message["obj_timeout"]) == (
        "hpull://",
        "1m30s",
        "100ms",
    )
    assert message["support_direct_put"] is True
    assert message["runtime"] == {
        "image": "img",
        "command": ["python", "run.py", "--x"],
        "env": [
            {"name": "SIZE", "value": "3"},
            {"name": "FLAG", "value": "True"},
            {"name": "ETL_DIRECT_FQN", "value": "true"},
        ],
    }


@pytest.mark.parametrize("text", ["1m30s", "100ms", "1.5h", "90", "2d"])  # defect 38
def test_durations_that_the_cluster_accepts(etl, client, text):
    etl.init("img", init_timeout=text, obj_timeout=text)
    assert sent(client)["init_timeout"] == text


@pytest.mark.parametrize(
    "bad",
    [
        {"comm_type": "io"},
        {"comm_type": "hpush://"},
        {"init_timeout": "soon"},
        {"init_timeout": ""},
        {"obj_timeout": "5x"},
        {"image": ""},
        {"A=B": "x"},
        {"NAME": "a\0b"},
    ],
)
def test_bad_arguments_are_refused_before_any_request(etl, client, bad):
    with pytest.raises(InvalidArgument):
        etl.init(**{"image": "img", **bad})
    client.request.assert_not_called()


def test_the_client_waits_longer_than_the_server(etl, client):
    """What the transport makes of the time limit is more than what the server was told."""
    etl.init("img", init_timeout="10s")
    assert float(client.request.call_args.kwargs["timeout"]) > 30


def test_init_class(etl, client, unchecked):
    decorated = etl.init_class(
        dependencies=["pillow>=10,<12", "numpy"], os_packages=["ffmpeg", "curl"], NUM_WORKERS=2
    )(Upper)
    assert decorated is Upper
    message = sent(client)
    assert message["support_direct_put"] is True
    runtime = message["runtime"]
    assert runtime["image"] == f"aistorage/runtime_python:{sys.version_info[0]}.{sys.version_info[1]}"
    assert "command" not in runtime
    env = {var["name"]: var["value"] for var in runtime["env"]}
    assert list(env) == ["ETL_CLASS_PAYLOAD", "PACKAGES", "OS_PACKAGES", "NUM_WORKERS"]
    assert base64.b64decode(env["ETL_CLASS_PAYLOAD"], validate=True)
    assert (env["PACKAGES"], env["OS_PACKAGES"], env["NUM_WORKERS"]) == (
        "pillow>=10,<12,numpy",
        "ffmpeg,curl",
        "2",
    )


def test_init_class_without_options_sends_the_payload_only(etl, client, unchecked):
    etl.init_class()(Upper)
    assert [var["name"] for var in sent(client)["runtime"]["env"]] == ["ETL_CLASS_PAYLOAD"]


@pytest.mark.parametrize("thing", [int, Upper.transform, "Upper", object()])
def test_init_class_of_something_else(etl, client, thing):
    with pytest.raises(InvalidArgumentType, match="not a subclass of ETLServer") as error:
        etl.init_class()(thing)
    assert isinstance(error.value, TypeError)
    client.request.assert_not_called()


def test_a_class_that_cannot_talk_over_a_websocket(etl, client):
    with pytest.raises(InvalidArgument, match="'ws' needs a FastAPIServer"):
        etl.init_class(comm_type="ws")(Upper)
    with pytest.raises(InvalidArgument, match="'ws' needs transform"):
        etl.init_class(comm_type="ws")(StreamOnly)
    client.request.assert_not_called()


def test_a_text_is_not_a_list_of_packages(etl):
    with pytest.raises(InvalidArgumentType, match="PACKAGES"):
        etl.init_class(dependencies="numpy")


def test_an_unsupported_python_is_refused(etl, client, monkeypatch):
    version = type("V", (), {"major": 3, "minor": 9})
    monkeypatch.setattr("aistore.sdk.etl.etl.sys.version_info", version)
    with pytest.raises(InvalidArgument, match=r"no runtime image for Python 3\.9"):
        etl.init_class()(Upper)


def test_pipelines_leave_their_parts_alone(client):
    first, second, third = (Etl(client, f"etl-no{n}") for n in range(3))
    both = first >> second
    all_three = both >> third
    nested = first >> (second >> third)
    assert (both.name, both.pipeline) == ("etl-no0", ["etl-no1"])
    assert all_three.pipeline == nested.pipeline == ["etl-no1", "etl-no2"]
    assert first.pipeline == second.pipeline == []
    with pytest.raises(InvalidArgumentType):
        first >> "etl-no1"


def test_steering(etl, client):
    etl.start()
    etl.stop()
    etl.delete()
    assert client.request.call_args_list == [
        call("post", path="etl/my-etl/start", timeout=300),
        call("post", path="etl/my-etl/stop", timeout=300),
        call("delete", path="etl/my-etl", timeout=300),
    ]


def test_context_manager_stops_and_deletes(etl, client):
    client.request.side_effect = AISError(404, "gone", "url", None)
    with etl as entered:
        assert entered is etl
    assert [c.kwargs["path"] for c in client.request.call_args_list] == ["etl/my-etl/stop", "etl/my-etl"]


def test_view(etl, client):
    assert etl.view("job-1") is client.request_deserialize.return_value
    client.request_deserialize.assert_called_once_with(
        "get", path="etl/my-etl", res_model=ETLDetails, params={"uuid": "job-1"}
    )


def test_logs(etl, client):
    encoded = base64.b64encode(b"caf\xc3\xa9 \xff").decode()
    client.request_deserialize.return_value = [ETLNodeLogs(target_id="t1", logs=encoded)]
    assert [(node.target_id, node.logs) for node in etl.logs("t1")] == [("t1", "café \ufffd")]
    client.request_deserialize.assert_called_once_with(
        "get",
        path="etl/my-etl/logs/t1",
        res_model=List[ETLNodeLogs],  # noqa: UP006
        timeout=300,
    )


def test_init_spec_is_deprecated_and_works(etl, client):
    with pytest.warns(DeprecationWarning, match="init_spec"):
        assert etl.init_spec(MD5, communication_type="hpull") == "etl-123"
    message = sent(client)
    assert message["communication"] == "hpull://"
    spec = base64.b64decode(message["spec"]).decode()
    assert 'communication_type: "hpull://"' in spec
    assert "runtime" not in message
    assert MD5.format(communication_type="hpull") == spec


def test_config_parameters(client):
    pipeline = Etl(client, "first-1") >> Etl(client, "second-2")
    for config, expected in [
        (ETLConfig(), {}),
        (ETLConfig(args="x"), {}),
        (ETLConfig("my-etl"), {"etl_name": "my-etl"}),
        (ETLConfig("my-etl", "a b"), {"etl_name": "my-etl", "etl_args": "a b"}),
        (ETLConfig("my-etl", {"a": [1, 2]}), {"etl_name": "my-etl", "etl_args": '{"a":[1,2]}'}),
        (ETLConfig(Etl(client, "my-etl")), {"etl_name": "my-etl", "etl_pipeline": ""}),
        (ETLConfig(pipeline), {"etl_name": "first-1", "etl_pipeline": "second-2"}),
    ]:
        params = {}
        config.update_qparams(params)
        assert params == expected
    for wrong in (ETLConfig(3), ETLConfig(b"my-etl")):
        with pytest.raises(InvalidArgumentType):
            wrong.update_qparams({})
