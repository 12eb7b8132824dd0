"""The FastAPI server over a websocket, as targets talk to it."""

import json
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


@pytest.fixture
def ws(start):
    with connect(
        f"ws://{start('fastapi').netloc}/ws", open_timeout=10, close_timeout=5, max_size=None
    ) as connection:
        yield connection


def ask(ws, data, **control):
    ws.send(json.dumps(control).encode())
    if data is not None:
        ws.send(data)
    return ws.recv(timeout=10)


def ask_in_vain(ws, data, **control):
    with pytest.raises(ConnectionClosed) as error:
        ask(ws, data, **control)
    return error.value.rcvd.code, error.value.rcvd.reason


def test_bytes_and_order(ws):
    assert ask(ws, b"abc", path="obj.txt") == b"ABC"
    assert ask(ws, b"", path="obj.txt") == b""
    assert ask(ws, b"x" * (32 << 20), path="large") == b"X" * (32 << 20)
    for n in range(20):
        ws.send(json.dumps({"path": f"o{n}", "etl_args": "path"}).encode())
        ws.send(b"x")
    assert [ws.recv(timeout=10) for _ in range(20)] == [f"o{n}".encode() for n in range(20)]


def test_file(ws, tmp_path):
    file = tmp_path / "@ais" / "bck" / "%ob" / "dir" / "o b.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"abc")
    fqn = quote(str(file), safe="")
    assert ask(ws, None, path="dir/o b.txt", fqn=fqn) == b"ABC"
    # The bucket is not in the message, but the file's name has it.
    assert ask(ws, None, path="dir/o b.txt", fqn=fqn, etl_args="path") == b"bck/dir/o b.txt"


def test_pipeline(ws, start, target):
    assert ask(ws, b"abc", path="o", pipeline=f"http://{target.netloc}/dst?uuid=j") == "3"
    assert (target.seen[-1].path, target.seen[-1].body) == ("/v1/etl/_object/some-etl/SECRET/dst", b"ABC")
    assert ask(ws, b"abc", path="o", pipeline=f"http://{start('flask').netloc}") == b"ABC"
    target.answer = (204, b"", {"Ais-Direct-Put-Length": "77"})
    assert ask(ws, b"abc", path="o", pipeline=f"http://{target.netloc}/dst") == "77"


def test_an_empty_result_of_a_pipeline_comes_back(ws, start):
    assert ask(ws, b"", path="o", pipeline=f"http://{start('threaded').netloc}") == b""


def test_a_transform_error_is_not_taken_for_success(ws):  # init_class point 3
    """A text answer, whatever it says, is success for a target: only closing tells it otherwise."""
    assert ask_in_vain(ws, b"abc", path="o", etl_args="fail") == (1011, "Transform error: asked to fail")


def test_a_failed_delivery_is_not_taken_for_success(ws, target):
    target.script = [500]
    code, reason = ask_in_vain(ws, b"abc", path="o", pipeline=f"http://{target.netloc}/dst")
    assert (code, reason) == (1011, "scripted 500")


def test_a_malformed_request(start):
    url = f"ws://{start('fastapi').netloc}/ws"
    with connect(url) as ws:
        code, reason = ask_in_vain(ws, b"abc", path="o", pipeline="a,,b")
    assert (code, reason) == (1011, "Invalid pipeline header: Pipeline header contains empty entry")
    with connect(url) as ws:
        ws.send(b"not json")
        with pytest.raises(ConnectionClosed) as error:
            ws.recv(timeout=10)
        assert error.value.rcvd.code == 1011
    with connect(url) as ws:
        ws.send("text")
        with pytest.raises(ConnectionClosed) as error:
            ws.recv(timeout=10)
        assert error.value.rcvd.code == 1000


def test_a_file_outside_the_mount_paths(ws):
    code, reason = ask_in_vain(ws, None, path="o", fqn=quote("/etc/passwd", safe=""))
    assert (code, "etl_fqn" in reason) == (1011, True)


def test_a_server_that_only_streams_closes(start):
    with connect(f"ws://{start('fastapi', True).netloc}/ws") as ws, pytest.raises(ConnectionClosed) as error:
        ws.recv(timeout=10)
    assert error.value.rcvd.code == 1000
