"""A token that the cluster no longer accepts is renewed: once a request, and by one of all threads."""

import io
import pickle
import threading

import pytest
from peer import wait_until
from scripted import Answer, scripted

from aistore import Client
from aistore.sdk import credentials as module
from aistore.sdk.authn import AuthNClient
from aistore.sdk.credentials import Credentials
from aistore.sdk.errors import AISUnauthorized, ErrObjNotFound, InvalidArgumentType


class Cluster:
    """Accepts the tokens in `good`; keeps what was accepted."""

    def __init__(self, *good):
        self.good = set(good)
        self.accepted = []

    def script(self, request):
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            return Answer(b"invalid token", 401)
        self.accepted.append((request.method, request.path, request.body))
        return Answer(b"ok")


class Tokens:
    """Gives `new-1`, `new-2`, ...; waits for the gate each time."""

    def __init__(self, error=None):
        self.count = 0
        self.error = error
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self):
        assert self.gate.wait(20)
        self.count += 1
        if self.error is not None:
            raise self.error
        return f"new-{self.count}"


@pytest.fixture
def run():
    """Make a scripted cluster, and a client of it with a renewal."""
    with_peers = []

    def make(cluster, refresh, token="old"):
        context = scripted(cluster.script)
        server, _ = context.__enter__()
        client = Client(server.endpoint, token=token, token_refresh=refresh)
        with_peers.append((client, context))
        return server, client

    yield make
    for client, context in with_peers:
        client.close()
        context.__exit__(None, None, None)


def test_a_refused_token_is_renewed_once(run):
    tokens = Tokens()
    server, client = run(Cluster("new-1"), tokens)
    obj = client.bucket("b").object("o")
    assert obj.get_reader().read_all() == b"ok"
    assert obj.get_reader().read_all() == b"ok"
    assert (tokens.count, len(server.requests)) == (1, 3)


def test_the_first_token_can_come_so(run):
    _, client = run(Cluster("new-1"), Tokens(), token="")
    assert client.bucket("b").object("o").get_reader().read_all() == b"ok"


def test_a_renewed_token_that_is_refused_too_is_an_error(run):
    tokens = Tokens()
    server, client = run(Cluster(), tokens)
    with pytest.raises(AISUnauthorized, match="invalid token"):
        client.bucket("b").object("o").delete()
    assert (tokens.count, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("given", ["", "old"])
def test_without_another_token_the_request_is_not_sent_again(run, given):
    server, client = run(Cluster(), lambda: given)
    with pytest.raises(AISUnauthorized):
        client.bucket("b").object("o").delete()
    assert len(server.requests) == 1


def test_other_errors_renew_nothing(run):
    tokens = Tokens()
    with scripted(lambda _: Answer(b'{"message":"ais://b/o does not exist"}', 404)) as (server, _):
        with Client(server.endpoint, token_refresh=tokens) as client, pytest.raises(ErrObjNotFound):
            client.bucket("b").object("o").get_reader().read_all()
    assert tokens.count == 0


def test_what_the_renewal_raises_is_raised(run):
    _, client = run(Cluster(), Tokens(ConnectionError("no AuthN service")))
    with pytest.raises(ConnectionError, match="no AuthN service"):
        client.bucket("b").object("o").delete()


def test_what_is_no_token_is_named(run):
    _, client = run(Cluster(), lambda: None)
    with pytest.raises(InvalidArgumentType, match="token_refresh returned NoneType"):
        client.bucket("b").object("o").delete()
    with pytest.raises(InvalidArgumentType, match="token_refresh of type str"):
        Client("http://localhost:8080", token_refresh="token")


@pytest.mark.parametrize("body", [b"data", [b"da", b"ta"], io.BytesIO(b"data")])
def test_bodies_are_sent_again_from_their_start(run, body):
    cluster = Cluster("new-1")
    _, client = run(cluster, Tokens())
    client._request_client.request("post", "x", data=body)
    assert cluster.accepted == [("POST", "/v1/x", b"data")]


def test_a_body_that_cannot_be_sent_again_is_not(run):
    cluster = Cluster("new-1")
    server, client = run(cluster, Tokens())
    with pytest.raises(AISUnauthorized):
        client._request_client.request("post", "x", data=iter([b"da", b"ta"]))
    assert (len(server.requests), cluster.accepted) == (1, [])
    client._request_client.request("post", "x", data=iter([b"da", b"ta"]))  # the token is a new one by now
    assert cluster.accepted == [("POST", "/v1/x", b"data")]


def test_clones_share_the_token(run):
    tokens = Tokens()
    _, client = run(Cluster("new-1"), tokens)
    clone = client._request_client.clone()
    assert clone.request("get", "x").text == "ok"
    assert client._request_client.token == "new-1"


def test_threads_share_a_renewal(run):
    tokens = Tokens()
    tokens.gate.clear()
    server, client = run(Cluster("new-1"), tokens)
    answers = []

    def ask():
        answers.append(client._request_client.request("get", "x").text)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(server.requests) == 8)
    tokens.gate.set()
    for thread in threads:
        thread.join(20)
    assert answers == ["ok"] * 8
    assert tokens.count == 1


def test_threads_that_wait_for_a_renewal_share_its_failure(monkeypatch):
    tokens = Tokens(ConnectionError())
    credentials = Credentials("old", tokens)
    # The second began to wait at 3 s for what failed at 5 s; the third asks at 6 s.
    clock = iter([0.0, 5.0, 3.0, 6.0, 7.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with pytest.raises(ConnectionError):
        credentials.renew("old")
    assert credentials.renew("old") is False
    assert tokens.count == 1
    with pytest.raises(ConnectionError):
        credentials.renew("old")
    assert tokens.count == 2


def renewed():
    return "new-1"


def test_renewals_pickle(run):
    _, client = run(Cluster("new-1"), renewed)
    copy = pickle.loads(pickle.dumps(client))
    with copy:
        assert copy.bucket("b").object("o").get_reader().read_all() == b"ok"


def test_logging_in_again(run):
    def authn(request):
        assert (request.method, request.path) == ("POST", "/v1/users/me")
        assert b'"password":"hidden"' in request.body
        return Answer(b'{"token":"new-1"}')

    with scripted(authn) as (service, _), AuthNClient(service.endpoint) as client:
        refresh = client.token_refresh("me", "hidden", expires_in=60)
        assert repr(refresh) == f"LoginAgain(AuthNClient({service.endpoint!r}), 'me')"
        refresh = pickle.loads(pickle.dumps(refresh))
        _, ais = run(Cluster("new-1"), refresh)
        assert ais.bucket("b").object("o").get_reader().read_all() == b"ok"
        refresh._authn.close()


def test_without_a_function_nothing_is_renewed():
    assert Credentials("old").renew("old") is False
