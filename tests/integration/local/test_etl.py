"""The ETL room with commands as servers: lives, inline and offline transforms, failures, and nothing left."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire import Answer, Wire
from wire_jobs import COMMAND, RUN_MARK, act, ended, get, names, put, quote_bck, run

from aistore.local import LocalCluster

NAME = "upper-etl"


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def processes(mark: str) -> list[int]:
    """Processes whose command line or environment has the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in text:
                found.append(int(entry.name))
    return found


def init(wire: Wire, name: str = NAME, **changes: Any) -> Answer:
    env = [{"name": "PREFIX", "value": "<"}]
    message = {
        "name": name,
        "init_timeout": "20s",
        "runtime": {"image": "any:1", "command": COMMAND, "env": env},
    }
    return wire("PUT", "/v1/etl", message | changes)


def listed(wire: Wire) -> dict[str, str]:
    return {etl["id"]: etl["stage"] for etl in json.loads(wire.ok("GET", "/v1/etl").body)}


def inline(wire: Wire, name: str, query: str = "") -> Answer:
    return wire("GET", f"/v1/objects/etl-src/{name}?etl_name={NAME}{query}")


OBJECTS = {f"d/{n:02d}.txt": b"text %d" % n for n in range(10)} | {
    "empty": b"",
    "sp ace+plus@.txt": b"special",
}


@pytest.fixture
def wire(wire: Wire) -> Iterator[Wire]:
    for name in listed(wire):
        wire.ok("DELETE", f"/v1/etl/{name}")
    for bucket in ("etl-src", "etl-dst"):
        wire.destroy(bucket)
        wire.create(bucket)
    put(wire, "etl-src", {name.replace(" ", "%20"): data for name, data in OBJECTS.items()})
    yield wire
    for name in listed(wire):
        wire.ok("DELETE", f"/v1/etl/{name}")


def expected(name: str, args: str = "") -> bytes:
    return b"<" + OBJECTS[name].upper() + args.encode()


def test_a_life(wire: Wire) -> None:
    answer = init(wire)
    assert answer.status == 200
    assert answer.body.startswith(b"etl-")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    [info] = json.loads(wire.ok("GET", "/v1/etl").body)
    assert info == {
        "id": NAME,
        "stage": "Running",
        "xaction_id": answer.body.decode(),
        "obj_count": 0,
        "in_bytes": 0,
        "out_bytes": 0,
    }
    view = json.loads(wire.ok("GET", f"/v1/etl/{NAME}?uuid=").body)
    assert view["init_msg"]["runtime"]["command"] == COMMAND
    assert "obj_errors" not in view
    for path, key in (("health", "health_status"), ("metrics", "mem"), ("logs", "logs")):
        found = json.loads(wire.ok("GET", f"/v1/etl/{NAME}/{path}").body)
        assert len(found) == 2
        assert all(key in node for node in found)
    assert b"serving on 127.0.0.1:" in base64.b64decode(found[0]["logs"])
    one = json.loads(wire.ok("GET", f"/v1/etl/{NAME}/logs/{found[1]['target_id']}").body)
    assert [node["target_id"] for node in one] == [found[1]["target_id"]]
    assert wire("GET", f"/v1/etl/{NAME}/logs/nosuch").status == 400
    assert wire("POST", f"/v1/etl/{NAME}/start").status == 400
    assert wire("POST", f"/v1/etl/{NAME}/foo").status == 400
    assert wire("PATCH", f"/v1/etl/{NAME}").status == 405
    assert init(wire).status == 409
    wire.ok("POST", f"/v1/etl/{NAME}/stop")
    assert listed(wire) == {NAME: "Aborted"}
    assert inline(wire, "d/01.txt").status == 404
    assert wire("GET", f"/v1/etl/{NAME}/logs").status == 404
    again = wire.ok("POST", f"/v1/etl/{NAME}/start").body
    assert again.startswith(b"etl-")
    assert again != answer.body
    assert inline(wire, "d/01.txt").body == expected("d/01.txt")
    wire.ok("DELETE", f"/v1/etl/{NAME}")
    assert listed(wire) == {}
    for method, path in (
        ("GET", ""),
        ("POST", "/start"),
        ("POST", "/stop"),
        ("DELETE", ""),
        ("GET", "/logs"),
    ):
        answer = wire(method, f"/v1/etl/{NAME}{path}")
        assert answer.status == 404
        assert f"etl job {NAME} does not exist" in answer.error["message"]


