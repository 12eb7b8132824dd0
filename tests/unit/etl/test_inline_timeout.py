"""Objects that an ETL transforms on the way: how long a request waits, and that it is not repeated."""

import threading

import pytest
from scripted import Answer, scripted

from aistore.sdk.client import Client
from aistore.sdk.errors import AISConnectionError, AISReadTimeout, ErrServerFailure
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.transport.transport import Transport

DETAILS = '{"init_msg":{"name":"%s","communication":"hpush://","obj_timeout":"%s"}}'


class Etls:
    """A server with ETLs and their time limits."""

    def __init__(self):
        self.limits = {"slow-one": "2m", "other-one": "1m"}
        self.status = 200
        self.act = lambda: Answer(b"transformed")
        self.asked = []

    def script(self, request):
        what, _, name = request.path.removeprefix("/v1/").partition("/")
        if what == "etl":
            self.asked.append(name)
            if self.status != 200:
                return Answer(b'{"message":"no"}', self.status)
            if name not in self.limits:
                return Answer(b'{"message":"etl job[x] does not exist"}', 404)
            return Answer((DETAILS % (name, self.limits[name])).encode())
        return self.act() if request.params.get("etl_name") else Answer(b"stored")


@pytest.fixture
def etls():
    etls = Etls()
    with scripted(etls.script) as (server, _):
        etls.endpoint, etls.requests = server.endpoint, server.requests
        yield etls


@pytest.fixture
def waits(monkeypatch):
    """The read timeouts of requests for objects, in order."""
    found = []
    send = Transport.send

    def note(self, call):
        if "/objects/" in call.target:
            found.append((call.connect, call.read))
        return send(self, call)

    monkeypatch.setattr(Transport, "send", note)
    return found


def read(client, etl="slow-one"):
    return client.bucket("b").object("o").get_reader(etl=ETLConfig(etl)).read_all()


def gets(etls):
    return [request for request in etls.requests if "/objects/" in request.path]


def test_waits_as_long_as_the_etl_may(etls, waits):
    with Client(etls.endpoint) as client:
        for _ in range(3):
            assert read(client) == b"transformed"
        client.bucket("b").object("o").get_reader().read_all()
        read(client, client.etl("slow-one") >> client.etl("other-one"))
        client.bucket("b").object("o").copy(client.bucket("b").object("p"), etl=ETLConfig("slow-one"))
    assert waits == [(3, 123)] * 3 + [(3, 20), (3, 183), (3, 123)]
    assert etls.asked == ["slow-one", "other-one"]


@pytest.mark.parametrize("status", [403, 500, 404])
def test_waits_45_seconds_where_the_limit_cannot_be_known(etls, waits, status, monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.time.sleep", lambda _: None)
    etls.status = status
    with Client(etls.endpoint) as client:
        read(client)
        read(client)
    assert waits == [(3, 48)] * 2
    assert len(etls.asked) == 1 or status == 404


def test_limit_of_an_etl_that_is_started_again_is_asked_for_again(etls, waits):
    with Client(etls.endpoint) as client:
        read(client)
        etls.limits["slow-one"] = "5m"
        client.etl("slow-one").delete()
        read(client)
    assert waits == [(3, 123), (3, 303)]


def test_limits_of_the_program_hold_for_etls_too(etls, waits, monkeypatch):
    with Client(etls.endpoint, timeout=(2, 7)) as client:
        read(client)
    with Client(etls.endpoint) as client:
        client.bucket("b").client.timeout = 9
        read(client)
    monkeypatch.setenv("AIS_READ_TIMEOUT", "30")
    with Client(etls.endpoint) as client:
        read(client)
    assert waits == [(2, 7), (9, 9), (3, 30)]
    assert etls.asked == []


def _break():
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("act", "error"),
    [(_break, AISConnectionError), (lambda: Answer(b"late", 504), ErrServerFailure)],
    ids=["broken", "504"],
)
def test_transform_that_may_be_running_is_not_started_again(etls, act, error):
    etls.act = act
    with Client(etls.endpoint) as client, pytest.raises(error):
        read(client)
    assert len(gets(etls)) == 1


def test_transform_that_takes_too_long_is_not_started_again(etls):
    ended = threading.Event()
    etls.act = lambda: ended.wait(60) and Answer(b"late")
    try:
        with (
            Client(etls.endpoint, timeout=(5, 0.2), retry_config=RetryConfig.default()) as client,
            pytest.raises(AISReadTimeout),
        ):
            read(client)
        assert len(gets(etls)) == 1
    finally:
        ended.set()


def test_transform_that_was_refused_is_asked_for_again(etls, monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.time.sleep", lambda _: None)
    answers = [Answer(b"busy", 503), Answer(b"transformed")]
    etls.act = lambda: answers.pop(0)
    with Client(etls.endpoint) as client:
        assert read(client) == b"transformed"
