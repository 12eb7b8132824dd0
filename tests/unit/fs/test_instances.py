"""Instances: which options make the same one, what travels to another process, and what is never shown."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

import aistore.fs
from aistore.fs import SCHEMES, AISFileSystem
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, InvalidEndpoint
from aistore.sdk.retry_config import RetryConfig

TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
ENDPOINT = "http://localhost:1"
SECRET = "very-secret-token"


@pytest.fixture(autouse=True)
def _own_instances():
    yield
    AISFileSystem.clear_instance_cache()


def client_of(fs):
    return fs.client.cluster().client


def test_names():
    assert aistore.fs.__all__ == ["AISFile", "AISFileSystem"]


def test_fsspec_finds_it_without_an_import():
    code = "import fsspec, sys; print({fsspec.get_filesystem_class(name).__name__ for name in sys.argv[1:]})"
    command = [sys.executable, "-c", code, *SCHEMES]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{'AISFileSystem'}"
    assert {"ais", "ais+s3", "ais+aws", "ais+gs", "ais+gcp", "ais+azure", "ais+oci"} <= set(SCHEMES)


def test_without_fsspec_the_error_names_the_extra():
    code = "import sys; sys.modules['fsspec'] = None\nimport aistore\nimport aistore.fs"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'aistore[fs]'" in ran.stderr


def test_the_sdk_does_not_import_fsspec():
    code = (
        "import sys; from aistore import Client; Client('http://localhost:1'); print('fsspec' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


class TestOptions:
    def test_everything_a_client_takes(self):
        retries = RetryConfig.default()
        fs = AISFileSystem(
            ENDPOINT,
            token=SECRET,
            timeout=(1, 2),
            skip_verify=False,
            ca_cert=str(TLS / "ca.pem"),
            retry_config=retries,
            max_pool_size=3,
            token_refresh=lambda: SECRET,
        )
        inner = client_of(fs)
        assert (inner.token, inner.timeout, inner.retry_config) == (SECRET, (1, 2), retries)
        assert inner.session_manager.ca_cert == str(TLS / "ca.pem")

    def test_as_many_connections_are_kept_as_requests_run(self):
        assert client_of(AISFileSystem(ENDPOINT, threads=33)).session_manager._max_pool_size == 33

    def test_a_profile(self, tmp_path, monkeypatch):
        config = tmp_path / "aistore" / "config.toml"
        config.parent.mkdir()
        config.write_text(f'[profiles.lab]\nendpoint = "{ENDPOINT}"\n')
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert AISFileSystem(profile="lab").endpoint == ENDPOINT
        with pytest.raises(InvalidArgument, match="nope"):
            AISFileSystem(profile="nope")

    def test_an_unknown_option_is_refused(self):
        with pytest.raises(InvalidArgumentType, match=r"endpiont.*expected.*endpoint"):
            AISFileSystem(endpiont=ENDPOINT)

    @pytest.mark.parametrize("option", ["threads", "default_block_size"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "8"])
    def test_numbers_are_checked(self, option, value):
        with pytest.raises(InvalidArgument, match=option):
            AISFileSystem(ENDPOINT, **{option: value})

    def test_no_endpoint(self):
        with pytest.raises(InvalidEndpoint, match="AIS_ENDPOINT"):
            AISFileSystem()


class TestInstanceCache:
    def test_the_same_options(self):
        assert AISFileSystem(ENDPOINT) is AISFileSystem(ENDPOINT)
        assert fsspec.filesystem("ais", endpoint=ENDPOINT) is fsspec.filesystem("ais", endpoint=ENDPOINT)

    def test_other_tokens(self):
        assert AISFileSystem(ENDPOINT, token="a") is not AISFileSystem(ENDPOINT, token="b")

    def test_the_environment_is_part_of_the_options(self, monkeypatch):
        monkeypatch.setenv("AIS_ENDPOINT", "http://localhost:1")
        first = AISFileSystem()
        assert AISFileSystem() is first
        monkeypatch.setenv("AIS_ENDPOINT", "http://localhost:2")
        assert AISFileSystem().endpoint == "http://localhost:2"
        monkeypatch.setenv("AIS_AUTHN_TOKEN", SECRET)
        assert client_of(AISFileSystem()).token == SECRET

    def test_retry_policies_that_look_alike(self):
        slow, fast = RetryConfig.default(), RetryConfig.default()
        slow.http_retry.backoff_factor = 99
        made = [AISFileSystem(ENDPOINT, retry_config=config) for config in (slow, fast)]
        factors = [client_of(fs).retry_config.http_retry.backoff_factor for fs in made]
        assert factors == [99, fast.http_retry.backoff_factor]


class TestTravel:
    def test_pickled(self):
        fs = AISFileSystem(ENDPOINT, token=SECRET, provider="aws", timeout=(1, 2), threads=3)
        copy = pickle.loads(pickle.dumps(fs))
        assert (copy, hash(copy), copy.fsid) == (fs, hash(fs), fs.fsid)
        assert (client_of(copy).token, client_of(copy).timeout, copy.provider) == (
            SECRET,
            (1, 2),
            fs.provider,
        )

    def test_other_tokens_stay_apart(self):
        copies = [pickle.loads(pickle.dumps(AISFileSystem(ENDPOINT, token=name))) for name in "ab"]
        assert [client_of(copy).token for copy in copies] == ["a", "b"]

    def test_the_endpoint_of_the_environment_travels(self, monkeypatch):
        monkeypatch.setenv("AIS_ENDPOINT", ENDPOINT)
        data = pickle.dumps(AISFileSystem())
        monkeypatch.delenv("AIS_ENDPOINT")
        assert pickle.loads(data).endpoint == ENDPOINT

    def test_json(self):
        fs = AISFileSystem(ENDPOINT, token=SECRET, namespace="team")
        assert AISFileSystem.from_json(fs.to_json()) == fs
        assert SECRET not in fs.to_json(include_password=False)
        assert json.loads(fs.to_json(include_password=False))["namespace"] == "team"

    def test_names_are_the_same_in_every_process(self):
        code = "import sys; from aistore.fs import AISFileSystem; print(AISFileSystem(sys.argv[1]).fsid)"
        command = [sys.executable, "-c", code, ENDPOINT]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        assert ran.stdout.strip() == AISFileSystem(ENDPOINT).fsid


def test_tokens_are_not_shown():
    fs = AISFileSystem(ENDPOINT, token=SECRET)
    shown = f"{fs!r} {fs} {fs.storage_options} {fs.fsid} {pickle.loads(pickle.dumps(fs)).storage_options}"
    assert SECRET not in shown
    assert repr(fs) == f"AISFileSystem(endpoint={ENDPOINT!r})"
    assert repr(AISFileSystem(ENDPOINT, provider="s3", namespace="n")) == (
        f"AISFileSystem(endpoint={ENDPOINT!r}, provider='aws', namespace='@#n')"
    )