@pytest.mark.parametrize("communication", ["hpush://", "hpull://"])
@pytest.mark.parametrize("query", ["", "&latest-ver=true"])
def test_inline(wire: Wire, communication: str, query: str) -> None:
    assert init(wire, communication=communication).status == 200
    for name in OBJECTS:
        answer = inline(wire, name.replace(" ", "%20"), query)
        assert answer.status == 200
        assert answer.body == expected(name)
    assert inline(wire, "d/01.txt", f"{query}&etl_args=a%26b+c").body == expected("d/01.txt", "a&b c")
    answer = inline(wire, "nope", query)
    assert answer.status == 404
    assert answer.error["tcode"] == "ErrNotFound"


def test_a_transform_s_error_reaches_the_caller_and_is_noted(wire: Wire) -> None:
    assert init(wire).status == 200
    put(wire, "etl-src", {"d/bad.txt": b"bad"})
    answer = inline(wire, "d/bad.txt")
    assert answer.status == 500
    assert "ETL error: do not like it" in answer.error["message"]
    assert "d/bad.txt" in answer.error["message"]
    view = json.loads(wire.ok("GET", f"/v1/etl/{NAME}").body)
    assert view["obj_errors"] == [
        {"obj_name": "ais://etl-src/d/bad.txt", "msg": "ETL error: do not like it", "ecode": 500}
    ]


@pytest.mark.parametrize(
    ("obj_timeout", "args", "message"), [("1s", "slow", "obj_timeout"), ("9s", "short", "broke off")]
)
def test_slow_and_broken_answers_are_errors(wire: Wire, obj_timeout: str, args: str, message: str) -> None:
    assert init(wire, obj_timeout=obj_timeout).status == 200
    begin = time.monotonic()
    answer = inline(wire, "d/01.txt", f"&etl_args={args}")
    assert answer.status == 500
    assert message in answer.error["message"]
    assert time.monotonic() - begin < 10


def test_a_transient_failure_is_tried_again(wire: Wire) -> None:
    assert init(wire).status == 200
    assert inline(wire, "d/01.txt", "&etl_args=3").body == expected("d/01.txt", "3")


def test_an_unknown_etl_is_said_to_be(wire: Wire) -> None:
    answer = inline(wire, "d/01.txt")
    assert answer.status == 404
    assert f'{NAME} does not exist - try starting new ETL with "' in answer.error["message"]
    for action, query in (("etl-bck", f"?bck_to={quote_bck('etl-dst')}"), ("etl-listrange", "")):
        value = {"id": NAME, "objnames": ["d/01.txt"], "tobck": {"name": "etl-dst"}}
        answer = act(wire, "POST", "etl-src", action, value, query)
        assert answer.status == 404
        assert answer.error["message"] == f"ETL {NAME} doesn't exist"


def test_offline_with_names_of_its_own_and_all_results(wire: Wire) -> None:
    assert init(wire).status == 200
    value = {"id": NAME, "ext": {"txt": "up"}, "prepend": "out/", "num-workers": 2}
    status = run(wire, "POST", "etl-src", "etl-bck", value, f"?bck_to={quote_bck('etl-dst')}")
    assert status["err"] == ""
    results = {f"out/{name.replace('.txt', '.up')}": expected(name) for name in OBJECTS}
    assert names(wire, "etl-dst") == sorted(results)
    for name, data in results.items():
        assert get(wire, "etl-dst", name.replace(" ", "%20")) == data


@pytest.mark.parametrize("keep_going", [True, False])
def test_offline_failures_name_the_object(wire: Wire, keep_going: bool) -> None:
    assert init(wire).status == 200
    put(wire, "etl-src", {"d/bad.txt": b"bad"})
    value = {"id": NAME, "coer": keep_going}
    status = run(wire, "POST", "etl-src", "etl-bck", value, f"?bck_to={quote_bck('etl-dst')}")
    assert "do not like it" in status["err"]
    assert status["aborted"] is not keep_going
    view = json.loads(wire.ok("GET", f"/v1/etl/{NAME}?uuid={status['uuid']}").body)
    assert view["obj_errors"] == [
        {"obj_name": "ais://etl-src/d/bad.txt", "msg": "ETL error: do not like it", "ecode": 500}
    ]
    assert "obj_errors" not in json.loads(wire.ok("GET", f"/v1/etl/{NAME}").body)
    assert "d/bad.txt" not in names(wire, "etl-dst")
    if keep_going:
        assert len(names(wire, "etl-dst")) == len(OBJECTS)


