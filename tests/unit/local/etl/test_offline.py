"""Offline transforms: many objects under way at once, and whatever an ETL's server may answer."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from aistore.local import bucket_props
from aistore.local.catalog import Bucket
from aistore.local.etl.instance import Etl
from aistore.local.etl.offline import EtlChain, transform_bucket
from aistore.local.etl.pod import Pod
from aistore.local.etl.spec import parse_init
from aistore.local.jobs import Job
from aistore.local.jobs.transfer import TransferOptions
from aistore.local.names import Bck
from aistore.local.options import Options
from aistore.local.state import State

SECONDS = 20.0
DEFAULTS = TransferOptions()
LARGE = b"x" * (1 << 20)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_PUT(self) -> None:
        parts = urlsplit(self.path)
        name = unquote(parts.path).rpartition("/")[2]
        server = self.server
        with server.lock:
            server.asked[name] += 1
            server.pipelines[name] = self.headers.get("ais-node-url", "")
            count = server.asked[name]
            server.under_way += 1
            server.most = max(server.most, server.under_way)
        if name.startswith("wait"):
            server.gate.wait(SECONDS)
        with server.lock:
            server.under_way -= 1
        if name == "drop" and count == 1:
            self.close_connection = True
        elif name == "busy" and count == 1:
            self._answer(503, b"later", {"ais-etl-retry-reason": "direct-put-transient"})
        elif name == "bad":
            self._answer(500, b"do not like it")
        elif name == "until-the-end":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nTO THE END")
            self.close_connection = True
        elif name == "short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nTOO FEW")
            self.close_connection = True
        elif name == "large":
            self._answer(200, LARGE)
        else:
            fqn = unquote(parse_qs(parts.query)["etl_fqn"][0])
            self._answer(200, Path(fqn).read_bytes().upper())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Stands for an ETL's process: what it does depends on the object's name."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.asked: Counter[str] = Counter()
        self.pipelines: dict[str, str] = {}
        self.under_way = self.most = 0


class HerePod(Pod):
    """A process that is a thread of this one."""

    is_alive = True  # type: ignore[assignment] - a property of processes


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join(SECONDS)


def make_state(tmp_path: Path, **options: object) -> State:
    return State(Options(port=0, **options), tmp_path)  # type: ignore[arg-type] - of various types


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = make_state(tmp_path)
    yield state
    state.close()


def make_bucket(state: State, name: str, objects: dict[str, bytes] | None = None) -> Bucket:
    bucket = state.catalog.buckets.create(Bck(name), bucket_props.new_props("ais"))
    for key, data in (objects or {}).items():
        state.store.put(bucket, key, data)
    return bucket


def make_chain(state: State, server: Server, tmp_path: Path, *, is_class: bool = True) -> EtlChain:
    message = {"name": "echo-etl", "runtime": {"image": "any", "command": ["true"]}, "obj_timeout": "2s"}
    spec = parse_init({**message, "support_direct_put": True})
    etl = Etl(spec._replace(command=None) if is_class else spec, len(state.nodes.targets))
    for target in state.nodes.targets:
        pod = HerePod("echo-etl", target.id, "secret", tmp_path / target.id, lambda _: None)
        pod.port = server.server_port
        etl.pods[target.id] = pod
    return EtlChain(etl)


@pytest.fixture
def transform(
    state: State, server: Server, tmp_path: Path
) -> Callable[[dict[str, bytes], TransferOptions], Job]:
    def start(objects: dict[str, bytes], options: TransferOptions = DEFAULTS) -> Job:
        src = make_bucket(state, "src", objects)
        return transform_bucket(
            state, state.etl, make_chain(state, server, tmp_path), src, Bck("dst"), options
        )

    return start


def stored(state: State) -> dict[str, bytes]:
    bucket = state.catalog.buckets.get(Bck("dst"))
    found = {}
    for meta in state.store.walk(bucket):
        with state.store.open(bucket, meta.name) as reader:
            found[meta.name] = reader.read_all()
    return found


def test_whatever_way_a_result_comes_it_is_stored(state, transform, server) -> None:
    small = {f"o{n:03}": b"text %d" % n for n in range(200)} | {"empty": b""}
    job = transform(small | {"drop": b"again", "busy": b"later", "large": b"", "until-the-end": b""})
    assert job.wait(SECONDS)
    assert job.error == ""
    expected = {name: data.upper() for name, data in small.items()}
    expected |= {"drop": b"AGAIN", "busy": b"LATER", "large": LARGE, "until-the-end": b"TO THE END"}
    assert stored(state) == expected
    assert job.objects == len(expected)
    assert (server.asked["drop"], server.asked["busy"], server.asked["o000"]) == (2, 2, 1)
    assert not state.store.open_writers


def test_a_failure_is_asked_for_once_and_others_go_on(state, transform, server) -> None:
    good = {f"o{n}": b"text" for n in range(40)}
    job = transform(good | {"bad": b"", "short": b""}, TransferOptions(keep_going=True))
    assert job.wait(SECONDS)
    assert stored(state) == dict.fromkeys(good, b"TEXT")
    assert not job.aborted
    assert {error["obj_name"] for error in job.object_errors} == {"ais://src/bad", "ais://src/short"}
    assert server.asked["bad"] == 1
    assert not state.store.open_writers


def test_the_first_failure_ends_the_job(state, transform, server) -> None:
    job = transform({"bad": b"", **{f"o{n:03}": b"text" for n in range(300)}})
    assert job.wait(SECONDS)
    assert job.aborted
    assert job.error == "ETL error: do not like it"
    assert len(server.asked) < 300
    assert server.under_way == 0
    assert not state.store.open_writers


def test_as_many_are_under_way_as_are_asked_for(state, transform, server) -> None:
    job = transform({f"wait{n:02}": b"text" for n in range(12)}, TransferOptions(workers=5))
    deadline = threading.Event()
    while server.most < 5 and not deadline.wait(0.01):
        assert job.is_running
    server.gate.set()
    assert job.wait(SECONDS)
    assert (job.error, server.most, job.workers) == ("", 5, 5)
    assert len(stored(state)) == 12


def test_an_abort_finishes_what_is_under_way_and_begins_nothing(state, transform, server) -> None:
    job = transform({f"wait{n:02}": b"text" for n in range(40)}, TransferOptions(workers=4))
    pause = threading.Event()
    while server.under_way < 4 and not pause.wait(0.01):
        assert job.is_running
    state.jobs.abort(job, "user abort")
    server.gate.set()
    assert job.wait(SECONDS)
    assert job.aborted
    assert sum(server.asked.values()) == 4
    assert state.catalog.buckets.find(Bck("dst")) is None
    assert not state.store.open_writers


def test_an_answer_that_does_not_come_is_given_up(state, transform, server) -> None:
    job = transform({"wait": b"", "o": b"text"}, TransferOptions(keep_going=True))
    assert job.wait(SECONDS)
    assert job.error == "ETL error: echo-etl took longer than obj_timeout (2 s)"
    assert stored(state) == {"o": b"TEXT"}
    assert server.asked["wait"] == 1


def test_a_destination_that_is_removed_ends_the_job(state, transform, server) -> None:
    job = transform({f"wait{n}": b"text" for n in range(4)})
    pause = threading.Event()
    while server.under_way < 4 and not pause.wait(0.01):
        assert job.is_running
    state.catalog.buckets.drop(Bck("dst"))
    server.gate.set()
    assert job.wait(SECONDS)
    assert "does not exist" in job.error
    assert not state.store.open_writers


@pytest.mark.parametrize(
    ("is_class", "option", "delivers"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_results_come_back_unless_delivery_is_to_be_tried(
    tmp_path: Path, server: Server, is_class: bool, option: bool, delivers: bool
) -> None:
    state = make_state(tmp_path, targets=2, etl_direct_put=option)
    try:
        src = make_bucket(state, "src", {f"o{n}": b"text" for n in range(16)})
        chain = make_chain(state, server, tmp_path, is_class=is_class)
        job = transform_bucket(state, state.etl, chain, src, Bck("dst"), TransferOptions())
        assert job.wait(SECONDS)
        assert job.error == ""
        assert len(stored(state)) == 16
        assert any(server.pipelines.values()) == delivers
        # Counted as on a cluster, whichever way they came.
        stats = [snap["stats"] for snap in job.snapshots().values()]
        assert sum(int(stat["in-objs"]) for stat in stats) > 0
    finally:
        state.close()


def test_an_object_costs_few_calls(state: State, server: Server, tmp_path: Path) -> None:
    """The thread that asks and stores is what bounds a job: 136 calls an object when this was written."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1

    src = make_bucket(state, "src", {f"o{n:03}": b"text" for n in range(200)})
    chain = make_chain(state, server, tmp_path)
    run = state.jobs._run

    def counted(job: Job, *rest: object) -> None:
        sys.setprofile(count)
        try:
            run(job, *rest)  # type: ignore[arg-type] - passed on
        finally:
            sys.setprofile(None)

    state.jobs._run = counted  # type: ignore[method-assign] - to look at the job's own thread only
    job = transform_bucket(state, state.etl, chain, src, Bck("dst"), TransferOptions())
    assert job.wait(SECONDS)
    assert job.error == ""
    assert sum(calls.values()) / 200 < 145, calls.most_common(40)
