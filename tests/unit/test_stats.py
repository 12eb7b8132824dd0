"""What `Client.stats()` counts, and that threads, forks and pickles do not disturb it."""

import multiprocessing
import os
import pickle
import threading

import msgspec
import pytest
from scripted import Answer, scripted

from aistore import Client
from aistore.sdk.errors import AISChunkedEncodingError, AISError
from aistore.sdk.stats import summarize
from aistore.sdk.transport.recorder import BOUNDS, FOLD_AT, Recorder


def answer(request):
    if "missing" in request.path:
        return Answer(b"{}", status=404)
    if "utm" not in request.params and "/objects/" in request.path:
        place = f"http://{request.headers['host']}{request.path}?provider=ais&pid=p&utm=1"
        return Answer(status=307, headers={"Location": place})
    return Answer(b"" if request.method == "PUT" else b"content", headers={"Ais-Version": "1"})


@pytest.fixture
def client():
    with scripted(answer) as (server, _), Client(server.endpoint, timeout=10) as client:
        yield client


def test_nothing_yet(client):
    stats = client.stats()
    assert (stats.requests, stats.failures, stats.retries, stats.redirects) == (0, 0, 0, 0)
    assert (stats.sent_bytes, stats.received_bytes, stats.statuses, stats.methods) == (0, 0, {}, {})
    assert stats.latency is None
    assert stats.seconds >= 0


def test_requests_bytes_statuses(client):
    obj = client.bucket("bck").object("a")
    obj.get_writer().put_content(b"four")
    assert obj.get_reader().read_all() == b"content"
    with pytest.raises(AISError):
        client.bucket("bck").object("missing").get_reader().read_all()
    stats = client.stats()
    assert (stats.requests, stats.redirects, stats.failures, stats.retries) == (3, 2, 0, 0)
    assert stats.statuses == {200: 2, 404: 1}
    assert stats.sent_bytes == 4
    assert stats.received_bytes == len(b"content") + len(b"{}")
    assert list(stats.methods) == ["GET", "PUT"]
    assert stats.methods["GET"].requests == 2
    latency = stats.latency
    assert 0 < latency.min_ms <= latency.p50_ms <= latency.p90_ms <= latency.p99_ms <= latency.max_ms
    assert latency.min_ms <= latency.mean_ms <= latency.max_ms
    assert msgspec.json.decode(msgspec.json.encode(stats))["requests"] == 3


def test_bytes_of_a_body_that_is_not_read_to_its_end(client):
    reader = client.bucket("bck").object("a").get_reader()
    with reader.as_file() as file:
        assert file.read(3) == b"con"
    assert client.stats().received_bytes <= len(b"content")


def test_reset(client):
    obj = client.bucket("bck").object("a")
    obj.head()
    assert client.stats(reset=True).requests == 1
    assert client.stats().requests == 0
    obj.head()
    assert client.stats().requests == 1


def test_failures_and_retries():
    calls = []

    def script(request):
        calls.append(request)
        if len(calls) == 1:
            return Answer(status=503, headers={"Retry-After": "0"})
        return Answer(b"x")

    with scripted(script) as (server, _), Client(server.endpoint, timeout=10) as client:
        client._request_client.request("get", "objects/b/o")
        stats = client.stats()
    assert (stats.requests, stats.retries, stats.failures) == (2, 1, 0)
    assert stats.statuses == {200: 1, 503: 1}

    def cut(request):
        return Answer(b"0123456789", cut=3)

    with scripted(cut) as (server, _), Client(server.endpoint, timeout=10) as client:
        with pytest.raises(AISChunkedEncodingError):
            client._request_client.request("post", "cluster", json={})
        stats = client.stats()
    assert (stats.requests, stats.failures, stats.latency) == (1, 1, None)


def test_threads_lose_nothing():
    recorder = Recorder()
    rounds, threads = 5 * FOLD_AT, 4
    totals = []

    def work():
        for _ in range(rounds):
            recorder.answered("GET", 200, 0.001, 2, 1, 1)
            recorder.received(3)
        totals.append(recorder.read(reset=False))

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    stats = summarize(recorder.read(reset=True))
    assert stats.requests == stats.statuses[200] == stats.redirects == rounds * threads
    assert (stats.sent_bytes, stats.received_bytes) == (2 * rounds * threads, 3 * rounds * threads)
    assert summarize(recorder.read(reset=False)).requests == 0


def test_events_do_not_pile_up():
    recorder = Recorder()
    for _ in range(10 * FOLD_AT):
        recorder.answered("GET", 200, 0.001, 0, 0, 1)
        recorder.received(1)
    assert len(recorder._events) <= FOLD_AT + 2


def test_a_reader_keeps_what_it_has_read():
    recorder = Recorder()
    recorder.answered("GET", 200, 0.001, 0, 0, 1)
    before = recorder.read(reset=False)
    recorder.answered("GET", 200, 0.001, 0, 0, 2)
    recorder.read(reset=False)
    assert summarize(before).requests == 1
    assert summarize(before).retries == 0


@pytest.mark.parametrize("seconds", [0.0, 1e-7, 1e-6, 0.00123, 0.5, 59.0, 10_000.0])
def test_percentiles_are_close(seconds):
    recorder = Recorder()
    for _ in range(99):
        recorder.answered("GET", 200, seconds, 0, 0, 1)
    recorder.answered("GET", 200, 3 * seconds, 0, 0, 1)
    latency = summarize(recorder.read(reset=False)).latency
    wanted = seconds * 1000
    for value in (latency.p50_ms, latency.p90_ms, latency.p99_ms):
        if BOUNDS[0] <= seconds < BOUNDS[-1]:
            assert wanted <= value <= wanted * 1.1
        else:
            assert wanted <= value <= 3 * wanted + 0.001
    assert (latency.min_ms, latency.max_ms) == pytest.approx((wanted, 3 * wanted))


def count_in_child(client, queue):
    before = client.stats().requests
    client.bucket("bck").object("a").head()
    queue.put((before, client.stats().requests))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # a fork beside threads is the test
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_counts_for_itself(client, method):
    client.bucket("bck").object("a").head()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=count_in_child, args=(client, queue))
    child.start()
    assert queue.get(timeout=60) == (0, 1)
    child.join(30)
    assert client.stats().requests == 1
    queue.close()
    queue.join_thread()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_fork_while_another_thread_counts():
    recorder = Recorder()
    with recorder._lock:  # as another thread's, at the moment of the fork
        pid = os.fork()
        if not pid:
            recorder.answered("GET", 200, 0.001, 0, 0, 1)
            os._exit(recorder.read(reset=False).methods["GET"].requests)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1


def test_a_pickled_client_counts_for_itself(client):
    client.bucket("bck").object("a").head()
    copy = pickle.loads(pickle.dumps(client))
    assert copy.stats().requests == 0
    copy.bucket("bck").object("a").head()
    assert (copy.stats().requests, client.stats().requests) == (1, 1)
    copy.close()