def test_a_dry_run_transforms_and_stores_nothing(wire: Wire) -> None:
    assert init(wire).status == 200
    put(wire, "etl-src", {"d/bad.txt": b"bad"})
    value = {"id": NAME, "dry_run": True, "coer": True}
    status = run(wire, "POST", "etl-src", "etl-bck", value, f"?bck_to={quote_bck('etl-src')}")
    assert len(json.loads(wire.ok("GET", f"/v1/etl/{NAME}?uuid={status['uuid']}").body)["obj_errors"]) == 1
    assert get(wire, "etl-src", "d/01.txt") == OBJECTS["d/01.txt"]


def test_a_selection_within_one_bucket(wire: Wire) -> None:
    assert init(wire).status == 200
    value = {"id": NAME, "template": "d/{00..02}.txt", "prepend": "x/", "tobck": {"name": "etl-src"}}
    assert run(wire, "POST", "etl-src", "etl-listrange", value)["err"] == ""
    assert get(wire, "etl-src", "x/d/02.txt") == expected("d/02.txt")
    missing = {"id": NAME, "objnames": ["nope"], "tobck": {"name": "etl-dst"}, "coer": True}
    assert run(wire, "POST", "etl-src", "etl-listrange", missing)["err"] == "object not found"


def test_copying_an_object_through_an_etl(wire: Wire) -> None:
    assert init(wire).status == 200
    to = "ais%2F%40%23%2Fetl-dst%2Fcopied"
    answer = wire("PUT", f"/v1/objects/etl-src/d/01.txt?object_to={to}&etl_name={NAME}")
    assert answer.status == 204
    assert get(wire, "etl-dst", "copied") == expected("d/01.txt")
    put(wire, "etl-src", {"d/bad.txt": b"bad"})
    answer = wire("PUT", f"/v1/objects/etl-src/d/bad.txt?object_to={to}&etl_name={NAME}")
    assert answer.status == 500
    assert get(wire, "etl-dst", "copied") == expected("d/01.txt")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["no-such-program-of-anyones"], "is not on this machine"),
        (
            [sys.executable, "-c", "import sys; sys.exit('the model file is missing')"],
            "the model file is missing",
        ),
        (
            [sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(60)", RUN_MARK],
            "loading",
        ),
    ],
)
def test_a_failed_start_tells_why_and_leaves_nothing(wire: Wire, command: list[str], message: str) -> None:
    answer = init(wire, init_timeout="4s", runtime={"image": "any:1", "command": command})
    assert answer.status == 400
    assert answer.error["tcode"] == "ErrETL"
    assert message in answer.error["message"]
    assert listed(wire) == {}
    wait_for(lambda: not processes(RUN_MARK))
    assert init(wire).status == 200


def test_a_start_whose_client_is_gone_is_given_up(wire: Wire) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)", f"gone-{RUN_MARK}"]
    message = {"name": "gone-etl", "init_timeout": "10m", "runtime": {"image": "any:1", "command": command}}
    body = json.dumps(message).encode()
    parts = urlsplit(wire.endpoint)
    with socket.create_connection((parts.hostname, parts.port)) as sock:
        head = f"PUT /v1/etl HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        wait_for(lambda: listed(wire) == {"gone-etl": "Initializing"})
    wait_for(lambda: listed(wire) == {})
    wait_for(lambda: not processes(f"gone-{RUN_MARK}"))


def test_a_server_that_dies_ends_the_etl_on_every_target(wire: Wire) -> None:
    assert init(wire).status == 200
    answer = inline(wire, "d/01.txt", "&etl_args=die")
    assert answer.status == 500
    assert "exit status 7" in answer.error["message"]
    wait_for(lambda: listed(wire) == {NAME: "Aborted"})
    wait_for(lambda: not processes(RUN_MARK))
    wire.ok("POST", f"/v1/etl/{NAME}/start")
    assert inline(wire, "d/01.txt").body == expected("d/01.txt")


