"""What the transport does on the wire, against scripted peers."""

import gzip
import io
import itertools
import logging
import socket
import threading
import warnings
import zlib
from unittest.mock import Mock

import pytest
import requests
from peer import TLS, Peer, answer, answers, redirect, wait_until

from aistore.sdk.errors import (
    AISChunkedEncodingError,
    AISConnectionError,
    AISConnectionRefused,
    AISError,
    AISProtocolError,
    AISReadTimeout,
    AISSSLError,
    AISTooManyRedirects,
    ErrInvalidResponse,
    InvalidArgument,
    InvalidArgumentType,
)
from aistore.sdk.retry_config import RetryConfig
from aistore.sdk.session_manager import SessionManager
from aistore.sdk.transport import exchange
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.connection import DeadConnectionError
from aistore.sdk.transport.members import Members
from aistore.sdk.transport.url import parse_origin

OBJ = "objects/b/o"
AIS = {"provider": "ais"}


def smap(*peers):
    nodes = ",".join(f'"t{i}":{{"public_net":{{"direct_url":"{p.url}"}}}}' for i, p in enumerate(peers))
    return answer(200, b'{"pmap":{},"tmap":{%s}}' % nodes.encode())


@pytest.fixture(autouse=True)
def _no_second_tries(monkeypatch):
    """Here one attempt is what is looked at."""
    monkeypatch.setattr("aistore.sdk.retry_manager.next_pause", lambda *_, **__: None)


# ---------------------------------------------------------------- plain exchanges


def test_small_get(peers, rc):
    peer = peers(answer(200, b"hello", "Ais-Version: 3", "X: 1", "x: 2"))
    client = rc(peer)
    for _ in range(3):
        r = client.request("get", OBJ, params=AIS, headers={"Range": "bytes=0-4"})
        assert isinstance(r, requests.Response)
        assert (r.status_code, r.content, r.text, r.ok, r.reason) == (200, b"hello", "hello", True, "OK")
        assert r.headers["ais-version"] == "3"
        assert r.headers["X"] == "1, 2"
        assert r.url == f"{peer.url}/v1/objects/b/o?provider=ais"
        assert r.request.method == "GET"
        assert r.history == []
        assert r.elapsed.total_seconds() < 5
        assert r.raw.read() == b"hello"
        assert list(r.iter_content(2)) == [b"he", b"ll", b"o"]
        assert not r.cookies
    assert peer.connections == 1
    assert peer.requests[0].target == "/v1/objects/b/o?provider=ais"
    assert peer.requests[0].header("range") == "bytes=0-4"
    assert peer.requests[0].header("user-agent").startswith("ais/python/")
    assert peer.requests[0].header("content-type") is None


def test_json_body_says_so(peers, rc):  # defect 35
    peer = peers(answer())
    client = rc(peer)
    client.request("post", "buckets/b", json={"action": "x", "name": "", "value": None})
    client.request("put", "etl", data=b"raw", headers={"Content-Type": "text/x"})
    assert peer.requests[0].header("content-type") == "application/json"
    assert peer.requests[0].body == b'{"action":"x","name":"","value":null}'
    assert peer.requests[1].header("content-type") == "text/x"
    with pytest.raises(InvalidArgumentType):
        client.request("post", "x", json={"a": object()})
    with pytest.raises(InvalidArgumentType, match="verify"):
        client.request("get", "x", verify=False)


def test_response_json(peers, rc):
    client = rc(peers(answer(200, b'{"a":[1]}'), answer(200, b"nonsense"), answer(200, b"\xff")))
    assert client.request("get", "x").json() == {"a": [1]}
    bad = client.request("get", "x")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        bad.json()
    assert client.request("get", "x").text


def test_dot_segments_are_not_collapsed(peers, rc):  # defects 2, 41
    peer = peers(answer())
    rc(peer).request("get", "objects/b/a//b/./../c%2e%2e")
    assert peer.requests[0].target == "/v1/objects/b/a//b/./../c%2e%2e"


def test_interim_answers_are_skipped(peers, rc):
    peer = peers(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + answer(200, b"x"))
    assert rc(peer).request("get", "x").content == b"x"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 102 P\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\n\n",
        b"220 smtp\r\n",
    ],
)
def test_malformed_answer_is_an_error_and_closes(peers, rc, data):
    peer = peers(data, answer(200, b"ok"))
    client = rc(peer)
    with pytest.raises(AISProtocolError) as info:
        client.request("get", "x")
    assert info.value.url == f"{peer.url}/v1/x"
    assert client.request("get", "x").content == b"ok"
    assert peer.connections == 2


