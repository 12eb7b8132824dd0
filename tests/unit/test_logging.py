"""Log lines: what they say, what they never say, and that they cost nothing when nobody listens."""

import logging
import pickle
import re
import traceback

import pytest
import requests
from scripted import Answer, scripted
from urllib3 import Retry

from aistore import Client
from aistore.sdk.authn import AuthNClient
from aistore.sdk.errors import SDKError
from aistore.sdk.polling import poll
from aistore.sdk.retry_config import RetryConfig

CANARY = "canary-7f3a9d"
SIGNATURE = "canary-signature"


def redirect(request):
    place = f"http://{request.headers['host']}{request.path}?provider=ais&pid=p&utm=1&vpams={SIGNATURE}"
    return Answer(status=307, headers={"Location": place})


def answer(request):
    if "/objects/" in request.path and "utm" not in request.params:
        return redirect(request)
    if "missing" in request.path:
        return Answer(b'{"status": 404, "message": "no such object"}', status=404)
    return Answer(b"" if request.method == "PUT" else b"content", headers={"Ais-Version": "1"})


@pytest.fixture
def debug(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


def lines(caplog, name="aistore.sdk.transport"):
    return [record.getMessage() for record in caplog.records if record.name == name]


def test_a_request(debug):
    with scripted(answer) as (server, _), Client(server.endpoint, timeout=10) as client:
        endpoint = server.endpoint
        obj = client.bucket("bck").object("a")
        obj.head()
        obj.get_reader().read_all()
        obj.get_reader().as_file().read()
    connected, head, get, stream = lines(debug)
    assert re.fullmatch(rf"connected to {endpoint[7:]} in \d+\.\d ms", connected)
    place = re.escape(f"{endpoint}/v1/objects/bck/a")
    assert re.fullmatch(rf"HEAD {place} -> 200, 0 bytes, \d+\.\d ms, attempt 1", head)
    assert re.fullmatch(rf"GET {place} -> 200, 7 bytes, \d+\.\d ms, attempt 1", get)
    assert re.fullmatch(rf"GET {place} -> 200, body streamed, \d+\.\d ms, attempt 1", stream)


def test_retries(debug):
    calls = []

    def script(request):
        calls.append(request)
        return Answer(status=503, headers={"Retry-After": "0"}) if len(calls) == 1 else Answer(b"x")

    with scripted(script) as (server, _), Client(server.endpoint, timeout=10) as client:
        client._request_client.request("get", "daemon", params={"signature": SIGNATURE})
    said = lines(debug, "aistore.sdk.retry")
    assert len(said) == 1
    assert re.fullmatch(r"get daemon, attempt 1: 429 or 503; again in \d\.\d\d s", said[0])
    attempts = [line.rpartition(" ")[2] for line in lines(debug) if " -> " in line]
    assert attempts == ["1", "2"]


@pytest.mark.parametrize(
    "config", [None, RetryConfig(http_retry=Retry(2, status_forcelist=[500]), network_retry=None)]
)
def test_attempts_under_a_policy_of_the_program(debug, config):
    calls = []

    def script(request):
        calls.append(request)
        return Answer(status=500 if config else 503) if len(calls) == 1 else Answer(b"x")

    with scripted(script) as (server, _), Client(server.endpoint, retry_config=config, timeout=10) as client:
        client._request_client.request("get", "daemon")
        assert client.stats().retries == 1
    assert [line[-9:] for line in lines(debug) if " -> " in line] == ["attempt 1", "attempt 2"]


def test_failures(debug):
    with scripted(lambda request: Answer(b"0123456789", cut=4)) as (server, _):
        endpoint = server.endpoint
        with Client(endpoint, timeout=10) as client, pytest.raises(SDKError):
            client._request_client.request("post", "cluster", json={}, params={"signature": SIGNATURE})
    (line,) = [line for line in lines(debug) if "POST" in line]
    assert line.startswith(f"POST {endpoint}/v1/cluster: AISChunkedEncodingError: connection lost")
    assert line.endswith("attempt 1")
    assert SIGNATURE not in line


def test_waits(debug):
    looks = iter([None, None, "done"])
    assert poll(lambda: next(looks), timeout=10, action="job 'x'", max_interval=0.01) == "done"
    said = lines(debug, "aistore.sdk.polling")
    assert said[0] == "waiting for job 'x', at most 10 s"
    assert re.fullmatch(r"job 'x': over after \d\.\d\d s", said[1])
    assert len(said) == 2


def test_nothing_is_made_for_nobody(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    made = []
    monkeypatch.setattr(logging.Logger, "makeRecord", lambda *args, **kwargs: made.append(args))
    with scripted(answer) as (server, _), Client(server.endpoint, timeout=10) as client:
        client.bucket("bck").object("a").get_reader().read_all()
    assert made == []


# ------------------------------------------------------------ secrets


def everything(caplog, errors):
    """All that a program may print: log lines with their arguments and tracebacks, errors in every form."""
    said = [caplog.text, *(str(vars(record)) for record in caplog.records)]
    for err in errors:
        said += [str(err), repr(err), "".join(traceback.format_exception(err))]
        said.append(str(vars(pickle.loads(pickle.dumps(err)))))
        request = getattr(err, "request", None)
        if request is not None:
            said.append(str(dict(request.headers)))
    return "\n".join(said)


def attempt(errors, work):
    try:
        work()
    except (SDKError, requests.exceptions.RequestException, ValueError) as err:
        errors.append(err)


def test_tokens_are_in_no_line_and_no_error(debug):
    with scripted(lambda request: Answer(b"content")) as (foreign, _):
        calls = []

        def script(request):
            calls.append(request)
            if "refused" in request.path:
                return Answer(status=401)
            if "busy" in request.path:
                return Answer(status=503, headers={"Retry-After": "0"})
            if "cut" in request.path:
                return Answer(b"0123456789", cut=4)
            if "garbage" in request.path:
                return Answer(headers={"Content-Length": f"12{CANARY[:0]}x"})
            if "foreign" in request.path:
                return Answer(status=307, headers={"Location": f"{foreign.endpoint}/x?sig={SIGNATURE}"})
            if request.path == "/v1/daemon":
                return Answer(b'{"pmap": {}, "tmap": {}}')
            return answer(request)

        errors = []
        renewed = iter([f"{CANARY}-2"])
        with (
            scripted(script) as (server, _),
            Client(
                server.endpoint, token=CANARY, timeout=(2, 2, 0.3), token_refresh=lambda: next(renewed)
            ) as client,
        ):
            endpoint = server.endpoint
            bucket = client.bucket("bck")
            for name in ("a", "missing", "busy", "cut", "garbage", "foreign"):
                attempt(errors, lambda: bucket.object(name).get_reader().read_all())  # noqa: B023
                attempt(errors, lambda: bucket.object(name).get_writer().put_content(b"x"))  # noqa: B023
                attempt(errors, lambda: bucket.object(name).head())  # noqa: B023
            attempt(errors, lambda: bucket.object("refused").head())
            attempt(errors, bucket.list_all_objects)
            attempt(errors, lambda: list(client.batch(["a"], bucket=bucket).get()))
            attempt(errors, lambda: client.cluster().get_info())
            attempt(errors, lambda: client._request_client.request("post", "cluster", json={}))
            shown = f"{client!r} {client._request_client!r} {client._request_client.token!r} {client.stats()}"
    # The server is gone: no connection.
    with Client(endpoint, token=CANARY, timeout=(1, 1)) as client:
        attempt(errors, lambda: client._request_client.request("get", "x", timeout=(0.2, 0.2, 0.3)))
    attempt(
        errors,
        lambda: Client(
            "http://localhost:1", token=f"{CANARY}\r\nX: y", timeout=(1, 1, 0.2)
        )._request_client.request("get", "x"),
    )
    assert any(request.headers.get("authorization") == f"Bearer {CANARY}" for request in calls)
    assert any(request.headers.get("authorization") == f"Bearer {CANARY}-2" for request in calls)
    assert not any("authorization" in request.headers for request in foreign.requests)
    assert len(errors) > 8
    assert CANARY not in everything(debug, errors)
    assert CANARY not in shown
    assert SIGNATURE not in debug.text


def test_passwords_are_in_no_line_and_no_error(debug):
    def script(request):
        if request.method == "POST" and CANARY.encode() in request.body:
            return Answer(b'{"token": "%s"}' % f"{CANARY}-token".encode())
        return Answer(b'{"message": "no"}', status=403)

    errors = []
    with scripted(script) as (server, _):
        authn = AuthNClient(server.endpoint, timeout=5)
        assert authn.login("me", CANARY) == f"{CANARY}-token"
        attempt(errors, lambda: authn.login("me", "wrong"))
        attempt(errors, lambda: authn.user_manager().list())
        attempt(errors, authn.logout)
        shown = f"{authn!r}"
    assert errors
    assert CANARY not in everything(debug, errors) + shown
