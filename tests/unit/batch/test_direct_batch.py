"""Batches read straight from their owners, when targets do not answer as they should."""

import math
import threading

import pytest
from calls import Count
from routed_site import Site
from scripted import Answer

from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.direct import DirectResults
from aistore.sdk.batch.errors import ErrBatchIncomplete
from aistore.sdk.client import Client
from aistore.sdk.errors import AISError, InvalidArgument

NAMES = [str(n) for n in range(300)]
CONTENT = {name: name.encode() * 100 for name in NAMES}


@pytest.fixture
def site():
    site = Site()
    site.objects.update(CONTENT)
    yield site
    site.close()


@pytest.fixture
def client(site):
    with Client(site.proxy.endpoint, direct=True, timeout=(5, 5)) as client:
        yield client


def read(client, names=NAMES, **options):
    results = client.batch(names, client.bucket("b"), strategy="direct", **options).get()
    assert isinstance(results, DirectResults)
    return [data for _, data in results]


def test_many_requests_on_few_connections(site, client):
    for _ in range(2):
        assert read(client) == list(CONTENT.values())
    assert all(target.connections <= 4 for target in site.targets)
    straight = [r for target in site.targets for r in target.requests]
    assert len(straight) == 600
    assert len(site.proxy.requests) <= 4  # a redirect and the map, and once more after a second


@pytest.mark.parametrize("chunked", [True, False])
def test_large_and_chunked_bodies(site, client, chunked):
    site.objects["large"] = bytes(range(256)) * 2000
    site.hook = lambda request, answer: Answer(answer.body, chunked=chunked)
    names = ["1", "large", "2", "large", "large", "3"] * 5
    assert read(client, names) == [site.objects[name] for name in names]


def test_a_connection_that_ends_midway(site, client):
    def hook(request, answer):
        if request.path.endswith("/7"):
            return Answer(answer.body, cut=3)
        if request.path.endswith("/100"):
            return Answer(answer.body, cut=3, reset=True)
        if request.path.endswith("/150"):
            answer.headers["Connection"] = "close"
        return answer

    failures = {"7": 1, "100": 1}

    def once(request, answer):
        name = request.path.rpartition("/")[2]
        if failures.get(name):
            failures[name] -= 1
            return hook(request, answer)
        return hook(request, answer) if name == "150" else answer

    site.hook = once
    assert read(client) == list(CONTENT.values())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"no", status=503),
        Answer(b"no", status=404),
        Answer(b"no", headers={"Transfer-Encoding": "gzip"}),
        Answer(b"no", headers={"Content-Encoding": "gzip"}),
        Answer(b"no", status=101),
        Answer(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}),
    ],
)
def test_whatever_a_target_says_the_proxy_is_asked(site, client, answer):
    pending = set(NAMES[10:300:50])

    def hook(request, good):
        name = request.path.rpartition("/")[2]
        if name in pending:
            pending.discard(name)
            return answer
        return good

    site.hook = hook
    assert read(client) == list(CONTENT.values())
    assert not pending


def test_a_target_that_is_gone(site, client):
    site.targets[0].close()
    site.listed = [1]
    assert read(client) == list(CONTENT.values())


def test_a_target_that_goes_midway(site, client):
    results = client.batch(NAMES, client.bucket("b"), strategy="direct").get()
    got = [next(results)[1]]
    site.targets[0].close()
    site.listed = [1]
    got += [data for _, data in results]
    assert got == list(CONTENT.values())


def test_a_target_that_stalls(site):
    stalled = {"5", "200"}
    go_on = threading.Event()

    def hook(request, answer):
        name = request.path.rpartition("/")[2]
        if name in stalled:
            stalled.discard(name)
            go_on.wait(10)
        return answer

    site.hook = hook
    with Client(site.proxy.endpoint, direct=True, timeout=(5, 0.2)) as client:
        assert read(client) == list(CONTENT.values())
    go_on.set()
    assert not stalled


def test_permits_that_end_midway(site, client):
    results = client.batch(NAMES * 3, client.bucket("b"), strategy="direct").get()
    router, got = client._request_client.router, []
    for number, (_, data) in enumerate(results):
        got.append(data)
        if number % 100 == 50:
            router._permits.clear()
        if number == 500:
            router._off_until = math.inf  # from here on one by one, through the proxy
            router._permits.clear()
    assert got == list(CONTENT.values()) * 3


def test_no_target_at_all_names_what_is_missing(site):
    with Client(site.proxy.endpoint, direct=True, timeout=(1, 1, 0.2)) as client:
        results = client.batch(NAMES, client.bucket("b"), strategy="direct").get()
        got = [next(results)[1]]
        for server in (site.proxy, *site.targets):
            server.close()
        with pytest.raises(ErrBatchIncomplete) as caught:
            got.extend(data for _, data in results)
    assert caught.value.total == 300
    assert caught.value.missing == [f"b/{n}" for n in NAMES[len(got) :]]


def test_an_error_is_the_errors_of_its_get(site, client):
    site.hook = lambda request, good: (
        Answer(b'{"message":"disk","status":500}', 500) if "/9" in request.path else good
    )
    results = client.batch(NAMES, client.bucket("b"), strategy="direct").get()
    assert [next(results)[1] for _ in range(9)] == list(CONTENT.values())[:9]
    with pytest.raises(AISError, match="disk"):
        next(results)


def test_signed_redirects_mean_get_batch(site, client):
    site.more = "&vpams=1&x=n&u=s"
    with pytest.raises(AISError):  # this proxy has no Get-Batch: that it is asked is the point
        client.batch(NAMES[:3], client.bucket("b"), strategy="direct").get()
    assert any(r.path.startswith("/v1/ml/moss") for target in site.targets for r in target.requests)


def test_what_get_batch_alone_reads(site, client):
    batch = client.batch(strategy="direct").add("0", bck="b", provider="aws")
    with pytest.raises(AISError):
        batch.get()
    assert site.proxy.requests[0].path.startswith("/v1/ml/moss")
    assert len(batch) == 1


def test_an_empty_batch(client):
    assert list(client.batch(bucket=client.bucket("b"), strategy="direct").get()) == []


def test_strategies_are_checked(site):
    with Client(site.proxy.endpoint) as client:
        with pytest.raises(InvalidArgument, match=r"direct=True"):
            client.batch(strategy="direct")
        with pytest.raises(InvalidArgument, match="strategy"):
            client.batch(strategy="other")
        with pytest.raises(TypeError):
            Batch(client._request_client, None, None, ".tar", True, False, True, 0, "direct")


def test_the_token_is_sent(site):
    with Client(site.proxy.endpoint, direct=True, token="secret") as client:
        read(client, NAMES[:20])
    assert all(r.headers["authorization"] == "Bearer secret" for t in site.targets for r in t.requests)


def test_calls_of_an_entry(site, client):
    read(client)
    with Count() as count:
        read(client)
    assert count.calls <= 70 * len(NAMES)
