"""What is left of answers after their last entry: one thread for all, and none where nothing is to come."""

import os
import threading
import time
from contextlib import contextmanager

import pytest
from archives import tar_of
from scripted import Answer, scripted

from aistore.sdk.batch import drain
from aistore.sdk.batch.batch import Batch
from aistore.sdk.bucket import Bucket
from aistore.wire.http1.chunked import ChunkedDecoder
from aistore.wire.http1.parse import MalformedMessageError

TAR = tar_of([("bck/a", b"1")])


def drains():
    return [thread for thread in threading.enumerate() if thread.name == "aistore-drain"]


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def read(client):
    return [data for _, data in Batch(client, ["a"], Bucket("bck", client)).get()]


@contextmanager
def held(tail=bytes(10)):
    """Give a server that holds answers open after the last member, a client, and what lets them end."""
    go_on = threading.Event()

    def pieces():
        yield TAR
        go_on.wait(10)
        yield tail

    with scripted(lambda request: Answer(pieces(), chunked=True)) as (server, client):
        try:
            yield server, client, go_on
        finally:
            go_on.set()
            until(lambda: not drains())


def test_what_is_there_is_read_without_a_thread(monkeypatch):
    started = threading.Thread.start

    def start(thread):
        assert thread.name != "aistore-drain"
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with scripted(lambda request: Answer(TAR)) as (server, client):
        for _ in range(5):
            assert read(client) == [b"1"]
        assert server.connections == 1


def test_one_thread_waits_for_many_answers():
    with held() as (server, client, go_on):
        for _ in range(10):
            assert read(client) == [b"1"]
        assert len(drains()) == 1
        assert server.connections == 10
        go_on.set()
        until(lambda: not drains())
        for _ in range(10):
            assert read(client) == [b"1"]
        assert server.connections == 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_of_a_fork_has_nothing_of_it_open():
    with held() as (_, client, go_on):
        read(client)
        until(drains)
        pid = os.fork()
        if not pid:  # pragma: no cover - the child
            status = 1
            try:
                new = drain._drainer
                status = 0 if new._waker is None and not new._open and not drains() else 1
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        go_on.set()
        until(lambda: not drains())
        assert client.session_manager.transport.pool.idle_count() == 1


def test_more_than_that_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(drain, "_MAX_ANSWERS", 3)
    with held() as (_, client, go_on):
        for _ in range(5):
            assert read(client) == [b"1"]
        go_on.set()
        until(lambda: not drains())
        assert client.session_manager.transport.pool.idle_count() == 3


def test_no_more_threads(monkeypatch):
    with held() as (_, client, go_on):
        started = threading.Thread.start

        def start(thread):
            if thread.name == "aistore-drain":
                raise RuntimeError("can't start new thread")
            started(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        assert read(client) == [b"1"]
        monkeypatch.undo()
        assert client.session_manager.transport.pool.idle_count() == 0
        go_on.set()
        read(client)  # the next one has its thread again


@pytest.mark.parametrize("tail", [bytes(300_000), b""])
def test_too_much_or_nothing_of_a_tail(tail):
    with held(tail) as (_, client, go_on):
        read(client)
        go_on.set()
        until(lambda: not drains())
        assert client.session_manager.transport.pool.idle_count() == (0 if tail else 1)


def test_an_answer_that_is_cut_after_its_last_member():
    with scripted(lambda request: Answer(TAR + bytes(10), chunked=True, cut=len(TAR) + 5)) as (_, client):
        assert read(client) == [b"1"]
        until(lambda: not drains())
        assert client.session_manager.transport.pool.idle_count() == 0


def test_chunks_are_skipped_at_every_split():
    data = b"5\r\nabcde\r\n1\r\nf\r\n0\r\n\r\nnext"
    for split in range(len(data)):
        decoder, total = ChunkedDecoder(), 0
        for piece in (data[:split], data[split:]):
            pos, payload = decoder.skip(piece)
            total += payload
        assert (total, decoder.done) == (6, True)
        assert split > len(data) - 4 or piece[pos:] == b"next"
    with pytest.raises(MalformedMessageError):
        ChunkedDecoder().skip(b"x\r\n")
