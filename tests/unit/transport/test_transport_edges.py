"""Edges: connects that hang or break, odd bodies, answers as requests gives them."""

import io
import os
import pickle
import select
import socket
import ssl
import threading
from collections import deque
from unittest.mock import Mock

import pytest
import requests
from peer import TLS, answer, redirect

from aistore.sdk.errors import (
    AISChunkedEncodingError,
    AISConnectionError,
    AISConnectTimeout,
    AISReadTimeout,
    AISSSLError,
    AISUnrewindableBodyError,
    ErrOutOfSpace,
    InvalidArgumentType,
)
from aistore.sdk.transport import connection, tls
from aistore.sdk.transport.body import Body, BodyError
from aistore.sdk.transport.call import Call
from aistore.sdk.transport.connection import (
    Connection,
    DeadConnectionError,
    _poller,
    describe,
    open_connection,
)
from aistore.sdk.transport.members import Members
from aistore.sdk.transport.pool import Pool
from aistore.sdk.transport.tls import TLSConfig, context_for
from aistore.sdk.transport.transport import Transport
from aistore.sdk.transport.url import parse_base, parse_origin

OBJ = "objects/b/o"


@pytest.fixture(autouse=True)
def _no_second_tries(monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.next_pause", lambda *_, **__: None)


# ---------------------------------------------------------------- connecting


def test_connect_timeout(rc, monkeypatch):
    def never(self, address):
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", never)
    with pytest.raises(AISConnectTimeout, match=r"within 0\.05 s") as info:
        rc("http://127.0.0.1:9", timeout=(0.05, 1)).request("get", "x")
    assert isinstance(info.value, requests.exceptions.ConnectTimeout)
    assert not info.value.may_have_run


def test_no_address_and_unreachable(rc, monkeypatch):
    def unreachable(self, address):
        raise OSError(101, "Network is unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", unreachable)
        with pytest.raises(AISConnectionError, match="Network is unreachable"):
            rc("http://127.0.0.1:9").request("get", "x")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    with pytest.raises(AISConnectionError, match="no address"):
        rc("http://127.0.0.1:9").request("get", "x")


def test_second_address_is_tried(peers, rc, monkeypatch):
    peer = peers(answer(200, b"x"))
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*kind, ("127.0.0.1", 1)), (*kind, ("127.0.0.1", peer.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    assert rc(f"http://two-addresses:{peer.port}").request("get", "x").content == b"x"


def test_tls_handshake_that_hangs_or_breaks(peers, rc):
    gate = threading.Event()
    silent = peers(script=lambda *_: gate.wait(20))
    with pytest.raises(AISConnectTimeout, match="TLS"):
        rc(silent.url.replace("http", "https"), timeout=(0.1, 1)).request("get", "x")
    gate.set()
    broken = peers(script=lambda _, line: line.reset())
    with pytest.raises(AISConnectionError):
        rc(broken.url.replace("http", "https")).request("get", "x")


def test_authorities_in_a_folder_or_by_environment(tmp_path, monkeypatch):
    folder = tmp_path / "ca"
    folder.mkdir()
    assert isinstance(context_for(TLSConfig(str(folder))), ssl.SSLContext)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS / "ca.pem"))
    both = tmp_path / "both.pem"
    both.write_bytes((TLS / "client.pem").read_bytes() + (TLS / "client.key").read_bytes())
    config = TLSConfig(True, str(both))
    context = context_for(config)
    assert [c["subject"] for c in context.get_ca_certs()] == [((("commonName", "aistore test CA"),),)]
    assert context_for(config) is context


def test_connection_by_itself(peers, monkeypatch):
    peer = peers(answer(200, b"x"))
    conn = open_connection(parse_origin(peer.url), None, None, None)
    assert isinstance(conn, Connection)
    assert conn.sock is not None
    monkeypatch.delattr(select, "poll")
    look = _poller(conn.sock)
    assert not look(0)
    conn.send(b"GET / HTTP/1.1\r\n\r\n")
    assert look(10_000)
    assert look(None)
    assert conn.wait_readable(10)
    conn.close()
    conn.close()
    assert conn.is_stale()
    assert describe(OSError(5, "words")) == "words"
    assert describe(ValueError()) == "ValueError"


# ---------------------------------------------------------------- request bodies


