"""Retries by cause and method, with a budget; policies of the program; cold GETs."""

import io
import logging
import pickle
import socket
import threading

import pytest
import requests
import tenacity
import urllib3
from peer import answer, redirect

from aistore.sdk.errors import (
    AISConnectionError,
    AISConnectionRefused,
    AISError,
    AISReadTimeout,
    AISUnrewindableBodyError,
    ErrGETConflict,
    ErrObjNotFound,
    ErrServerFailure,
    ErrTooManyRequests,
    Timeout,
)
from aistore.sdk.retry_config import NETWORK_RETRY_EXCEPTIONS, ColdGetConf, RetryConfig
from aistore.sdk.retry_manager import _as_urllib3, _Attempt, _cold_get

OBJ = "objects/b/o"


class Clock:
    """A clock that only sleeping moves: a busy machine cannot use up a budget."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def monotonic(self):
        return self.now

    time = monotonic

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (
        "retry_manager",
        *(f"transport.{name}" for name in ("connection", "exchange", "stream", "transport")),
    ):
        monkeypatch.setattr(f"aistore.sdk.{module}.time", clock)
    return clock


def drop(line, _):
    return None


# ---------------------------------------------------------------- the SDK's own policy


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_recovers(peers, rc, clock, status):
    peer = peers(answer(status, b"busy"), answer(status, b"busy"), answer(200, b"ok"))
    r = rc(peer).request("get", OBJ)
    assert (r.content, r.attempts) == (b"ok", 3)
    assert len(clock.slept) == 2


@pytest.mark.parametrize(("status", "cls"), [(503, ErrServerFailure), (429, ErrTooManyRequests)])
def test_final_error_says_all_within_the_budget(peers, rc, clock, status, cls):  # defect 18
    peer = peers(answer(status, b'{"message":"node is starting","tcode":"ErrX","node":"p[1]"}'))
    with pytest.raises(cls, match="node is starting") as info:
        rc(peer).request("get", OBJ)
    err = info.value
    assert (err.status_code, err.attempts, err.tcode, err.node) == (
        status,
        len(peer.requests),
        "ErrX",
        "p[1]",
    )
    assert err.req_url.endswith("/v1/objects/b/o")
    assert isinstance(err, requests.exceptions.RetryError)
    assert sum(clock.slept) < 30
    assert len(peer.requests) > 5


def test_500_is_final(peers, rc, clock):
    peer = peers(answer(500, b"broken"))
    with pytest.raises(ErrServerFailure, match="broken"):
        rc(peer).request("get", OBJ)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("method", "path", "kwargs"),
    [
        ("post", "buckets/b", {"json": {"action": "create-bck"}}),
        ("put", "etl", {"json": {}}),
        ("put", OBJ, {"params": {"append_type": "append", "append_handle": ""}, "data": b"x"}),
        ("put", OBJ, {"params": {"uploadId": "u", "partNumber": "1"}, "data": b"x"}),
        ("patch", OBJ, {"json": {}}),
    ],
)
def test_what_may_have_run_is_not_sent_again(peers, rc, clock, method, path, kwargs):  # defect 4
    def script(peer, line):
        request = line.read()
        peer.requests.append(request)
        if request.header("expect"):
            line.send(redirect(f"{peer.url}{request.target}&pid=1"))

    peer = peers(script=script)
    with pytest.raises(AISConnectionError) as info:
        rc(peer).request(method, path, **kwargs)
    assert info.value.may_have_run
    assert info.value.attempts == 1
    assert len([r for r in peer.requests if r.body]) == 1
    assert not clock.slept
    peer = peers(answer(504, b"maybe"))
    with pytest.raises(ErrServerFailure):
        rc(peer).request(method, path, **kwargs)
    assert len(peer.requests) == 1


def test_what_cannot_have_run_is_sent_again(peers, rc, clock):
    peer = peers(answer(503), answer(200))
    assert rc(peer).request("post", "buckets/b", json={}).ok
    assert len(peer.requests) == 2


def test_idempotent_requests_survive_lost_connections(peers, rc, clock):
    peer = peers(drop, drop, answer(200, b"x"))
    assert rc(peer).request("get", OBJ).attempts == 3


def test_cut_body_is_read_again(peers, rc, clock):
    def cut(line, _):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    assert rc(peers(cut, answer(200, b"whole"))).request("get", OBJ).content == b"whole"


def test_refused_endpoint_fails_within_5_s(rc, clock):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    client = rc(f"http://127.0.0.1:{port}")
    with pytest.raises(AISConnectionRefused, match="attempts") as info:
        client.request("post", "buckets/b", json={})
    assert 1 < sum(clock.slept) < 5
    assert info.value.attempts == len(clock.slept) + 1


def test_a_machine_that_oversleeps_reports_the_cause(rc, clock, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    exact = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda seconds: exact(seconds + 2))
    with pytest.raises(AISConnectionRefused):
        rc(f"http://127.0.0.1:{port}", timeout=(5, 5, 2)).request("get", OBJ)


def test_slow_server_does_not_outlast_the_budget(peers, rc, monkeypatch):
    from aistore.sdk.transport.retry import Budget

    gate = threading.Event()
    peer = peers(lambda *_: (gate.wait(100), None)[1])
    client = rc(peer, timeout=(5, 0.2))
    client._retry_manager.budget = Budget(total=0.5, first=0.01)
    with pytest.raises(AISReadTimeout) as info:
        client.request("get", OBJ)
    gate.set()
    assert info.value.attempts >= 2


def test_total_limits_the_retries_too(peers, rc, clock):
    peer = peers(answer(503, b"busy"))
    with pytest.raises(ErrServerFailure):
        rc(peer, timeout=(5, 5, 2)).request("get", OBJ)
    assert sum(clock.slept) < 2


def test_retry_after(peers, rc, clock):
    peer = peers(answer(503, b"", "Retry-After: 7"), answer(200))
    rc(peer).request("get", OBJ)
    assert clock.slept == [7.0]
    peer = peers(answer(503, b"", "Retry-After: 700"))
    with pytest.raises(ErrServerFailure):
        rc(peer).request("get", OBJ)
    assert len(peer.requests) == 1


def test_conflict_of_a_get(peers, rc, clock):
    peer = peers(answer(409, b"cold GET of aws://b/o"))
    with pytest.raises(ErrGETConflict):
        rc(peer).request("get", OBJ)
    assert len(peer.requests) == 3
    assert rc(peers(answer(409), answer(200, b"x"))).request("get", OBJ).content == b"x"


def test_missing_is_not_asked_for_again(peers, rc, clock):
    peer = peers(answer(404, b"ais://b/o does not exist"))
    with pytest.raises(ErrObjNotFound):
        rc(peer).request("get", OBJ)
    assert len(peer.requests) == 1


def test_bodies_are_rewound(peers, rc, clock, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"xxpayload")
    with path.open("rb") as file:
        file.seek(2)
        for data in (b"payload", io.BytesIO(b"payload"), file, [b"pay", b"load"]):
            target = peers(answer(503), answer(200))
            proxy = peers(lambda _, r, t=target: redirect(t.url + r.target))
            rc(proxy).request("put", OBJ, data=data)
            assert [r.body for r in target.requests] == [b"payload", b"payload"]


def test_body_that_cannot_be_rewound(peers, rc, clock):
    target = peers(answer(503, b"busy"))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    with pytest.raises(AISUnrewindableBodyError) as info:
        rc(proxy).request("put", OBJ, data=iter([b"once"]))
    assert isinstance(info.value, requests.exceptions.UnrewindableBodyError)
    assert len(target.requests) == 1


def test_untouched_iterator_is_still_good(peers, rc, clock):
    target = peers(answer(200))
    proxy = peers(answer(503), lambda _, r: redirect(target.url + r.target))
    rc(proxy).request("put", OBJ, data=iter([b"once"]))
    assert target.requests[0].body == b"once"


def test_streams_of_failed_attempts_are_closed(peers, rc, clock):
    peer = peers(answer(503, b"x" * 200_000), answer(200, b"ok"))
    with rc(peer).request("get", OBJ, stream=True) as r:
        assert r.content == b"ok"


def test_logs_have_no_handlers_of_ours(peers, rc, clock, caplog):  # defect 34
    caplog.set_level(logging.DEBUG, "aistore")
    rc(peers(answer(503), answer(200))).request("get", OBJ)
    assert "again in" in caplog.text
    for name in ("aistore", "aistore.sdk.retry", "aistore.sdk.transport"):
        assert not logging.getLogger(name).handlers
        assert logging.getLogger(name).propagate


# ---------------------------------------------------------------- policies of the program


def http_retry(**kwargs):
    given = {
        "total": 2,
        "backoff_factor": 0,
        "status_forcelist": [500, 503],
        "connect": 0,
        "read": 0,
        **kwargs,
    }
    return urllib3.Retry(**given)


def network_retry(attempts=3, **kwargs):
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_none(),
        retry=tenacity.retry_if_exception_type(NETWORK_RETRY_EXCEPTIONS),
        reraise=True,
        **kwargs,
    )


def test_own_http_retry_counts_statuses(peers, rc):
    config = RetryConfig.default()
    config.http_retry = http_retry()
    assert config.has_own_http_retry
    assert not config.has_own_network_retry
    peer = peers(answer(500, b"no"))
    with pytest.raises(ErrServerFailure, match="no") as info:
        rc(peer, retry_config=config).request("get", OBJ)
    assert len(peer.requests) == info.value.attempts == 3
    peer = peers(answer(500, b"no"))
    with pytest.raises(AISError):
        rc(peer, retry_config=config).request("post", "x", json={})
    assert len(peer.requests) == 1


def test_own_http_retry_counts_connections(peers, rc):
    config = RetryConfig(http_retry(connect=2, read=1), network_retry(1))
    peer = peers(drop)
    with pytest.raises(AISConnectionError):
        rc(peer, retry_config=config).request("get", OBJ)
    assert len(peer.requests) == 2
    peer = peers(drop, answer(200))
    with pytest.raises(AISConnectionError):
        rc(peer, retry_config=config).request("post", "x")
    with pytest.raises(AISConnectionRefused) as info:
        rc("http://127.0.0.1:1", retry_config=config).request("get", OBJ)
    assert info.value.attempts == 3


def test_own_network_retry(peers, rc):
    config = RetryConfig.default()
    config.network_retry = network_retry()
    assert config.has_own_network_retry
    peer = peers(drop)
    with pytest.raises(AISConnectionError) as info:
        rc(peer, retry_config=config).request("post", "x", json={})
    assert len(peer.requests) == info.value.attempts == 3
    peer = peers(drop, answer(200, b"x"))
    assert rc(peer, retry_config=config).request("get", OBJ).content == b"x"
    peer = peers(answer(404, b"ais://b/o"))
    with pytest.raises(ErrObjNotFound):
        rc(peer, retry_config=config).request("get", OBJ)
    assert len(peer.requests) == 1
    config.network_retry = None
    peer = peers(drop)
    with pytest.raises(AISConnectionError):
        rc(peer, retry_config=config).request("get", OBJ)
    assert len(peer.requests) == 1


def test_changed_default_is_the_programs_own():
    config = RetryConfig.default()
    config.network_retry.stop = tenacity.stop_after_attempt(1)
    assert config.has_own_network_retry
    config = RetryConfig.default()
    config.http_retry.total = 0
    assert config.has_own_http_retry
    config = RetryConfig.default()
    assert config.network_retry is config.network_retry
    assert config.http_retry.total == 5
    assert not config.has_own_network_retry
    assert not config.has_own_http_retry
    with pytest.raises(AttributeError):
        config.nothing  # noqa: B018


def test_tenacity_error_is_what_the_program_asked_for(peers, rc):
    retry = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_none())
    with pytest.raises(tenacity.RetryError):
        rc(peers(drop), retry_config=RetryConfig(http_retry(), retry)).request("get", OBJ)


def test_policies_pickle_whole():  # defect 39
    seen = []
    config = RetryConfig(
        http_retry(total=9), network_retry(2, before_sleep=seen.append), ColdGetConf(max_cold_wait=7)
    )
    again = pickle.loads(pickle.dumps(config))
    assert again.http_retry.total == 9
    assert again.network_retry.stop.max_attempt_number == 2
    assert again.cold_get_conf.max_cold_wait == 7
    assert again.has_own_http_retry
    assert again.has_own_network_retry
    default = pickle.loads(pickle.dumps(RetryConfig.default()))
    assert default == RetryConfig.default()
    assert default != config
    same = config
    assert config == same
    assert config != 5
    config.network_retry = None
    assert pickle.loads(pickle.dumps(config)).network_retry is None
    assert len(pickle.dumps(RetryConfig.default())) < 300


# ---------------------------------------------------------------- cold GET


def cold_script(gate, checks):
    def script(peer, line):
        while (request := line.read()) is not None:
            peer.requests.append(request)
            if request.method == "GET":
                if len([r for r in peer.requests if r.method == "GET"]) == 1:
                    gate.wait(20)
                    return
                line.send(answer(200, b"fetched"))
            elif request.method == "HEAD":
                line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            else:
                line.send(answer(checks.pop(0)))

    return script


@pytest.mark.parametrize("own", [False, True])
def test_cold_get_waits_for_the_lock(peers, rc, monkeypatch, own):
    slept = []
    monkeypatch.setattr("aistore.sdk.lock_poller.time.sleep", slept.append)
    monkeypatch.setattr("aistore.sdk.retry_manager.next_pause", lambda *_, **__: 0.0)
    gate = threading.Event()
    peer = peers(script=cold_script(gate, [423, 423, 423, 200]))
    config = RetryConfig.default()
    if own:
        config.network_retry = network_retry()
    client = rc(peer, timeout=(5, 0.1), retry_config=config)
    r = client.request("get", OBJ, params={"provider": "aws", "namespace": "@#n"})
    gate.set()
    assert r.content == b"fetched"
    assert [p for p in slept if p] == [2, 2, 2]
    posts = [p for p in peer.requests if p.method == "POST"]
    assert posts[0].target == "/v1/objects/b/o?provider=aws&namespace=%40%23n"
    assert b"check-lock" in posts[0].body
    head = next(p for p in peer.requests if p.method == "HEAD")
    assert head.target.endswith("&presence=0&props=size")


def test_warm_get_asks_for_no_lock(peers, rc, monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.next_pause", lambda *_, **__: None)
    gate = threading.Event()
    peer = peers(script=cold_script(gate, [200]))
    for params in ({"provider": "ais"}, {}, {"provider": "nonsense"}):
        with pytest.raises(AISReadTimeout):
            rc(peer, timeout=(5, 0.05)).request("get", OBJ, params=params)
        peer.requests.clear()
    gate.set()


def test_lock_that_is_never_freed(peers, rc, monkeypatch):
    from aistore.sdk.lock_poller import LockPoller

    clock = Clock()
    monkeypatch.setattr("aistore.sdk.lock_poller.time", clock)
    peer = peers(lambda _, r: answer(423) if r.method == "POST" else answer(500))
    client = rc(peer)
    req = requests.Request("GET", f"{peer.url}/v1/objects/b/o?provider=aws").prepare()
    with pytest.raises(Timeout, match="locked"):
        LockPoller(client._executor, ColdGetConf(max_cold_wait=9, enable_remote_head=False)).wait_for_unlock(
            req
        )
    assert sum(clock.slept) == 9
    assert next(r for r in peer.requests if r.method == "HEAD").target.endswith("presence=2&props=size")


def test_looking_at_the_lock_is_only_an_aid(peers, rc, monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.next_pause", lambda *_, **__: 0.0)

    def fail(*args):
        raise Timeout("the lock")

    monkeypatch.setattr("aistore.sdk.lock_poller.LockPoller.wait_for_unlock", fail)
    gate = threading.Event()
    r = rc(peers(script=cold_script(gate, [])), timeout=(5, 0.1)).request(
        "get", OBJ, params={"provider": "aws"}
    )
    gate.set()
    assert r.content == b"fetched"


def test_hooks_of_a_policy_are_called(peers, rc):
    seen = []
    config = RetryConfig.default()
    config.network_retry = network_retry(before_sleep=lambda state: seen.append(state.attempt_number))
    assert rc(peers(drop, answer(200, b"x")), retry_config=config).request("get", OBJ).content == b"x"
    assert seen == [1]
    manager = rc(peers(answer(200, b"x")), retry_config=config)._retry_manager
    results = iter(["not yet", "done"])
    config.network_retry = network_retry()
    config.network_retry.retry = tenacity.retry_if_result(lambda text: text != "done")
    attempt = _Attempt(lambda: None, (), {})
    assert manager._by_network_retry(attempt, lambda: next(results)) == "done"


def test_kinds_of_failures_for_policies_of_urllib3():
    assert isinstance(_as_urllib3(requests.exceptions.SSLError()), urllib3.exceptions.SSLError)
    assert isinstance(_as_urllib3(requests.exceptions.ConnectionError()), urllib3.exceptions.ProtocolError)


def test_failures_without_a_request_have_no_lock():
    assert _cold_get(AISReadTimeout("no request is known")) is None
