"""Threads that take turns at connections: quick work by one of them, and slow work delays nobody."""

import contextlib
import socket
import sys
import threading
import time

import pytest

from aistore.sdk.etl.webserver import crew as crew_module
from aistore.sdk.etl.webserver.crew import Crew
from aistore.sdk.etl.webserver.pace import Pace

SECONDS = 20


class Echo:
    """A connection that is answered what it says, by the thread's number; `slow` waits first."""

    def __init__(self, crew, work=None):
        self.client, self.connection = socket.socketpair()
        self.client.settimeout(SECONDS)
        self.work = work or (lambda said: None)
        self.threads = []
        self.left = threading.Event()
        crew.add(self)

    def visit(self):
        said = self.connection.recv(100)
        if said:
            self.threads.append(threading.get_ident())
            self.work(said)
            self.connection.sendall(said)
        return bool(said)

    def leave(self):
        self.connection.close()
        self.left.set()

    def ask(self, said=b"x"):
        self.client.sendall(said)
        return self.client.recv(100)


@pytest.fixture
def crew():
    before = set(threading.enumerate())
    crew = Crew()
    yield crew
    crew.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.fixture
def connect(crew):
    with contextlib.ExitStack() as stack:

        def new(work=None):
            station = Echo(crew, work)
            stack.enter_context(station.client)
            stack.enter_context(station.connection)
            return station

        yield new


@pytest.fixture
def fast(monkeypatch):
    """Have work taken for fast, however busy this machine is."""
    monkeypatch.setattr(Pace, "note", lambda self, seconds: None)
    monkeypatch.setattr(crew_module, "TICK_SECONDS", SECONDS)


def own_threads():
    return [t for t in threading.enumerate() if t.name in ("etl-worker", "etl-watch")]


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.usefixtures("fast")
def test_quick_work_is_done_by_one_thread(connect):
    stations = [connect() for _ in range(8)]
    for _ in range(50):
        for station in stations:
            assert station.ask() == b"x"
    assert len({ident for station in stations for ident in station.threads}) == 1
    assert len(own_threads()) == 2


def test_no_thread_before_the_first_connection(crew):
    assert not own_threads()


def test_a_visit_that_is_stuck_delays_nobody(connect):
    go_on = threading.Event()
    stuck = connect(lambda said: go_on.wait(SECONDS))
    stuck.client.sendall(b"first")
    others = [connect() for _ in range(4)]
    for other in others:
        assert other.ask(b"other") == b"other"
    assert stuck.threads
    go_on.set()
    assert stuck.client.recv(100) == b"first"
    # It is waited for again.
    assert stuck.ask(b"second") == b"second"


def test_many_visits_that_are_stuck(connect):
    """Each gets a thread, though none of them is known to be slow beforehand."""
    everyone = threading.Barrier(12)
    stations = [connect(lambda said: everyone.wait(SECONDS)) for _ in range(12)]
    for station in stations:
        station.client.sendall(b"x")
    assert [station.client.recv(100) for station in stations] == [b"x"] * 12


def test_what_is_stuck_at_the_same_time_does_not_add_up(connect, crew):
    """The watch has to notice the first one only."""
    go_on = threading.Event()
    first, *others = [connect(lambda said: go_on.wait(SECONDS)) for _ in range(8)]
    first.client.sendall(b"x")
    until(lambda: crew._wary == crew_module.WARY_VISITS)
    for other in others:
        other.client.sendall(b"x")
    until(lambda: all(other.threads for other in others))
    assert crew._wary == crew_module.WARY_VISITS - len(others)
    go_on.set()
    assert [station.client.recv(100) for station in (first, *others)] == [b"x"] * 8


def test_one_that_is_stuck_for_ever_does_not_have_all_others_spread(connect, crew, request):
    go_on = threading.Event()
    stuck, other = connect(lambda said: go_on.wait(SECONDS)), connect()
    stuck.client.sendall(b"x")
    until(lambda: crew._wary)
    request.getfixturevalue("fast")
    for _ in range(crew_module.WARY_VISITS):
        assert other.ask() == b"x"
    other.threads.clear()
    for _ in range(20):
        assert other.ask() == b"x"
    assert len(set(other.threads)) == 1
    go_on.set()
    assert stuck.client.recv(100) == b"x"


def test_slow_work_is_done_at_the_same_time(connect, crew, monkeypatch):
    """Without waiting for the watch, once it is known."""
    monkeypatch.setattr(crew._pace, "is_slow", True)
    monkeypatch.setattr(crew._pace, "_left", 1000)
    monkeypatch.setattr(crew_module, "TICK_SECONDS", SECONDS)
    everyone = threading.Barrier(8)
    stations = [connect(lambda said: everyone.wait(SECONDS)) for _ in range(8)]
    for _ in range(10):
        for station in stations:
            station.client.sendall(b"x")
        assert [station.client.recv(100) for station in stations] == [b"x"] * 8
    # Each thread has stayed with its connection, and one waits for new ones.
    assert [len(set(station.threads)) for station in stations] == [1] * 8
    assert len(own_threads()) == 10


