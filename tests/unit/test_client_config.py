"""Where settings come from, and what a client is as a value."""

import pickle
import time
import warnings

import pytest
import requests
import urllib3

from aistore import Client
from aistore.sdk.credentials import Secret
from aistore.sdk.errors import (
    InvalidArgument,
    InvalidArgumentType,
    InvalidBckProvider,
    InvalidEndpoint,
    InvalidURLException,
)
from aistore.sdk.provider import Provider
from aistore.sdk.request_client import RequestClient
from aistore.sdk.request_executor import RequestExecutor
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.session_manager import UNSET_FALSE, SessionManager, resolve_ssl_config

URL = "http://localhost:8080"


@pytest.mark.parametrize("endpoint", ["localhost:8080", "http://localhost:8080/foo", "", "http://", 5])
def test_malformed_endpoint(endpoint):  # defect 22
    with pytest.raises((InvalidEndpoint, InvalidArgumentType), match="http://host:port"):
        Client(endpoint)


@pytest.mark.parametrize("endpoint", [URL, URL + "/", URL + "/v1", URL + "/v1/"])
def test_endpoint_forms(endpoint):
    assert Client(endpoint)._request_client.base_url == URL + "/v1"


@pytest.mark.parametrize("endpoint", [URL + "/gate/", URL + "/gate/v1"])
def test_endpoint_behind_a_gateway(endpoint):
    assert Client(endpoint)._request_client.base_url == URL + "/gate/v1"


def test_endpoint_of_the_environment(monkeypatch):  # defect 37
    with pytest.raises(InvalidEndpoint, match="AIS_ENDPOINT"):
        Client()
    monkeypatch.setenv("AIS_ENDPOINT", URL)
    assert Client() == Client(URL)
    assert repr(Client("http://other:1")) == "Client(endpoint='http://other:1')"


@pytest.mark.parametrize(
    ("given", "timeout"),
    [
        (None, (3, 20)),
        (7, 7),
        (0, None),
        (0.0, None),
        ((0, 0), None),
        ((0, 5), (None, 5)),
        ((2, 0), (2, None)),
        ((2, 3, 60), (2, 3, 60)),
    ],
)
def test_timeout_argument(given, timeout):
    assert Client(URL, timeout=given)._request_client.timeout == timeout


@pytest.mark.parametrize("given", [-1, (1,), (1, 2, 3, 4), "5", (1, "x"), float("nan"), True])
def test_bad_timeout(given):
    with pytest.raises(InvalidArgument, match="timeout"):
        Client(URL, timeout=given)


@pytest.mark.parametrize(
    ("connect", "read", "timeout"),
    [("1.5", "", (1.5, 20)), ("", "7", (3, 7.0)), ("0", "4", (None, 4.0)), ("0", "0", None)],
)
def test_timeout_environment(monkeypatch, connect, read, timeout):
    monkeypatch.setenv("AIS_CONNECT_TIMEOUT", connect)
    monkeypatch.setenv("AIS_READ_TIMEOUT", read)
    assert Client(URL)._request_client.timeout == timeout
    assert Client(URL, timeout=9)._request_client.timeout == 9


def test_unparsable_environment_warns(monkeypatch):
    monkeypatch.setenv("AIS_CONNECT_TIMEOUT", "soon")
    monkeypatch.setenv("AIS_MAX_CONN_POOL", "many")
    with pytest.warns(UserWarning, match="AIS_") as seen:
        client = Client(URL)
    assert client._request_client.timeout == (3, 20)
    assert {"AIS_CONNECT_TIMEOUT", "AIS_MAX_CONN_POOL"} == {str(w.message).split("=")[0] for w in seen}
    assert all(w.filename == __file__ for w in seen)


def test_pool_size(monkeypatch):
    def size(client):
        return client._request_client.session_manager.transport.pool.size

    assert size(Client(URL)) == 10
    monkeypatch.setenv("AIS_MAX_CONN_POOL", "4")
    assert size(Client(URL)) == 4
    assert size(Client(URL, max_pool_size=6)) == 6
    with pytest.raises(InvalidArgument, match="max_pool_size"):
        Client(URL, max_pool_size=-1)
    with pytest.raises(InvalidArgumentType):
        Client(URL, max_pool_size="6")


def test_token(monkeypatch):
    monkeypatch.setenv("AIS_AUTHN_TOKEN", "from-env")
    assert Client(URL)._request_client.token == "from-env"
    assert Client(URL, token="")._request_client.token == "from-env"
    client = Client(URL, token="sesame")
    assert client._request_client.token == "sesame"
    shown = f"{client!r} {client._request_client!r} {client._request_client.token!r} {vars(client)!r}"
    assert "sesame" not in shown
    assert repr(Secret("")) == "''"


# ---------------------------------------------------------------- TLS


def test_tls_precedence(monkeypatch):
    assert resolve_ssl_config() == (True, None)
    monkeypatch.setenv("AIS_CLIENT_CA", "/env/ca")
    monkeypatch.setenv("AIS_CRT", "/env/crt")
    assert resolve_ssl_config() == ("/env/ca", None)
    monkeypatch.setenv("AIS_CRT_KEY", "/env/key")
    assert resolve_ssl_config() == ("/env/ca", ("/env/crt", "/env/key"))
    assert resolve_ssl_config(ca_cert="/ca", client_cert="/pem") == ("/ca", "/pem")
    monkeypatch.setenv("AIS_SKIP_VERIFY", "yes")
    assert resolve_ssl_config()[0] is False
    assert resolve_ssl_config(False)[0] == "/env/ca"  # defect 37: the argument goes before the environment
    monkeypatch.setenv("AIS_SKIP_VERIFY_CRT", "")
    assert resolve_ssl_config()[0] == "/env/ca"
    assert resolve_ssl_config(skip_verify=True)[0] is False