def test_both_framings_are_an_error(peers, rc):
    peer = peers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    with pytest.raises(AISProtocolError, match="both"):
        rc(peer).request("get", "x")


def test_head_has_no_body(peers, rc):
    peer = peers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    client = rc(peer)
    for _ in range(2):
        r = client.request("head", OBJ)
        assert r.content == b""
        assert r.headers["Content-Length"] == "1000"
    assert peer.connections == 1


def test_chunked_and_until_close(peers, rc):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n you\r\n0\r\n\r\n"

    def until_close(line, _):
        line.send(b"HTTP/1.1 200 OK\r\n\r\nthe rest")

    peer = peers(chunked.replace(b"3\r\n you", b"4\r\n you"), chunked, until_close)
    client = rc(peer)
    assert client.request("get", "x").content == b"hello you"
    with pytest.raises(AISProtocolError):
        client.request("get", "x")
    assert client.request("get", "x").content == b"the rest"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gzip", gzip.compress),
        ("gzip", lambda d: gzip.compress(d[:100]) + gzip.compress(d[100:])),
        ("deflate", zlib.compress),
        ("deflate", lambda d: zlib.compress(d)[2:-4]),
    ],
)
def test_content_codings(peers, rc, name, code):
    data = bytes(range(256)) * 50
    peer = peers(answer(200, code(data), f"Content-Encoding: {name}"))
    client = rc(peer)
    assert client.request("get", "x").content == data
    with client.request("get", "x", stream=True) as r:
        assert b"".join(r.iter_content(100)) == data
    with client.request("get", "x", stream=True) as r:
        assert r.raw.read() == code(data)
    assert peer.requests[0].header("accept-encoding") == "identity"


def test_broken_content_coding(peers, rc):
    client = rc(peers(answer(200, gzip.compress(b"x" * 100)[:-9], "Content-Encoding: gzip")))
    with client.request("get", "x", stream=True) as r, pytest.raises(AISProtocolError):
        list(r.iter_content(10))
    with client.request("get", "x", stream=True) as r, pytest.raises(AISProtocolError):
        r.content  # noqa: B018


# ---------------------------------------------------------------- bodies as they arrive


def big(length, cut=None):
    data = bytes(i % 251 for i in range(length))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length

    def reply(line, _):
        line.send(head)
        line.send(data[:cut])
        return None if cut is not None else b""

    return data, reply


def test_large_body_whole_and_streamed(peers, rc):
    data, reply = big(3_000_001)
    peer = peers(reply)
    client = rc(peer)
    assert client.request("get", "x").content == data
    with client.request("get", "x", stream=True) as r:
        assert r.content == data
    with client.request("get", "x", stream=True) as r:
        pieces = list(r.iter_content(100_000))
        assert {len(p) for p in pieces[:-1]} == {100_000}
        assert b"".join(pieces) == data
        with pytest.raises(RuntimeError):
            r.content  # noqa: B018
    with client.request("get", "x", stream=True) as r:
        buffer = bytearray(len(data) + 10)
        view, got = memoryview(buffer), 0
        while n := r.raw.readinto(view[got:]):
            got += n
        assert buffer[:got] == data
        assert r.raw.tell() == len(data)
        assert r.raw.length_remaining == 0
    with client.request("get", "x", stream=True) as r:
        assert r.raw.read(10) == data[:10]
        assert r.raw.read1(5) == data[10:15]
        assert r.raw.read() == data[15:]
        assert r.raw.read() == b""
        assert r.raw.read(5) == b""
    assert peer.connections == 1


def test_raw_answers_like_urllib3(peers, rc):
    client = rc(peers(answer(200, b"abcdef", "X: 1", "X: 2")))
    with client.request("get", "x", stream=True) as r:
        raw = r.raw
        assert (raw.status, raw.reason, raw.version, raw.closed) == (200, "OK", 11, False)
        assert raw.headers.getlist("x") == ["1", "2"]
        assert raw.getheader("X") == "1, 2"
        assert raw.geturl().endswith("/v1/x")
        assert raw.readable()
        assert list(raw.stream(4)) == [b"abcd", b"ef"]
        assert raw.isclosed()
    assert raw.closed
    assert raw.read() == b""
    raw.release_conn()
    r = client.request("get", "x", stream=True)
    r.raw.read(1)
    r.close()
    r.close()
    with pytest.raises(ValueError, match="closed"):
        r.raw.read()
    with client.request("get", "x", stream=True) as r:
        assert io.BufferedReader(r.raw).read(3) == b"abc"
    with client.request("get", "x", stream=True) as r:
        r.raw.drain_conn()
        assert r.raw.data == b""


