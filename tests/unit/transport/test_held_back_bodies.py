"""No request changes an object before its body is there."""

import threading

import pytest
from peer import answer, redirect

from aistore.sdk.errors import AISConnectionError, AISReadTimeout, ErrServerFailure

PUTS = [
    {},
    {"append_type": "append", "append_handle": ""},
    {"uploadId": "u", "partNumber": "1"},
    {"archpath": "member", "archmime": ".tar"},
]


class Store:
    """A server that does not redirect, and takes a request for what it is once its head is there."""

    def __init__(self, *, says_continue):
        self.says_continue = says_continue
        self.object = b"precious"
        self.heads = []

    def __call__(self, _peer, line):
        while (head := line.read_head()) is not None:
            self.heads.append(head)
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0])
            if b"expect: 100-continue" in head.lower() and self.says_continue:
                line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = line.file.read(length)
            if len(body) < length:
                return
            self.object = body
            line.send(answer(200))


@pytest.fixture(params=[True, False], ids=["continue", "silent"])
def store(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr("aistore.sdk.transport.exchange.CONTINUE_WAIT", 0.01)
    return Store(says_continue=request.param)


def fails():
    yield b"half of it"
    raise OSError("the source is gone")


@pytest.mark.parametrize("params", PUTS)
def test_a_body_that_breaks_changes_nothing(peers, rc, store, params):
    client = rc(peers(script=store))
    with pytest.raises(OSError, match="gone"):
        client.request("put", "objects/b/o", params=params, data=SizedFailure())
    assert store.object == b"precious"


class SizedFailure:
    """A file of 100 bytes that fails when it is read."""

    def tell(self):
        return 0

    def seek(self, offset, whence=0):
        return 100 if whence == 2 else offset

    def read(self, _size=-1):
        raise OSError("the source is gone")


def test_a_server_that_does_not_redirect_gets_every_body_at_once(peers, rc, store):
    client = rc(peers(script=store))
    for _ in range(3):
        client.request("put", "objects/b/o", data=b"new")
        assert store.object == b"new"
    assert [b"Expect" in head for head in store.heads] == [True, False, False]


def test_a_redirected_get_proves_nothing(peers, rc):
    store = Store(says_continue=True)
    target = peers(answer(200, b"old"))

    def script(peer, line):
        head = line.read_head()
        if head.startswith(b"GET"):
            line.send(redirect(f"{target.url}/v1/objects/b/o"))
            head = line.read_head()
        store.heads.append(head)
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        store.object = line.file.read(3)
        line.send(answer(200))

    client = rc(peers(script=script))
    client.request("get", "objects/b/o")
    client.request("put", "objects/b/o", data=b"new")
    assert store.object == b"new"
    assert b"Content-Length: 3\r\n" in store.heads[0]
    assert len(store.heads) == 1


def test_an_endpoint_that_redirects_no_more(peers, rc):
    """A body sent after an empty probe replaces what the probe made, and the next ones are not held back."""
    bodies, moved = [], threading.Event()
    target = peers(answer(200))

    def script(peer, line):
        while (request := line.read()) is not None:
            if moved.is_set():
                bodies.append(request.body)
                line.send(answer(200))
            else:
                line.send(redirect(target.url + request.target))
                if request.header("expect"):
                    return

    client = rc(peers(script=script))
    client.request("put", "objects/b/o", data=b"1")
    client.request("put", "objects/b/o", data=b"2")
    moved.set()
    client.request("put", "objects/b/o", data=b"3")
    client.request("put", "objects/b/o", data=b"4")
    assert [request.body for request in target.requests] == [b"1", b"2"]
    assert bodies == [b"", b"3", b"4"]


def test_a_refusal_leaves_the_body_unread(peers, rc):
    peer = peers(answer(500, b"no"))
    with pytest.raises(ErrServerFailure):
        rc(peer).request("put", "objects/b/o", data=fails())
    assert len(peer.requests) == 1


def test_a_connection_that_ends_instead_of_a_word(peers, rc):
    with pytest.raises((AISConnectionError, AISReadTimeout)) as info:
        rc(peers(lambda *_: None)).request(
            "put", "objects/b/o", params={"append_type": "append"}, data=fails()
        )
    assert info.value.attempts == 1
