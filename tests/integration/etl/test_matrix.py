"""Every server, way of talking, source, delivery, transform, size and outcome, combined.

By default a few cases run that cover every pair of values; `-m full` runs all the others.
"""

import contextlib
import json
import sys
from functools import cache
from http.client import IncompleteRead
from urllib.parse import quote

import pytest
from etl_matrix import SIZES, all_cases, pairwise
from etl_peers import abandoned_connections, exchange, open_files, processes_of, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CASES = all_cases()
COVERING = pairwise(CASES)
PARAMS = [pytest.param(c, marks=() if c in COVERING else pytest.mark.full, id=str(c)) for c in CASES]
ARGS = {"raises": "fail", "midway": "late-fail", "slow": "pause"}
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@cache
def content(size):
    return b"ab" * (SIZES[size] // 2) + b"z" * (SIZES[size] % 2)


@cache
def result(size):
    return content(size).upper()


@pytest.fixture(scope="module")
def mount_path(tmp_path_factory):
    """Give a folder with every object in a file, laid out as targets do."""
    root = tmp_path_factory.mktemp("mount")
    folder = root / "@ais" / "bck" / "%ob"
    folder.mkdir(parents=True)
    return root


def fqn_of(case, mount_path):
    file = mount_path / "@ais" / "bck" / "%ob" / f"object-{case.size}"
    if not file.exists():
        file.write_bytes(content(case.size))
    return quote(str(file), safe="")


def pipeline_of(case, servers, target, unused_port):
    """Give the header's value; where a connection is to be refused, the last hop is one where nobody is."""
    hops = [f"http://{server.netloc}" for server in servers[1:]]
    if case.delivery != "inline":
        hops.append(f"http://{target.netloc}/{case}?uuid=job")
    if case.outcome == "refused":
        hops[-1] = f"http://127.0.0.1:{unused_port}{f'/{case}' if case.delivery == 'direct' else ''}"
    return ",".join(hops)


def ask_http(case, server, pipeline, fqn):
    query = f"?etl_args={ARGS.get(case.outcome, '')}"
    if case.source == "fqn":
        query += f"&etl_fqn={quote(fqn, safe='')}"
    push = case.comm == "hpush"
    path = f"/bck/{case}" if push else f"/ais%2F@%23%2Fbck%2F{case}"
    body = content(case.size) if push and case.source == "bytes" else b""
    headers = {"Ais-Node-Url": pipeline} if pipeline else {}
    # A client that goes away in the middle of its body, or, without one, before the answer.
    length = len(body) + bool(body) if case.outcome == "gone" else None
    return exchange(
        server.netloc, "PUT" if push else "GET", path + query, body, headers=headers, length=length
    )


def ask_websocket(case, server, pipeline, fqn):
    """Give the answer as HTTP would: text is a delivery; a close comes with its own code."""
    control = {"path": str(case), "etl_args": ARGS.get(case.outcome, ""), "pipeline": pipeline}
    if case.source == "fqn":
        control["fqn"] = fqn
    with connect(f"ws://{server.netloc}/ws", max_size=None) as ws:
        ws.send(json.dumps(control).encode())
        if case.source == "bytes":
            ws.send(content(case.size))
        if case.outcome == "gone":
            ws.socket.close()
            return None
        try:
            reply = ws.recv(timeout=60)
        except ConnectionClosed as exc:
            return exc.rcvd.code, {}, exc.rcvd.reason.encode()
    if isinstance(reply, str):
        return 204, {"Ais-Direct-Put-Length": reply if reply != "0" else None}, b""
    return 200, {}, reply


def complete_puts(case, target):
    """Leave out what a server still delivers for a client of another case that is gone."""
    return [put for put in target.seen if put.method == "PUT" and put.complete and str(case) in put.path]


def check_success(case, reply, target):
    status, headers, body = reply
    if case.delivery == "inline":
        assert status == 200
        assert body == result(case.size)
        return
    assert (status, body) == (204, b""), body[:300]
    assert headers.get("Ais-Direct-Put-Length") == (str(case.length) if case.length else None)
    delivered = complete_puts(case, target)
    assert len(delivered) == 1
    assert delivered[0].body == result(case.size)


def check_failure(case, reply, target, *, status, says):
    assert reply[0] == (1011 if case.comm == "ws" else status), reply[2][:300]
    assert says.encode() in reply[2]
    assert not complete_puts(case, target)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", PARAMS)
def test_case(case, start, target, mount_path, unused_port):
    servers = [start(kind, case.streaming) for kind in case.stages]
    before = {pid for server in servers for pid in processes_of(server)}
    target.objects[f"ais/@#/bck/{case}"] = content(case.size)
    target.only = str(case)  # a server may still be busy for a client of another case that is gone
    if case.outcome in {"500", "reset"}:
        fetched = case.comm == "hpull" and case.source == "bytes" and case.delivery != "inline"
        # The first reset of a fetch may be that of a kept connection, which costs another try on a new one.
        resets = 2 if case.delivery == "inline" else 1
        target.script = [*[None] * fetched, *([500] if case.outcome == "500" else ["reset"] * resets)]
    ask = ask_websocket if case.comm == "ws" else ask_http
    cut = case.outcome == "midway" and case.delivery == "inline"
    with pytest.raises((IncompleteRead, ConnectionResetError)) if cut else contextlib.nullcontext():
        pipeline = pipeline_of(case, servers, target, unused_port)
        reply = ask(case, servers[0], pipeline, fqn_of(case, mount_path))

    if case.outcome in {"ok", "slow"}:
        check_success(case, reply, target)
    elif case.outcome == "raises":
        check_failure(case, reply, target, status=500, says="asked to fail")
    elif case.outcome == "midway" and not cut:
        check_failure(case, reply, target, status=500, says="asked to fail midway")
    elif case.outcome == "refused":
        check_failure(case, reply, target, status=502, says="direct_put to")
    elif case.outcome == "500":
        assert (reply[0], reply[2]) == (1011 if case.comm == "ws" else 500, b"scripted 500")
    elif case.outcome == "reset" and case.delivery == "inline":
        check_failure(case, reply, target, status=502, says="from the target")
    elif case.outcome == "reset" and not case.replayable:
        check_failure(case, reply, target, status=503, says="one-shot body")
        assert reply[1]["Ais-Etl-Retry-Reason"] == "direct-put-transient"
    elif case.outcome == "reset":
        check_success(case, reply, target)
    elif case.outcome == "gone" and case.comm == "hpush" and case.source == "bytes" and case.length:
        assert not complete_puts(case, target)

    for server in servers:
        wait_until(lambda s=server: not abandoned_connections(s), 20, "connections closed")
        wait_until(lambda s=server: not open_files(s, mount_path), 20, "files closed")
        assert exchange(server.netloc, "PUT", "/b/o", b"still there")[2] == b"STILL THERE"
    assert {pid for server in servers for pid in processes_of(server)} == before