def test_stopping_aborts_the_jobs_that_use_it(wire: Wire) -> None:
    assert init(wire, obj_timeout="60s").status == 200
    put(wire, "etl-src", {f"many/{n}": b"x" for n in range(300)})
    value = {"id": NAME, "num-workers": -1}
    job_id = act(wire, "POST", "etl-src", "etl-bck", value, f"?bck_to={quote_bck('etl-new')}").body.decode()
    wire.ok("POST", f"/v1/etl/{NAME}/stop")
    status = ended(wire, job_id)
    assert status["aborted"] or status["err"] == ""
    if status["aborted"]:
        assert wire("HEAD", "/v1/buckets/etl-new").status == 404
    wire.destroy("etl-new")


def test_stopping_its_job_stops_the_etl(wire: Wire) -> None:
    job_id = init(wire).body.decode()
    wire.ok("PUT", "/v1/cluster", {"action": "stop", "value": {"id": job_id}})
    wait_for(lambda: listed(wire) == {NAME: "Aborted"})


def test_the_environment_has_what_a_pod_has_and_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIS_AUTHN_TOKEN", "secret-token-of-the-parent")
    monkeypatch.setenv("MY_PRIVATE_VARIABLE", "private")
    with LocalCluster() as cluster:
        wire = Wire(cluster.endpoint)
        late = [{"name": "PREFIX", "value": ">"}]
        assert init(wire, env=late, support_direct_put=True).status == 200
        [pod] = [
            pid
            for pid in processes(RUN_MARK)
            if b"supervise" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        port = Path(f"/proc/{pod}/cmdline").read_bytes().split(b"\0")[2].rpartition(b":")[2].decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/environment") as response:
            env = dict(line.split("=", 1) for line in response.read().decode().splitlines())
    assert "AIS_AUTHN_TOKEN" not in env
    assert "MY_PRIVATE_VARIABLE" not in env
    assert env["PREFIX"] == ">"
    assert env["direct_put"] == "true"
    target, _, secret = env["AIS_TARGET_URL"].partition(f"/v1/etl/_object/{NAME}/")
    assert target.startswith("http://127.0.0.1:")
    assert len(secret) >= 16
    assert "127.0.0.1" in env["AIS_ETL_ALLOWED_HOSTS"].split(",")
    assert env["AIS_ETL_FQN_ROOTS"].endswith("/t0")


def test_only_the_secret_opens_the_pods_view_of_objects(wire: Wire) -> None:
    assert init(wire).status == 200
    assert wire("GET", f"/v1/etl/_object/{NAME}/wrong/ais%2F@%23%2Fetl-src%2Fd%2F01.txt").status == 401
    assert wire("PUT", f"/v1/etl/_object/{NAME}//ais%2F@%23%2Fetl-src%2Fd%2F01.txt", b"x").status == 401
    assert wire("GET", "/v1/etl/_object/nosuch/wrong/ais%2F@%23%2Fetl-src%2Fd%2F01.txt").status == 401


def test_after_a_restart_etls_are_aborted_and_start_again(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path / "data") as cluster:
        assert init(Wire(cluster.endpoint)).status == 200
    assert not processes(str(tmp_path))
    with LocalCluster(dir=tmp_path / "data") as cluster:
        wire = Wire(cluster.endpoint)
        assert listed(wire) == {NAME: "Aborted"}
        wire.create("etl-src")
        put(wire, "etl-src", {"a": b"x"})
        wire.ok("POST", f"/v1/etl/{NAME}/start")
        assert inline(wire, "a").body == b"<X"
    assert not (tmp_path / "data" / "etl").exists()


def test_servers_die_with_a_cluster_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    cluster = LocalCluster(dir=tmp_path / "data")
    with cluster:
        assert init(Wire(cluster.endpoint)).status == 200
        [server] = [pid for pid in processes(str(tmp_path)) if b"aistore.local" in _command(pid)]
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: not processes(str(tmp_path)))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_server_that_ignores_its_end_is_killed(wire: Wire) -> None:
    script = (
        "import runpy, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [COMMAND[0], "-c", script, *COMMAND[1:], f"deaf-{RUN_MARK}"]
    assert init(wire, runtime={"image": "any:1", "command": command}).status == 200
    assert processes(f"deaf-{RUN_MARK}")
    wire.ok("DELETE", f"/v1/etl/{NAME}")
    assert not processes(f"deaf-{RUN_MARK}")
