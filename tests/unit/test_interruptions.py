"""Exceptions of signal handlers: a task's time limit, as Celery's, arrives as it was raised."""

import signal
import socket
import sys
import threading
from contextlib import ExitStack, contextmanager

import fsspec
import pytest
from scripted import Answer, ScriptedServer

from aistore import Client
from aistore.pytorch.prefetch import prefetch
from aistore.sdk.polling import poll


class SoftTimeLimit(Exception):
    """As Celery's: derived from `Exception`."""


SIGNAL = signal.SIGUSR1


@pytest.fixture
def goes_on():
    """What a peer waits for; set as soon as the signal has come."""
    return threading.Event()


@contextmanager
def interrupted_in(functions, goes_on):
    """Raise `SoftTimeLimit` from a signal handler once the main thread waits in one of the functions."""
    main, begun, ended = threading.get_ident(), threading.Event(), threading.Event()

    def over(*_):
        goes_on.set()
        raise SoftTimeLimit

    def watch():
        seen = ()
        begun.wait()
        while not ended.wait(0.005):
            frame = sys._current_frames()[main]
            now = (id(frame), frame.f_lasti)
            if frame.f_code.co_name in functions and now == seen:
                signal.pthread_kill(main, SIGNAL)
                return
            seen = now

    before = signal.signal(SIGNAL, over)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(SoftTimeLimit):  # noqa: PT012 - the watcher must not find pytest's own waits
            begun.set()
            yield
    finally:
        ended.set()
        watcher.join()
        signal.signal(SIGNAL, before)


@pytest.fixture
def serve():
    """Make scripted servers that are closed after the test."""
    servers = []

    def make(script):
        servers.append(ScriptedServer(script))
        return servers[-1].endpoint

    yield make
    for server in servers:
        server.close()


SIZE = 1 << 20


def stalled(request, goes_on, *, chunked):
    """Half of an object, and the rest after the signal: then it is whole."""

    def body():
        yield b"x" * (SIZE // 2)
        goes_on.wait(30)
        yield b"x" * (SIZE // 2)

    headers = {} if chunked else {"Content-Length": str(SIZE)}
    return Answer(body(), headers=headers, chunked=chunked)


def read_file(reader):
    with reader.as_file() as file:
        while file.read(1000):
            pass


def read_raw(reader):
    with reader.raw() as raw:
        while raw.read(1000):
            pass


READS = {
    "read_all": lambda reader: reader.read_all(),
    "iteration": lambda reader: [*reader],
    "file": read_file,
    "raw": read_raw,
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("way", READS)
def test_while_a_body_is_read(serve, goes_on, way, chunked):
    with Client(serve(lambda request: stalled(request, goes_on, chunked=chunked))) as client:
        obj = client.bucket("b").object("o")
        functions = {"recv", "recv_into"}
        with interrupted_in(functions, goes_on):
            READS[way](obj.get_reader())
        assert obj.get_reader().read_all() == b"x" * SIZE


def waiting(goes_on, then=Answer):
    """Make a server that responds after the signal."""

    def script(request):
        goes_on.wait(30)
        return then()

    return script


def whole():
    return Answer(b"x" * SIZE, headers={"Ais-Checksum-Type": "none"})


WAITS = {
    "head of a response": ({"_read_head"}, lambda client: client.bucket("b").object("o").head()),
    "listing": ({"_read_head"}, lambda client: client.bucket("b").list_objects()),
    "prefetched listing": ({"_read_head"}, lambda client: list(client.bucket("b").list_objects_iter())),
    "put": ({"_read_head"}, lambda client: client.bucket("b").object("o").get_writer().put_content(b"x")),
    "batch": ({"_read_head"}, lambda client: list(client.batch(["o"], bucket=client.bucket("b")).get())),
    "job": ({"_read_head"}, lambda client: client.job("x").wait(timeout=60)),
}


@pytest.mark.parametrize("what", WAITS)
def test_while_a_response_is_waited_for(serve, goes_on, what):
    functions, call = WAITS[what]
    with Client(serve(waiting(goes_on))) as client, interrupted_in(functions, goes_on):
        call(client)


def test_while_many_files_are_put(serve, goes_on, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(b"x")
    with Client(serve(waiting(goes_on))) as client, interrupted_in({"wait"}, goes_on):
        client.bucket("b").put_files(tmp_path, num_workers=2)


def test_while_threads_read_ranges(serve, goes_on):
    def script(request):
        if request.method == "GET":
            goes_on.wait(30)
        return whole()

    with Client(serve(script)) as client:
        reader = client.bucket("b").object("o").get_reader(num_workers=2, chunk_size=SIZE // 4)
        with interrupted_in({"wait"}, goes_on):
            reader.read_all()


def test_while_a_filesystem_works(serve, goes_on):
    fs = fsspec.filesystem("ais", endpoint=serve(waiting(goes_on)), skip_instance_cache=True)
    with interrupted_in({"wait"}, goes_on):
        fs.cat("b/o")


def test_while_samples_are_read_ahead(goes_on):
    def read(group):
        goes_on.wait(30)
        yield group

    with interrupted_in({"wait"}, goes_on):
        list(prefetch(range(3), read, lambda _: 1, ahead=2, max_bytes=10))


def test_while_a_request_is_about_to_be_sent_again(serve, goes_on):
    with Client(serve(lambda request: Answer(status=503))) as client, interrupted_in({"_by_budget"}, goes_on):
        client.bucket("b").object("o").head()


def test_while_something_is_polled(goes_on):
    with interrupted_in({"poll"}, goes_on):
        poll(lambda: None, timeout=60, action="nothing", max_interval=60)


@pytest.fixture
def deaf():
    """A server that accepts connections, and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_while_a_body_is_sent(serve, goes_on, deaf):
    target = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/objects/b/o"
    endpoint = serve(lambda request: Answer(status=307, headers={"Location": target}))
    with Client(endpoint) as client, interrupted_in({"send"}, goes_on):
        client.bucket("b").object("o").get_writer().put_content(bytes(64 << 20))


def test_while_a_connection_is_made(goes_on):
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel drops what comes when the queue is full
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        client = stack.enter_context(Client(f"http://127.0.0.1:{full.getsockname()[1]}"))
        with interrupted_in({"_connect_any"}, goes_on):
            client.bucket("b").head()


def test_while_a_name_is_looked_up(goes_on, monkeypatch):
    def look_up(*_):
        goes_on.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Client("http://nowhere.invalid:8080") as client, interrupted_in({"wait"}, goes_on):
        client.bucket("b").head()