def test_every_cut_of_a_body_is_noticed(peers, rc):
    for chunked in (False, True):
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 10"
        wire = b"6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n" if chunked else b"0123456789"
        for cut in range(len(wire)):

            def reply(line, _, framing=framing, wire=wire, cut=cut):
                line.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing + wire[:cut])

            client = rc(peers(reply))
            with pytest.raises(AISChunkedEncodingError, match="connection lost after"):
                client.request("get", "x")
            assert client.session_manager.transport.pool.idle_count() == 0


def test_short_body_streamed(peers, rc):
    data, reply = big(100_000, cut=70_000)
    client = rc(peers(reply))
    with client.request("get", "x", stream=True) as r:
        pieces = []
        with pytest.raises(AISChunkedEncodingError, match="70000 of 100000") as info:
            pieces.extend(iter(lambda: r.raw.read1(1000), b""))
        assert b"".join(pieces) == data[:70_000]
        assert isinstance(info.value, requests.exceptions.ChunkedEncodingError)


def test_reset_in_the_body(peers, rc):
    def reply(line, _):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        line.reset()

    client = rc(peers(reply))
    with pytest.raises((AISChunkedEncodingError, AISConnectionError)):
        client.request("get", "x")


def test_closing_early_closes_the_connection(peers, rc):
    _, reply = big(500_000)
    peer = peers(reply, answer(200, b"ok"))
    client = rc(peer)
    with client.request("get", "x", stream=True) as r:
        r.raw.read(10)
    assert client.request("get", "x").content == b"ok"
    assert peer.connections == 2


def test_closing_with_all_received_keeps_the_connection(peers, rc):
    peer = peers(answer(200, b"x" * 100))
    client = rc(peer)
    client.request("get", "x", stream=True).close()
    client.request("get", "x")
    assert peer.connections == 1


def test_forgotten_stream_is_closed_with_a_warning(peers, rc):  # defect 43
    _, reply = big(500_000)
    client = rc(peers(reply))
    r = client.request("get", "x", stream=True)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del r
    assert [w.category for w in seen] == [ResourceWarning]


# ---------------------------------------------------------------- connections


def test_stale_connection_is_not_used(peers, rc):
    peer = peers(lambda line, _: line.send(answer(200, b"1")), answer(200, b"2"))
    client = rc(peer)
    assert client.request("post", "x").content == b"1"
    pool = client.session_manager.transport.pool
    wait_until(lambda: next(iter(pool._idle.values()))[0].is_stale())
    assert client.request("post", "x").content == b"2"
    assert peer.connections == 2


def test_connection_that_dies_under_the_request(peers, rc):
    """The server closes a kept connection under the request: one free try for what is idempotent."""

    def script(peer, line):
        peer.requests.append(line.read())
        line.send(answer(200, b"x"))
        if peer.connections == 1:
            peer.requests.append(line.read())
            return
        while (request := line.read()) is not None:
            peer.requests.append(request)
            line.send(answer(200, b"y"))

    peer = peers(script=script)
    client = rc(peer)
    assert client.request("get", "x").content == b"x"
    assert client.request("get", "x").content == b"x"
    assert [r.method for r in peer.requests] == ["GET"] * 3
    peer = peers(script=script)
    client = rc(peer)
    client.request("get", "x")
    with pytest.raises(AISConnectionError) as info:
        client.request("post", "x", json={})
    assert info.value.may_have_run
    assert [r.method for r in peer.requests] == ["GET", "POST"]


def test_connection_that_dies_under_a_body(peers, rc):
    """The body is sent again, from its beginning, on a new connection."""

    def script(peer, line):
        while (request := line.read()) is not None:
            peer.requests.append(request)
            if "utm" not in request.target:
                line.send(redirect(f"{peer.url}{request.target}?utm=1"))
                if request.header("expect"):
                    return
            elif len(peer.requests) == 4:
                return
            else:
                line.send(answer(200, b""))

    peer = peers(script=script)
    client = rc(peer)
    for _ in range(2):
        assert client.request("put", "objects/b/o", data=io.BytesIO(b"content")).status_code == 200
    assert [request.body for request in peer.requests] == [b"", b"content", b"", b"content", b"content"]
    assert peer.connections == 3


