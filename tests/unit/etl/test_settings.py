"""The environment of a server, checked at start."""

import pickle

import pytest

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.settings import InvalidETLEnvironment, ServerSettings

URL = {"AIS_TARGET_URL": "http://t:1/v1/etl/_object/e/s"}


def test_defaults():
    settings = ServerSettings.from_env(URL)
    assert settings == ServerSettings(host_target=URL["AIS_TARGET_URL"])
    assert (settings.direct_put_retries, settings.chunk_size) == (3, 1 << 20)
    assert (settings.max_conn, settings.max_keepalive_conn, settings.keepalive_expiry) == (256, 128, 30)
    assert settings.timeout == (10, 3600)


def test_everything_set(tmp_path):
    settings = ServerSettings.from_env(
        URL
        | {
            "DIRECT_PUT": "True",
            "ETL_DIRECT_FQN": "1",
            "AIS_DIRECT_PUT_RETRIES": "0",
            "AIS_DIRECT_PUT_CHUNK_SIZE": "65536",
            "AIS_AUTHN_TOKEN": "secret-token",
            "AIS_ETL_FQN": "off",
            "AIS_ETL_FQN_ROOTS": f"{tmp_path}:/mp",
            "AIS_ETL_ALLOWED_HOSTS": "10.0.0.0/8,pod",
            "AIS_ETL_CONNECT_TIMEOUT": "0",
            "AIS_ETL_READ_TIMEOUT": "1.5",
            "AIS_ETL_MAX_BUFFERED": "1000",
            "AIS_ETL_MAX_CONNECTIONS": "7",
            "MAX_CONN": "1",
            "MAX_KEEPALIVE_CONN": "0",
            "KEEPALIVE_EXPIRY": "0.5",
        }
    )
    assert (settings.direct_put, settings.direct_fqn, settings.fqn) == (True, True, False)
    assert settings.fqn_roots == (str(tmp_path.resolve()), "/mp")
    assert settings.timeout == (None, 1.5)
    assert (settings.max_buffered, settings.max_connections) == (1000, 7)
    assert "secret-token" not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIS_TARGET_URL", ""),
        ("AIS_TARGET_URL", "target:8080"),
        ("AIS_TARGET_URL", "ftp://x"),
        ("DIRECT_PUT", "maybe"),
        ("ETL_DIRECT_FQN", "2"),
        ("AIS_DIRECT_PUT_RETRIES", "-1"),
        ("AIS_DIRECT_PUT_RETRIES", "x"),
        ("AIS_DIRECT_PUT_CHUNK_SIZE", "0"),
        ("AIS_ETL_READ_TIMEOUT", "nan"),
        ("AIS_ETL_READ_TIMEOUT", "inf"),
        ("MAX_CONN", "0"),
        ("AIS_ETL_MAX_BUFFERED", "16GiB"),
        ("AIS_ETL_MAX_CONNECTIONS", "0"),
        ("KEEPALIVE_EXPIRY", "-1"),
        ("AIS_ETL_FQN_ROOTS", "relative/path"),
        ("AIS_ETL_ALLOWED_HOSTS", "http://x"),
    ],
)
def test_unusable_values_name_their_variable(name, value):
    with pytest.raises(InvalidETLEnvironment, match=name) as error:
        ServerSettings.from_env(URL | {name: value})
    assert isinstance(error.value, EnvironmentError)
    assert isinstance(error.value, ValueError)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)


def test_large_objects_over_a_websocket_are_not_cut_by_pings(monkeypatch):
    class Server(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data

    monkeypatch.setenv(*next(iter(URL.items())))
    config = Server()._uvicorn_config()
    assert config.ws_ping_interval is None
    assert config.ws_max_size == 16 << 30