@pytest.mark.usefixtures("fast")
def test_what_is_fast_again_is_done_by_one_thread_again(connect, crew):
    crew._pace.is_slow = True
    stations = [connect() for _ in range(4)]
    for _ in range(100):
        for station in stations:
            assert station.ask() == b"x"
    assert not crew._pace.is_slow
    until(lambda: len(crew._idle) == len(own_threads()) - 2)


@pytest.mark.usefixtures("fast")
def test_a_thread_that_is_woken_to_lead_always_does(connect, crew):
    """It may run before the thread that hands the lead over goes on."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    crew._wary = 10**6  # the lead is handed over before each visit, and whoever had it rests after it
    stations = [connect() for _ in range(8)]
    answers = []
    clients = [
        threading.Thread(target=lambda each=each: answers.extend(each.ask() for _ in range(500)))
        for each in stations
    ]
    try:
        for client in clients:
            client.start()
        for client in clients:
            client.join(SECONDS)
    finally:
        sys.setswitchinterval(before)
    assert answers == [b"x"] * 8 * 500


def test_idle_threads_end(connect, crew, monkeypatch):
    monkeypatch.setattr(crew_module, "IDLE_SECONDS", 0.01)
    everyone = threading.Barrier(6)
    stations = [connect(lambda said: everyone.wait(SECONDS)) for _ in range(6)]
    for station in stations:
        station.client.sendall(b"x")
    assert [station.client.recv(100) for station in stations] == [b"x"] * 6
    until(lambda: len(own_threads()) == 2)
    stations[0].work = lambda said: None
    assert stations[0].ask() == b"x"


def test_threads_do_not_grow_with_traffic(connect):
    pause = threading.Event()
    stations = [connect(lambda said: pause.wait(0.012) and None) for _ in range(3)]
    for _ in range(30):
        for station in stations:
            station.client.sendall(b"x")
        for station in stations:
            assert station.client.recv(100) == b"x"
    # One for each connection, the leader, the watch, and those that are about to rest.
    assert len(own_threads()) <= 8


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_visit_that_raises_ends_its_connection_alone(connect, caplog, error):
    def fail(said):
        raise error("no")

    failing, other = connect(fail), connect()
    failing.client.sendall(b"x")
    assert failing.client.recv(100) == b""
    assert failing.left.wait(SECONDS)
    assert "a connection failed" in caplog.text
    assert other.ask() == b"x"


def test_connections_that_end_are_left(connect):
    stations = [connect() for _ in range(50)]
    for station in stations[::2]:
        station.client.close()
    assert all(station.left.wait(SECONDS) for station in stations[::2])
    assert [station.ask() for station in stations[1::2]] == [b"x"] * 25
    assert not any(station.left.is_set() for station in stations[1::2])


def test_a_connection_that_its_handler_closed(connect):
    station = connect()
    station.work = lambda said: station.connection.shutdown(socket.SHUT_RDWR)
    station.client.sendall(b"x")
    assert station.left.wait(SECONDS)
    closed = connect()
    closed.visit = lambda: closed.connection.close() or True
    closed.client.sendall(b"x")
    assert closed.left.wait(SECONDS)
    assert connect().ask() == b"x"


def test_closing_leaves_idle_connections_at_once_and_busy_ones_later(connect, crew):
    go_on = threading.Event()
    idle, busy = connect(), connect(lambda said: go_on.wait(SECONDS))
    busy.client.sendall(b"x")
    until(lambda: busy.threads)
    until(lambda: crew._at is None)  # it has lost the lead
    crew.close()
    crew.close()
    assert idle.left.wait(SECONDS)
    assert not busy.left.is_set()
    go_on.set()
    assert busy.client.recv(100) == b"x"
    assert busy.left.wait(SECONDS)
    assert connect().left.is_set()


def test_closing_before_any_connection():
    Crew().close()


def test_no_more_threads_can_be_started(connect, crew, monkeypatch, caplog):
    """The leader does what it can: one after the other."""
    first = connect()
    assert first.ask() == b"x"

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    crew._pace.is_slow = True
    second = connect()
    assert [first.ask(), second.ask(), first.ask()] == [b"x"] * 3
    assert "no more threads can be started" in caplog.text


def test_no_thread_for_the_first_connection(crew, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(RuntimeError):
            crew.add(type("Station", (), {"connection": theirs})())


def test_a_selector_that_does_not_learn_is_woken(connect, monkeypatch):
    """As on systems without epoll and kqueue."""
    monkeypatch.setattr(crew_module, "_LEARNS", False)
    for _ in range(3):
        station = connect()
        assert [station.ask() for _ in range(5)] == [b"x"] * 5