def test_a_token_in_the_place_of_skip_verify_is_told_of():
    with pytest.warns(UserWarning, match="is it a token") as told:
        SessionManager(skip_verify="secret")
    assert "secret" not in str(told[0].message)


def test_session_has_the_same_settings():
    retry = urllib3.Retry(total=2)
    with pytest.warns(UserWarning, match="not verified"):
        manager = SessionManager(retry, "/ca", True, ("/crt", "/key"), 7)
    assert (manager.retry, manager.ca_cert, manager.skip_verify) == (retry, "/ca", True)
    assert manager.client_cert == ("/crt", "/key")
    session = manager.session
    assert isinstance(session, requests.Session)
    assert manager.session is session
    assert session.verify is False
    assert session.cert == ("/crt", "/key")
    assert session.get_adapter("https://x").max_retries is retry
    assert not session.trust_env
    manager.close()
    assert manager.session is not session
    manager.close()


def test_explicit_false_survives_pickling(monkeypatch):
    monkeypatch.setenv("AIS_SKIP_VERIFY_CRT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager = SessionManager(skip_verify=False)
    assert pickle.loads(pickle.dumps(manager)).skip_verify is False
    assert pickle.loads(pickle.dumps(UNSET_FALSE)) is UNSET_FALSE
    assert not UNSET_FALSE


# ---------------------------------------------------------------- a client as a value


def test_making_a_client_is_fast_and_sends_nothing():
    def make():
        started = time.thread_time()
        Client("http://no-such-host.invalid:1")
        return time.thread_time() - started

    assert min(make() for _ in range(20)) < 0.001


def test_equality_and_pickle():
    client = Client(URL, token="t", timeout=(1, 2), retry_config=RetryConfig.default())
    again = pickle.loads(pickle.dumps(client))
    assert again == client
    assert hash(again) == hash(client)
    assert again._request_client.token == "t"
    assert again._request_client.timeout == (1, 2)
    assert again != Client("http://other:1")
    assert client != URL
    assert len(pickle.dumps(client)) < 2000


def test_close_and_context_manager():
    with Client(URL) as client:  # defect 36
        assert client is not None
    client.close()


def test_factories_send_nothing():
    client = Client(URL)
    assert client.bucket("b", provider="s3").provider == Provider.AMAZON
    obj = client.get_object_from_url("gs://b/dir/name?x#y")
    assert (obj.bucket_name, obj.bucket_provider, obj.name) == ("b", Provider.GOOGLE, "dir/name?x#y")
    for url in ("ais://b", "ais:///name", "b/name", "://b/name", ""):
        with pytest.raises(InvalidURLException):
            client.get_object_from_url(url)
    for make in (lambda: client.bucket("b", provider="ftp"), lambda: client.get_object_from_url("ftp://b/o")):
        with pytest.raises(InvalidBckProvider):
            make()
    with pytest.raises(ValueError, match=r"[Nn]ame"):
        client.etl("No Good Name!")
    client.cluster()
    client.job("id", "kind")
    client.dsort("id")
    client.batch(["a"], bucket=client.bucket("b"))


def test_clone_and_urls():
    inner = Client(URL, token="t")._request_client
    other = inner.clone("http://z:2")
    assert other.base_url == "http://z:2/v1"
    assert (other.token, other.timeout) == ("t", (3, 20))
    assert other.session_manager is inner.session_manager
    assert inner.clone().base_url == inner.base_url
    assert inner.get_full_url("objects/b/o", {"a": 1, "b": True}) == f"{URL}/v1/objects/b/o?a=1&b=True"
    inner.token = "u"
    inner.timeout = 5
    inner.session_manager = SessionManager()
    assert (inner.token, inner.timeout) == ("u", 5)


def test_executor_properties():
    executor = RequestExecutor(URL + "/v1", SessionManager(), "t", (1, 2))
    assert (executor.base_url, executor.token, executor.timeout) == (URL + "/v1", "t", (1, 2))
    executor.timeout = None
    assert executor.timeout is None


@pytest.mark.parametrize(("name", "value"), [("AIS_READ_TIMEOUT", "-1"), ("AIS_MAX_CONN_POOL", "-1")])
def test_settings_out_of_range_are_told_and_left_out(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match=name):
        client = Client(URL)
    assert client._request_client.timeout == (3, 20)


def test_the_session_is_kept():
    manager = SessionManager()
    assert manager.session is manager.session
    manager.session = own = requests.Session()
    assert manager.session is own
    manager.close()
    own.close()
    assert repr(UNSET_FALSE) == "False"


def test_parameters_without_a_value_leave_no_mark():
    call = RequestExecutor(URL + "/v1", SessionManager())._prepare(
        "get", RequestExecutor(URL + "/v1", SessionManager())._base, "/v1/x", None, {"params": {"a": None}}
    )
    assert call.target == "/v1/x"


def test_bodies_through_a_session_of_the_program():
    class Session(requests.Session):
        def request(self, method, url, **kwargs):
            self.sent = kwargs["data"]
            response = requests.Response()
            response.status_code = 200
            return response

    manager = SessionManager()
    manager.session = session = Session()
    RequestClient(URL, manager).request("post", "x", data=b"body")
    assert session.sent == b"body"
    session.close()
