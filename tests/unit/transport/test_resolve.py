"""Name look-ups end in time, and a resolver that hangs costs one thread."""

import os
import socket
import threading

import pytest
import requests
from peer import answer, wait_until

from aistore.sdk.errors import AISConnectTimeout
from aistore.sdk.transport import resolve as module
from aistore.sdk.transport.connection import open_connection
from aistore.sdk.transport.resolve import resolve
from aistore.sdk.transport.url import parse_origin


@pytest.fixture
def hung(monkeypatch):
    """Make a resolver that gives no answer until the test ends; give the list of its calls."""
    gate = threading.Event()
    calls = []

    def getaddrinfo(host, *args):
        calls.append(host)
        assert gate.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield calls
    gate.set()
    wait_until(lambda: not module._running)


def test_a_hung_look_up_ends_in_time(hung):
    with pytest.raises(AISConnectTimeout, match=r"look-up of host 'slow\.example'") as caught:
        open_connection(parse_origin("http://slow.example:80"), None, 0.05, None)
    assert isinstance(caught.value, requests.exceptions.ConnectTimeout)
    with pytest.raises(TimeoutError):
        resolve("slow.example", 80, 0.01)
    assert hung == ["slow.example"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_waits_for_no_look_up_of_its_parent(hung):
    with pytest.raises(TimeoutError):
        resolve("slow.example", 80, 0.01)
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writer, str(len(module._running)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 9) == b"0"
    os.close(reader)
    os.close(writer)


def test_unknown_names_are_errors():
    with pytest.raises(socket.gaierror):
        resolve("no-such-host.invalid", 80, 10)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%1"])
def test_addresses_are_not_looked_up(monkeypatch, host):
    monkeypatch.setattr(threading, "Thread", None)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_: [host])
    assert resolve(host, 80, 1.0) == [host]


def test_without_threads_names_are_looked_up_all_the_same(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert resolve("localhost", 80, 10.0)
    assert not module._running


def test_names_are_looked_up(peers, rc):
    peer = peers(answer(200, b"x"))
    assert rc(peer.url.replace("127.0.0.1", "localhost")).request("get", "x").text == "x"