def test_bytes_nobody_asked_for_close_the_connection(peers, rc):
    peer = peers(answer(200, b"1") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", answer(200, b"2"))
    client = rc(peer)
    assert client.request("get", "x").content == b"1"
    assert client.request("get", "x").content == b"2"
    assert peer.connections == 2


def test_connection_close_is_honoured(peers, rc):
    peer = peers(answer(200, b"1", "Connection: close"))
    client = rc(peer)
    for _ in range(2):
        client.request("get", "x")
    assert client.session_manager.transport.pool.idle_count() == 0
    assert peer.connections == 2


def test_pool_keeps_what_concurrency_used(peers):
    """More threads than `max_pool_size`: nobody waits, nothing is dropped while it is in use."""
    barrier = threading.Barrier(8)

    def reply(line, _):
        barrier.wait(10)
        return answer(200, b"x")

    peer = peers(reply)
    manager = SessionManager(max_pool_size=2)
    from aistore.sdk.request_client import RequestClient

    client = RequestClient(peer.url, manager, timeout=(5, 20))
    for _ in range(3):
        threads = [threading.Thread(target=client.request, args=("get", "x")) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(20)
    assert peer.connections == 8
    assert manager.transport.pool.idle_count() == 8
    manager.close()
    assert manager.transport.pool.idle_count() == 0


def test_surplus_of_a_burst_is_dropped_later(peers, monkeypatch):
    from aistore.sdk.request_client import RequestClient

    monkeypatch.setattr("aistore.sdk.transport.pool.SURPLUS_IDLE", -1.0)
    peer = peers(answer(200, b"x" * 100_000))
    manager = SessionManager(max_pool_size=2)
    client = RequestClient(peer.url, manager, timeout=(5, 20))
    streams = [client.request("get", "x", stream=True) for _ in range(5)]
    for r in streams:
        r.raw.read()
        r.close()
    assert manager.transport.pool.idle_count() == 2
    client.session_manager.close()
    assert client.request("get", "x").ok
    manager.close()


def test_threads_get_their_own_answers(peers, rc):
    def script(peer, line):
        while (request := line.read()) is not None:
            line.send(answer(200, request.target.encode() * 100))

    client = rc(peers(script=script))
    wrong = []

    def work(n):
        for i in range(50):
            body = client.request("get", f"x/{n}/{i}").content
            if body != f"/v1/x/{n}/{i}".encode() * 100:
                wrong.append((n, i, body[:50]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert not wrong


# ---------------------------------------------------------------- failures


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_refused(rc):
    with pytest.raises(AISConnectionRefused, match="refused") as info:
        rc(f"http://127.0.0.1:{free_port()}").request("get", "x")
    assert isinstance(info.value, (requests.ConnectionError, ConnectionRefusedError))
    assert not info.value.may_have_run
    assert info.value.request.url.endswith("/v1/x")


def test_unknown_host(rc):
    with pytest.raises(AISConnectionError, match="not found"):
        rc("http://no-such-host.invalid:1").request("get", "x")


def test_read_timeout(peers, rc):
    gate = threading.Event()

    def reply(line, _):
        gate.wait(10)

    client = rc(peers(reply), timeout=(5, 0.05))
    with pytest.raises(AISReadTimeout) as info:
        client.request("get", "x")
    gate.set()
    assert isinstance(info.value, requests.ReadTimeout)
    assert info.value.may_have_run


def test_read_timeout_in_the_body(peers, rc):
    gate = threading.Event()

    def reply(line, _):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        gate.wait(10)

    client = rc(peers(reply))
    with pytest.raises(AISReadTimeout):
        client.request("get", "x", timeout=0.05)
    gate.set()


def test_total_timeout_ends_a_dripping_body(peers, rc):
    def reply(line, _):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(1000):
            line.send(b"x")
            if gate.wait(0.02):
                return

    gate = threading.Event()
    client = rc(peers(reply), timeout=(5, 5, 0.2))
    with pytest.raises(AISReadTimeout):
        client.request("get", "x")
    gate.set()


def test_server_goes_away_without_an_answer(peers, rc):
    with pytest.raises(AISConnectionError, match="without an answer"):
        rc(peers(lambda *_: None)).request("get", "x")


def test_error_in_a_half_closed_head(peers, rc):
    def reply(line, _):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Le")

    with pytest.raises(AISConnectionError):
        rc(peers(reply)).request("get", "x")


# ---------------------------------------------------------------- redirects and bodies


def cluster(peers, *target_answers, tail="&pid=P&utm=U", status=307, smap_of=None):
    target = peers(*(target_answers or (answer(200, b"done"),)))

    def proxy_script(peer, line):
        while (request := line.read()) is not None:
            peer.requests.append(request)
            if request.target.startswith("/v1/daemon"):
                line.send(smap(*(smap_of if smap_of is not None else [target])))
            else:
                line.send(redirect(target.url + request.target + tail, status))

    return peers(script=proxy_script), target


def test_get_is_redirected(peers, rc):
    proxy, target = cluster(peers, status=301)
    r = rc(proxy).request("get", OBJ, params=AIS)
    assert r.content == b"done"
    assert target.requests[0].target == "/v1/objects/b/o?provider=ais&pid=P&utm=U"
    assert r.url == f"{target.url}/v1/objects/b/o?provider=ais"
    assert [h.status_code for h in r.history] == [301]
    assert rc(proxy).request("get", OBJ, params=AIS, allow_redirects=False).status_code == 301


def test_get_with_a_body_keeps_it(peers, rc):
    proxy, target = cluster(peers)
    rc(proxy).request("get", "ml/moss/b", params=AIS, json={"in": []})
    assert proxy.requests[0].body == target.requests[0].body == b'{"in":[]}'


@pytest.mark.parametrize("method", ["post", "delete", "patch", "head"])
def test_method_is_kept(peers, rc, method):
    proxy, target = cluster(peers, answer(200))
    rc(proxy).request(method, OBJ, params=AIS, json={"action": "x"})
    assert target.requests[0].method == method.upper()
    assert target.requests[0].body == b'{"action":"x"}'


def bodies(tmp_path):
    data = bytes(i % 253 for i in range(300_000))
    path = tmp_path / "f"
    path.write_bytes(b"skip" + data)
    file = path.open("rb")
    file.seek(4)

    class Stream:
        def __init__(self):
            self.inner = io.BytesIO(data)

        def read(self, n=-1):
            return self.inner.read(min(n, 7000))

    return data, {
        "bytes": data,
        "small": data[:10],
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "str": "h\u00e9llo",
        "file": file,
        "bytesio": io.BytesIO(data),
        "stream": Stream(),
        "generator": (data[i : i + 9999] for i in range(0, len(data), 9999)),
        "list": [data[:5], b"", data[5:]],
        "empty": b"",
        "empty file": io.BytesIO(),
        "empty iterator": iter([]),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "bytes", "small", "bytearray", "memoryview", "str", "file", "bytesio", "stream", "generator", "list",
        "empty", "empty file", "empty iterator",
    ],
)  # fmt: skip
def test_body_crosses_the_wire_once(peers, rc, tmp_path, kind):  # defect 24
    data, made = bodies(tmp_path)
    source = made[kind]
    expected = {"small": data[:10], "str": "h\u00e9llo".encode()}.get(kind, b"" if "empty" in kind else data)
    proxy, target = cluster(peers)
    client = rc(proxy)
    for _ in range(1 if kind in ("stream", "generator", "file", "bytesio", "empty iterator") else 3):
        client.request("put", OBJ, params=AIS, data=source, headers={"Ais-Checksum-Value": "1"})
    assert {r.body for r in proxy.requests} == {b""}
    assert {r.body for r in target.requests} == {expected}
    length = str(len(expected)) if kind not in ("stream", "generator", "list", "empty iterator") else None
    assert proxy.requests[0].header("content-length") == length
    assert {r.header("content-length") for r in proxy.requests[1:]} <= {"0"}
    # A connection over which an announced body did not come is not used again.
    assert (proxy.connections, target.connections) == (min(len(proxy.requests), 2 if expected else 1), 1)
    assert target.requests[0].header("Ais-Checksum-Value") == "1"
    made["file"].close()


def test_file_shorter_than_announced(peers, rc, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100_000)
    proxy, _ = cluster(peers, lambda line, _: None)
    with path.open("rb") as file:
        from aistore.sdk.transport.body import Body

        body = Body(file)
        path.write_bytes(b"x" * 10)
        with pytest.raises(InvalidArgument, match="before its announced size"):
            rc(proxy).request("put", OBJ, data=body)


def test_body_of_the_wrong_kind(rc, peers, tmp_path):
    client = rc(peers(answer()))
    path = tmp_path / "t"
    path.write_text("x")
    with path.open() as text, pytest.raises(InvalidArgumentType, match="binary mode"):
        client.request("put", OBJ, data=text)
    for data in (5, {"a": 1}):
        with pytest.raises(InvalidArgumentType, match="expected bytes"):
            client.request("put", OBJ, data=data)
    with pytest.raises(InvalidArgument, match="gave str instead of bytes"):
        client.request("put", "etl", data=["text"])


def test_server_that_does_not_redirect_gets_the_body(peers, rc):
    """A success for a request whose body was held back is not taken for one."""
    peer = peers(answer(200, b""), answer(200, b"stored"))
    client = rc(peer)
    for _ in range(2):
        client.request("put", OBJ, data=b"body", headers={"Ais-Checksum-Value": "1"})
    assert [r.body for r in peer.requests] == [b"", b"body", b"body"]
    assert [r.header("content-length") for r in peer.requests] == ["4"] * 3
    assert {r.header("Ais-Checksum-Value") for r in peer.requests} == {"1"}


def test_error_of_the_proxy_comes_before_the_body(peers, rc):
    from aistore.sdk.errors import ErrBckNotFound

    peer = peers(answer(404, b'{"message":"bucket \\"ais://b\\" does not exist"}'))
    with pytest.raises(ErrBckNotFound):
        rc(peer).request("put", OBJ, data=b"x" * 100_000)
    assert [len(r.body) for r in peer.requests] == [0]


def test_signed_redirects_cover_the_length(peers, rc):
    """The signature covers Content-Length: the redirect is asked for with the real one, without the body."""
    target = peers(answer(200, b"done"))

    def proxy_script(peer, line):
        while (request := line.read()) is not None:
            peer.requests.append(request)
            length = request.header("content-length")
            line.send(redirect(f"{target.url}{request.target}?pid=P&utm=U&vpams=1&x={length}&u=S"))
            if request.header("expect"):
                return

    proxy = peers(script=proxy_script)
    client = rc(proxy)
    for _ in range(2):
        client.request("put", OBJ, data=b"x" * 70_000)
    assert [r.header("expect") for r in proxy.requests] == ["100-continue", "100-continue"]
    assert [r.header("content-length") for r in proxy.requests] == ["70000", "70000"]
    assert all("x=70000" in r.target for r in target.requests)
    assert [len(r.body) for r in target.requests] == [70_000] * 2


def test_continue_sends_the_body(peers, rc):
    def script(peer, line):
        request = line.read()
        line.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        peer.requests.append(request)
        request.body = line.file.read(4)
        line.send(answer(200, b"stored"))

    peer = peers(script=script)
    assert rc(peer).request("put", OBJ, data=b"body").content == b"stored"
    assert peer.requests[0].body == b"body"


def test_early_error_answer_while_the_body_is_sent(peers, rc):
    def script(peer, line):
        line.read_head()
        line.send(answer(507, b"full", "Connection: close"))
        line.sock.shutdown(socket.SHUT_RD)

    target = peers(script=script)
    proxy = peers(lambda _, request: redirect(target.url + request.target))
    from aistore.sdk.errors import ErrOutOfSpace

    with pytest.raises((ErrOutOfSpace, AISConnectionError)):
        rc(proxy).request("put", OBJ, data=iter([b"x" * 1_000_000] * 50))


def test_a_good_answer_to_a_body_that_did_not_get_through_is_no_answer():
    lost = DeadConnectionError("gone", answered=False)
    conn = Mock(wait_readable=Mock(return_value=True), read_head=Mock(return_value=Mock(status=200)))
    conn.send.side_effect = lost
    with pytest.raises(DeadConnectionError) as info:
        exchange._send_body(conn, Body(b"content"))
    assert info.value is lost


@pytest.mark.parametrize(
    ("rest", "error"), [(b"nonsense\r\n", AISProtocolError), (b"", AISChunkedEncodingError)]
)
def test_a_tail_that_is_malformed_or_cut(peers, rc, rest, error):
    read = threading.Event()

    def script(peer, line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        read.wait(10)
        line.send(rest)

    body = rc(peers(script=script)).request("get", "x", stream=True).raw
    assert body.read(5) == b"hello"
    read.set()
    with pytest.raises(error):
        wait_until(lambda: body.drain_ready(1000))


@pytest.mark.parametrize("status", [301, 307])
def test_redirect_loop_ends(peers, rc, status):
    peer = peers(lambda _, request: redirect(peer.url + "/v1/loop", status))
    with pytest.raises(AISTooManyRedirects):
        rc(peer).request("get", "x")
    assert len(peer.requests) == 4


@pytest.mark.parametrize("location", ["", "ftp://h/x", "http://user:pw@h/x", "http://h:99999/x"])
def test_redirect_to_nowhere(peers, rc, location):
    with pytest.raises(ErrInvalidResponse):
        rc(peers(redirect(location))).request("get", "x")


def test_failure_behind_a_redirect_names_the_host(peers, rc):
    port = free_port()
    peer = peers(lambda _, request: redirect(f"http://127.0.0.1:{port}{request.target}"))
    with pytest.raises(AISConnectionRefused, match=f"redirected to 127.0.0.1:{port}") as info:
        rc(peer).request("get", OBJ)
    assert info.value.redirected


# ---------------------------------------------------------------- token


def test_token_goes_to_members_only(peers, rc):
    proxy, target = cluster(peers)
    client = rc(proxy, token="sesame")
    for _ in range(2):
        client.request("get", OBJ, params=AIS)
        client.request("put", OBJ, params=AIS, data=b"x")
    assert {r.header("authorization") for r in target.requests} == {"Bearer sesame"}
    assert len([r for r in proxy.requests if r.target.startswith("/v1/daemon")]) == 1


def test_token_does_not_go_to_others(peers, rc):
    proxy, target = cluster(peers, smap_of=[])
    client = rc(proxy, token="sesame")
    for _ in range(2):
        assert client.request("get", OBJ, params=AIS).content == b"done"
        client.request("get", OBJ, headers={"Authorization": "Bearer other"})
    assert {r.header("authorization") for r in target.requests} == {None}
    assert len([r for r in proxy.requests if r.target.startswith("/v1/daemon")]) == 1


def test_no_map_no_token(peers, rc):
    target = peers(answer(200, b"done"))

    def reply(_, request):
        return answer(403) if "daemon" in request.target else redirect(target.url + request.target)

    assert rc(peers(reply), token="sesame").request("get", OBJ).content == b"done"
    assert target.requests[0].header("authorization") is None


def test_token_never_goes_from_https_to_http(peers, rc):
    target = peers(answer(200, b"done"))
    proxy = peers(
        lambda _, r: smap(target) if "daemon" in r.target else redirect(target.url + r.target), tls=True
    )
    assert rc(proxy, token="sesame").request("get", OBJ).content == b"done"
    assert target.requests[0].header("authorization") is None


def test_members_ask_again_only_after_a_while(monkeypatch):
    asked = []
    members = Members(parse_origin("http://p:1"))

    def load():
        asked.append(1)
        return {}

    other = parse_origin("http://o:1")
    assert members.trusts(parse_origin("http://P:1"), load)
    assert not members.trusts(other, load)
    assert not members.trusts(other, load)
    assert len(asked) == 1
    for n in range(1002):
        members.trusts(parse_origin(f"http://o{n}:1"), load)
    clock = itertools.count(1e6)
    monkeypatch.setattr("aistore.sdk.transport.members.time.monotonic", lambda: next(clock))
    assert not members.trusts(other, load)


def test_token_is_nowhere_to_be_seen(peers, rc, caplog):
    caplog.set_level(logging.DEBUG)
    proxy, _ = cluster(peers, answer(404, b"no ais://b/o"))
    client = rc(proxy, token="sesame")
    with pytest.raises(AISError) as info:
        client.request("get", OBJ, params=AIS)
    shown = f"{client!r} {client.token!r} {info.value} {info.value!r} {vars(info.value)} {caplog.text}"
    shown += str(dict(info.value.req.headers))
    assert "GET" in caplog.text
    assert "sesame" not in shown


# ---------------------------------------------------------------- TLS


def test_https(peers, rc):
    peer = peers(answer(200, b"safe"), tls=True)
    client = rc(peer)
    for _ in range(2):
        assert client.request("get", "x").content == b"safe"
    assert client.request("put", "etl", data=b"x" * 500_000).ok
    assert peer.connections == 1
    assert client.session_manager.session.get(peer.url).content == b"safe"
    client.session_manager.close()


def test_untrusted_certificate(peers):
    from aistore.sdk.request_client import RequestClient

    client = RequestClient(peers(answer(), tls=True).url, SessionManager(), timeout=5)
    with pytest.raises(AISSSLError, match="not trusted") as info:
        client.request("get", "x")
    assert isinstance(info.value, requests.exceptions.SSLError)


def test_skip_verify(peers):
    from aistore.sdk.request_client import RequestClient

    with pytest.warns(UserWarning, match="not verified"):
        manager = SessionManager(skip_verify=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            RequestClient(peers(answer(200, b"x"), tls=True).url, manager, timeout=5).request("get", "x").ok
        )
    manager.close()


def test_client_certificate(peers, rc):
    peer = peers(answer(200, b"known"), tls=True, client_ca=True)
    cert = (str(TLS / "client.pem"), str(TLS / "client.key"))
    manager = SessionManager(ca_cert=str(TLS / "ca.pem"), client_cert=cert)
    assert rc(peer, manager=manager).request("get", "x").content == b"known"
    with pytest.raises((AISSSLError, AISConnectionError, AISReadTimeout)):
        rc(peer).request("get", "x")


def test_tls_to_a_plain_server(peers, rc):
    def script(peer, line):
        line.sock.recv(1000)
        line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    peer = peers(script=script)
    with pytest.raises(AISSSLError, match="does not speak TLS"):
        rc(peer.url.replace("http", "https")).request("get", "x")


def test_wrong_files(rc):
    for manager in (SessionManager(ca_cert="/nonexistent"), SessionManager(client_cert="/nonexistent")):
        with pytest.raises(InvalidArgument, match="/nonexistent"):
            rc("https://127.0.0.1:1", manager=manager).request("get", "x")


# ---------------------------------------------------------------- sessions put in the place of the transport


def test_replaced_session_is_used(peers, rc):
    peer = peers(answer(200, b"x"))
    client = rc(peer, token="sesame")
    calls = []

    class Session(requests.Session):
        def request(self, method, url, **kwargs):
            calls.append((method, url, kwargs))
            return super().request(method, url, **kwargs)

    with Session() as session:
        client.session_manager.session = session
        assert client.request("post", "x", json={"a": 1}, params={"b": 2}).content == b"x"
    method, url, kwargs = calls[0]
    assert (method, url) == ("post", f"{peer.url}/v1/x")
    assert kwargs["timeout"] == (5, 5)
    assert kwargs["headers"]["Authorization"] == "Bearer sesame"
    assert kwargs["headers"]["Content-Type"] == "application/json"


def test_patched_adapters_are_used(rc, monkeypatch):
    answer_ = requests.Response()
    answer_.status_code = 200
    answer_._content = b"recorded"
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda *_, **__: answer_)
    assert rc("http://nowhere.invalid").request("get", "x").content == b"recorded"
    assert RetryConfig.default() == RetryConfig.default()


def test_peer_is_what_it_says():
    with Peer(answers(answer(200, b"x"))) as peer:
        assert requests.get(peer.url, timeout=5).content == b"x"


def test_server_that_begins_to_redirect(peers, rc):
    """A single-node server became a cluster: this body follows the redirect, the next goes the usual way."""
    target = peers(answer(200, b"done"))
    redirecting = []

    def reply(_, request):
        return redirect(target.url + request.target) if redirecting else answer(200)

    peer = peers(reply)
    client = rc(peer)
    client.request("put", OBJ, data=b"one")
    redirecting.append(True)
    client.request("put", OBJ, data=b"two")
    client.request("put", OBJ, data=b"three")
    assert [r.body for r in peer.requests] == [b"", b"one", b"two", b""]
    assert [r.body for r in target.requests] == [b"two", b"three"]


class Recorded(requests.adapters.BaseAdapter):
    """Answers each request with its URL."""

    def send(self, request, **kwargs):
        response = requests.Response()
        response.status_code = 200
        response._content = request.url.encode()
        return response

    def close(self):
        pass


def test_mounted_adapters_are_used(peers, rc):
    peer = peers(answer(200, b"sent"))
    client = rc(peer)
    session = client.session_manager.session
    assert client.request("get", "x").content == b"sent"  # looking at the session changes nothing
    session.mount(f"{peer.url}/v1/recorded", Recorded())
    assert client.request("get", "recorded").content == f"{peer.url}/v1/recorded".encode()


def test_the_session_of_a_mocked_manager_is_used(rc):
    session = Mock()
    manager = Mock(spec=SessionManager, session=session)
    session.request.return_value = Mock(status_code=200, headers={})
    answer_ = rc("http://nowhere.invalid", manager=manager).request("get", "x", params={"a": "b"})
    assert answer_ is session.request.return_value
    assert session.request.call_args.args == ("get", "http://nowhere.invalid/v1/x")
    assert session.request.call_args.kwargs["params"] == {"a": "b"}