class OneWay:
    """A stream that can only be read."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def read(self, n=-1):
        return self.inner.read(n)


class Seekable(OneWay):
    """A stream that can seek, but is no file of the operating system."""

    def tell(self):
        return self.inner.tell()

    def seek(self, *args):
        self.inner.seek(*args)


def test_sizes():
    assert Body(b"abc").size == 3
    assert Body(memoryview(b"abcd").cast("H")).size == 4
    assert Body(OneWay(b"abc")).size is None
    seekable = Seekable(b"abc")
    seekable.read(1)
    assert Body(seekable).size == 2
    assert seekable.read() == b"bc"
    assert Body(iter([])).size is None
    assert Body.of(None) is None
    body = Body(b"x")
    assert Body.of(body) is body
    closed = io.BytesIO(b"x")
    closed.close()
    assert Body(closed).size is None


def test_size_counts_what_is_not_flushed_yet(tmp_path):
    with (tmp_path / "f").open("w+b") as file:
        file.write(b"abc")
        file.seek(0)
        file.write(b"12345")
        file.seek(0)
        file.read(1)
        file.seek(0, 2)
        file.write(b"more")
        assert Body(file).size == 0
        file.seek(2)
        assert Body(file).size == 7


def test_rewinding():
    for source in (b"abc", Seekable(b"abc"), [b"a", b"bc"]):
        body = Body(source)
        for _ in range(2):
            assert b"".join(body.chunks()) == b"abc"
            assert body.touched
            body.rewind()
    for source in (OneWay(b"abc"), iter([b"abc"])):
        body = Body(source)
        body.rewind()
        assert b"".join(body.chunks()) == b"abc"
        with pytest.raises(AISUnrewindableBodyError):
            body.rewind()
    gone = Seekable(b"abc")
    body = Body(gone)
    list(body.chunks())
    gone.inner.close()
    with pytest.raises(AISUnrewindableBodyError):
        body.rewind()


def test_never_more_than_announced():
    growing = Seekable(b"abc")
    body = Body(growing)
    growing.inner.getbuffer()[:] = b"xyz"
    growing.inner.seek(0, 2)
    growing.inner.write(b"more")
    growing.inner.seek(0)
    assert b"".join(body.chunks()) == b"xyz"
    shrunk = Seekable(b"abc")
    body = Body(shrunk)
    shrunk.inner.truncate(1)
    with pytest.raises(BodyError, match="2 bytes before"):
        list(body.chunks())
    with pytest.raises(InvalidArgumentType):
        Body(io.StringIO("x"))


def test_a_pipe_is_sent_chunked(peers, rc):
    import os

    target = peers(answer(200))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source:
        os.write(writer, b"through the pipe")
        os.close(writer)
        rc(proxy).request("put", OBJ, data=source)
    assert target.requests[0].body == b"through the pipe"


def test_error_of_the_source_passes_through(peers, rc):
    def source():
        yield b"some"
        raise KeyError("mine")

    target = peers(answer(200))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    client = rc(proxy)
    with pytest.raises(KeyError, match="mine"):
        client.request("put", OBJ, data=source())
    assert client.session_manager.transport.pool.idle_count() == 0


def test_server_that_refuses_the_body_is_heard(peers, rc):
    """It answers before the body is through and reads no more: its error counts, not the lost connection."""
    full = threading.Event()

    def script(peer, line):
        line.read_head()
        line.send(answer(507, b"out of space", "Connection: close"))
        full.wait(20)

    target = peers(script=script)
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    with pytest.raises(ErrOutOfSpace, match="out of space"):
        rc(proxy, timeout=(5, 0.3)).request("put", OBJ, data=iter([b"x" * 1_000_000] * 50))
    full.set()


def test_server_that_takes_nothing_of_the_body(peers, rc):
    gate = threading.Event()
    target = peers(script=lambda _, line: (line.read_head(), gate.wait(20)))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    with pytest.raises(AISReadTimeout, match="took nothing"):
        rc(proxy, timeout=(5, 0.2)).request("put", OBJ, data=b"x" * 50_000_000)
    gate.set()


def test_file_to_a_server_that_takes_nothing(peers, rc, tmp_path):
    gate = threading.Event()
    target = peers(script=lambda _, line: (line.read_head(), gate.wait(20)))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    path = tmp_path / "f"
    with path.open("wb") as sparse:
        sparse.truncate(50_000_000)
    with path.open("rb") as file, pytest.raises(AISReadTimeout, match="took nothing"):
        rc(proxy, timeout=(5, 0.2)).request("put", OBJ, data=file)
    gate.set()


def test_file_to_a_server_that_resets(peers, rc, tmp_path):
    target = peers(script=lambda _, line: (line.read_head(), line.reset()))
    proxy = peers(lambda _, r: redirect(target.url + r.target))
    path = tmp_path / "f"
    with path.open("wb") as sparse:
        sparse.truncate(50_000_000)
    with path.open("rb") as file, pytest.raises(AISConnectionError):
        rc(proxy).request("put", OBJ, data=file)


def test_expecting_server_that_says_nothing_gets_the_body(peers, rc, monkeypatch):
    monkeypatch.setattr("aistore.sdk.transport.exchange.CONTINUE_WAIT", 0.01)

    def script(peer, line):
        peer.requests.append(line.read())
        peer.requests[0].body = line.file.read(4)
        line.send(answer(200))

    peer = peers(script=script)
    assert rc(peer).request("put", OBJ, data=b"body").ok
    assert peer.requests[0].body == b"body"


# ---------------------------------------------------------------- answers as requests gives them


def test_text(peers, rc):
    latin = answer(200, "h\u00e9".encode("latin-1"), "Content-Type: text/plain; charset=latin-1")
    client = rc(peers(answer(200, "h\u00e9".encode()), latin, answer(200, b"h\xe9", "Content-Type: x/y")))
    assert client.request("get", "x").text == "h\u00e9"
    r = client.request("get", "x")
    assert (r.text, r.encoding) == ("h\u00e9", "latin-1")
    r.encoding = "cp437"
    assert r.text == "h\u0398"
    assert client.request("get", "x").text


def test_lines_and_unicode(peers, rc):
    client = rc(peers(answer(200, "a\n\u00e9\nb".encode(), "Content-Type: text/x; charset=utf-8")))
    r = client.request("get", "x", stream=True)
    assert list(r.iter_lines(chunk_size=2, decode_unicode=True)) == ["a", "\u00e9", "b"]
    r = client.request("get", "x")
    assert "".join(r.iter_content(2, decode_unicode=True)) == "a\n\u00e9\nb"
    assert list(r.iter_content(None)) == [r.content]
    with pytest.raises(TypeError):
        list(r.iter_content("2"))


def test_answers_pickle(peers, rc):
    r = rc(peers(answer(200, b"x" * 10, "A: b"))).request("get", "x")
    again = pickle.loads(pickle.dumps(r))
    assert (again.status_code, again.content, again.url) == (200, b"x" * 10, r.url)
    assert again.headers["a"] == "b"
    r.headers = {"A": "c"}
    assert r.headers == {"A": "c"}
    assert r.json is not None
    with pytest.raises(requests.exceptions.JSONDecodeError):
        r.json(parse_int=str)


def test_other_server_and_absolute_urls(peers, rc):
    other = peers(answer(200, b"other"))
    client = rc(peers(answer(200, b"own")))
    assert client.request("get", "x", endpoint=other.url, params={"a": "b"}).content == b"other"
    assert other.requests[0].target == "/v1/x?a=b"
    url = f"{other.url}/any/path?q=1"
    assert client._executor.request_absolute("get", url, params="r=2").content == b"other"
    assert other.requests[1].target == "/any/path?q=1&r=2"


def test_cluster_map_is_kept(peers, rc):
    node = {"daemon_id": "p", "daemon_type": "proxy", "public_net": {}, "flags": 0, "id_digest": 1}
    net = '{"node_ip_addr":"127.0.0.1","daemon_port":"1","direct_url":"http://127.0.0.1:1"}'
    node_json = (
        '{"daemon_id":"p","daemon_type":"proxy","flags":0,"id_digest":1,'
        f'"public_net":{net},"intra_control_net":{net},"intra_data_net":{net}}}'
    )
    body = f'{{"pmap":{{"p":{node_json}}},"tmap":{{}},"proxy_si":{node_json},"version":"5","uuid":"u"}}'
    peer = peers(answer(200, body.encode()))
    client = rc(peer)
    smap = client.get_smap()
    assert client.get_smap() is smap
    assert client.get_smap(force_update=True) is not smap
    assert [r.target for r in peer.requests] == ["/v1/daemon?what=smap"] * 2
    assert list(smap.pmap) == [node["daemon_id"]]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 3 + b"0\r\n\r\n"


def test_reading_a_chunked_stream(peers, rc):
    peer = peers(CHUNKED)
    client = rc(peer)
    with client.request("get", "x", stream=True) as r:
        assert r.raw.read(4) == b"abca"
        assert r.raw.length_remaining is None
        assert r.raw.read(100) == b"bcabc"
        assert r.raw.read(1) == b""
    with client.request("get", "x", stream=True) as r:
        assert list(r.iter_content(2)) == [b"ab", b"c"] * 3
    with client.request("get", "x", stream=True) as r:
        assert r.raw.readall() == b"abc" * 3
    with client.request("get", "x", stream=True) as r:
        buffer = bytearray(100)
        assert r.raw.readinto(buffer) == 3
        buffer.clear()
    assert peer.connections in (1, 2)


def test_see_other_becomes_get(peers, rc):
    target = peers(answer(200, b"there"))
    proxy = peers(lambda _, r: redirect(target.url + r.target, 303))
    assert rc(proxy).request("post", "x", json={"a": 1}).content == b"there"
    assert (target.requests[0].method, target.requests[0].body) == ("GET", b"")
    rc(proxy).request("head", "x")
    assert target.requests[1].method == "HEAD"


def test_lock_is_taken_for_free_when_asking_fails(rc):
    from aistore.sdk.lock_poller import LockPoller
    from aistore.sdk.retry_config import ColdGetConf

    executor = rc("http://127.0.0.1:1")._executor
    req = requests.Request("GET", "http://127.0.0.1:1/v1/objects/b/o?provider=aws").prepare()
    poller = LockPoller(executor, ColdGetConf())
    poller.wait_for_unlock(req)
    assert poller._size("objects/b/o", {}) == 0


# ---------------------------------------------------------------- what other threads do meanwhile


class Emptied(deque):
    """A stack that another thread empties just before it is used."""

    def __bool__(self):
        return True

    def __len__(self):
        return 9

    def __getitem__(self, index):
        raise IndexError

    def pop(self):
        raise IndexError


def test_a_pool_that_others_empty(peers):
    peer = peers(answer(200, b"x"))
    origin = parse_origin(peer.url)
    pool = Pool(1, TLSConfig(True))
    pool._idle[origin.key] = Emptied()
    conn = pool.take(origin, 5, 5, fresh=False)
    pool.give(conn)
    pool._idle[origin.key] = deque([conn])
    pool.give(conn)  # one too many, but too fresh to be dropped
    assert pool.idle_count() == 2
    pool.close()
    pool.give(conn)
    assert pool.idle_count() == 0
    pool._idle[origin.key] = Emptied()
    pool.close()


def test_tls_settings_that_another_thread_has_loaded_meanwhile(monkeypatch):
    config, made = TLSConfig(True), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    class Loading:
        def __enter__(self):
            tls._contexts[config] = made

        def __exit__(self, *exc):
            pass

    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.setattr(tls, "_lock", Loading())
    assert context_for(config) is made


def test_a_body_that_another_thread_closes(peers, rc, monkeypatch):
    client = rc(peers(answer(200, b"0" * 200_000)))
    for amount in (10, 200_000):
        with client.request("get", "x", stream=True) as reply:
            given = iter([b"0", b""])
            monkeypatch.setattr(reply.raw, "read1", lambda _, given=given: next(given))
            monkeypatch.setattr(reply.raw, "readinto", lambda _, given=given: len(next(given)))
            assert reply.raw.read(amount) == (b"0" if amount == 10 else b"\0")


def test_files_that_cannot_be_sent_by_the_system(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        body = Body(file)
        assert body.sendable_file() is file
    assert body.sendable_file() is None  # closed meanwhile

    class Stubborn(Seekable):
        def seek(self, *args):
            raise OSError

    assert Body(Stubborn(b"abc")).size is None
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe:
        os.close(writer)
        assert Body(pipe).sendable_file() is None


def test_members_are_forgotten_when_there_are_many(peers, rc):
    target = peers(answer(200, b"x"))
    proxy = peers(redirect(target.url + "/v1/x"))
    client = rc(proxy, token="t")
    transport = client.session_manager.transport
    transport._members.update({(n, ""): None for n in range(101)})
    assert client.request("get", "x").text == "x"
    assert len(transport._members) == 1


def test_a_child_closes_what_it_inherits(peers):
    peer = peers(answer(200, b"x"))
    conn = open_connection(parse_origin(peer.url), None, 5, 5)
    connection._close_inherited()  # in this process, where coverage sees it
    assert conn.sock is None
    with pytest.raises(connection.DeadConnectionError):
        conn.send(b"x")


# ---------------------------------------------------------------- time limits, refusals, words


def test_a_call_whose_time_is_over_is_not_begun(peers):
    peer = peers(answer(200, b"x"))
    call = Call("GET", parse_base(peer.url), "/v1/x", total=0.0)
    with pytest.raises(AISReadTimeout, match="time limit of the call"):
        Transport(1, TLSConfig(True)).send(call)
    assert peer.requests == []


def test_a_body_whose_time_is_over(peers, rc):
    with rc(peers(answer(200, b"x" * 100_000))).request("get", "x", stream=True) as reply:
        reply.raw.limit(-1.0)
        with pytest.raises(AISReadTimeout, match="time limit of the call"):
            reply.raw.read()


def test_a_body_whose_connection_was_closed_meanwhile(peers, rc):
    with rc(peers(answer(200, b"x" * 100_000))).request("get", "x", stream=True) as reply:
        assert reply.raw.read(10) == b"x" * 10
        reply.raw._conn.close()
        with pytest.raises(AISChunkedEncodingError, match="closed"):
            reply.raw.read()


def test_a_cluster_map_that_cannot_be_had_trusts_nobody():
    members = Members(parse_origin("http://a:1"))

    def load():
        raise AISConnectionError("refused")

    assert members.trusts(parse_origin("http://a:1"), load)
    assert not members.trusts(parse_origin("http://b:1"), load)


def test_words_for_failures_of_tls():
    assert connection._tls_reason(ssl.SSLError(1, "words of the library")) == "words of the library"


def test_an_empty_file_is_nothing_to_send(peers, tmp_path):
    (tmp_path / "empty").touch()
    conn = open_connection(parse_origin(peers(answer()).url), None, 5, 5)
    with (tmp_path / "empty").open("rb") as file:
        body = Body(file)
        conn.send_file(body, file)
        assert body.touched
    conn.close()


def test_bytes_that_tls_has_already_decrypted(peers):
    peer = peers(answer(200, b"x" * 100), tls=True)
    context = context_for(TLSConfig(str(TLS / "ca.pem")))
    conn = open_connection(parse_origin(peer.url), context, 5, 5)
    conn.send(b"GET / HTTP/1.1\r\n\r\n")
    assert conn.sock.recv(1) == b"H"
    assert conn.wait_readable(0)
    conn.close()


def test_a_child_has_a_lock_of_its_own(monkeypatch):
    before = tls._lock
    monkeypatch.setattr(tls, "_lock", before)
    tls._forget_lock()  # in this process, where coverage sees it
    assert tls._lock is not before


def test_a_certificate_that_the_server_demands_is_missing(peers, rc):
    # With TLS 1.3 the refusal comes after the handshake: it is final, no lost connection to try again.
    peer = peers(answer(200), tls=True, client_ca=True)
    with pytest.raises(AISSSLError, match="refused"):
        rc(peer).request("GET", "health")
    assert peer.connections <= 1


def _ssl_error(reason):
    err = ssl.SSLError(1, reason)
    err.reason = reason
    return err


@pytest.mark.parametrize(
    ("behind", "refused"),
    [
        (_ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), True),
        (_ssl_error("UNEXPECTED_EOF_WHILE_READING"), False),
        (ConnectionResetError("reset"), False),
        ([b""], False),
    ],
)
def test_the_alert_behind_a_broken_connection_is_found(peers, behind, refused):
    conn = open_connection(parse_origin(peers(answer()).url), None, 5, 5)
    with conn.sock:
        conn.sock = Mock(spec=ssl.SSLSocket)
    conn.sock.sendall.side_effect = BrokenPipeError("gone")
    conn.sock.recv.side_effect = behind
    with pytest.raises(AISSSLError if refused else DeadConnectionError):
        conn.send(b"GET / HTTP/1.1\r\n\r\n")
    conn.close()


def test_the_log_shows_no_signature_of_a_redirect(peers, rc, caplog):
    target = peers(answer(200, b"x"))
    proxy = peers(redirect(f"{target.url}/v1/objects/b/o?pid=p&sig=secret", 301))
    with caplog.at_level("DEBUG", "aistore"):
        rc(proxy).request("GET", "objects/b/o", params={"provider": "ais"})
    assert "/v1/objects/b/o -> 200" in caplog.text
    assert "secret" not in caplog.text
