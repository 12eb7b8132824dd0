"""Programs' tests put a mock in the place of the client: objects use it as the 2.0.0 package did."""

from unittest.mock import Mock, patch

import pytest
import requests

from aistore.sdk.authn import AuthNClient
from aistore.sdk.bucket import Bucket
from aistore.sdk.client import Client
from aistore.sdk.request_client import RequestClient
from aistore.sdk.session_manager import SessionManager
from aistore.version import __version__

URL = "http://localhost:8080"


@pytest.fixture
def client():
    return Mock(spec=RequestClient, base_url=f"{URL}/v1")


def test_a_status_that_a_mocked_client_let_pass_is_noticed(client):
    client.request.return_value = Mock(spec=requests.Response, headers={}, content=b"abc")
    reader = Bucket("b", client).object("o").get_reader()
    assert reader.read_all() == b"abc"
    client.request.return_value.raise_for_status.assert_called_once_with()
    client.request.return_value.raise_for_status.side_effect = requests.HTTPError("404")
    with pytest.raises(requests.HTTPError):
        reader.read_all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": 1}, "`num_workers` must be at least 2"),
        ({"num_workers": 2, "byte_range": "bytes=0-1"}, "Cannot use `num_workers` with `byte_range`"),
    ],
)
def test_messages_that_programs_match(client, options, message):
    with pytest.raises(ValueError, match=message):
        Bucket("b", client).object("o").get_reader(**options)


def test_no_token_is_none(monkeypatch):
    monkeypatch.delenv("AIS_AUTHN_TOKEN", raising=False)
    assert Client(URL)._request_client.token is None
    assert Client(URL, token="")._request_client.token is None
    assert AuthNClient(URL).client.token is None
    client = Client(URL, token="abc")._request_client
    assert client.token == "abc"
    assert "abc" not in repr(client.token)


def test_a_class_in_the_place_of_the_request_client_gets_what_the_2_0_0_package_gave_it():
    with patch("aistore.sdk.client.RequestClient") as made, patch("aistore.sdk.client.SessionManager"):
        Client(URL, token="t", timeout=(3, 4))
    assert set(made.call_args.kwargs) == {"endpoint", "session_manager", "timeout", "token", "retry_config"}
    with (
        patch("aistore.sdk.authn.authn_client.RequestClient") as made,
        patch("aistore.sdk.authn.authn_client.SessionManager") as sessions,
    ):
        AuthNClient(URL)
    assert set(made.call_args.kwargs) == {
        "endpoint",
        "session_manager",
        "timeout",
        "token",
        "response_handler",
    }
    assert set(sessions.call_args.kwargs) == {"retry", "ca_cert", "skip_verify"}


def test_without_a_pool_no_connection_is_kept_for_long(monkeypatch):
    monkeypatch.setenv("AIS_MAX_CONN_POOL", "0")
    assert Client(URL)._request_client.session_manager.transport.pool.size == 0
    assert Client(URL, max_pool_size=0)._request_client.session_manager.session.adapters


@pytest.mark.parametrize("timeout", [None, (3, 4)])
def test_a_session_gets_what_was_asked_for_and_no_more(timeout):
    manager = Mock(spec=SessionManager, session=Mock(spec=requests.Session))
    manager.session.request.return_value = Mock(spec=requests.Response, status_code=200)
    RequestClient(URL, manager, timeout=timeout).request("get", path="daemon", params={"what": "smap"})
    manager.session.request.assert_called_once_with(
        "get",
        f"{URL}/v1/daemon",
        params={"what": "smap"},
        headers={"User-Agent": f"ais/python/{__version__}"},
        **({"timeout": timeout} if timeout else {}),
    )
