"""The total limit of a call holds whatever the peer does."""

import contextlib
import threading

import pytest
from peer import answer, redirect

from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISChunkedEncodingError, AISReadTimeout, SDKError

OBJ = "objects/b/o"
LIMITS = (5, 5, 0.3)


@pytest.fixture
def drip():
    """Make a script that sends some bytes at once, then others one by one until the test ends."""
    over = threading.Event()

    def make(at_once, slowly=b"x"):
        def script(_, line):
            line.read_head()
            line.send(at_once)
            with contextlib.suppress(OSError):
                while not over.wait(0.02):
                    line.send(slowly)

        return script

    yield make
    over.set()


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nA: ", b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + b"HTTP/1.1 100 ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["nothing", "head", "interim", "body", "chunks", "trailer", "until close"],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_dripped_responses(peers, rc, drip, at_once, slowly, streamed):
    client = rc(peers(script=drip(at_once, slowly)), timeout=LIMITS)

    def read():
        with client.request("get", OBJ, stream=streamed) as response:
            return b"".join(response.iter_content(10))

    with pytest.raises(AISReadTimeout, match="time limit of the call"):
        read()


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_redirect_whose_body_drips_is_followed_all_the_same(peers, rc, drip, method, monkeypatch):
    monkeypatch.setattr("aistore.sdk.transport.transport._DRAIN_SECONDS", 0.05)
    target = peers(answer(200, b"there"))
    head = redirect(f"{target.url}/v1/{OBJ}").replace(b"Content-Length: 0", b"Content-Length: 100")
    assert b"Content-Length: 100" in head
    peer = peers(script=drip(head))
    data = {"data": b"x"} if method == "put" else {}
    assert rc(peer, timeout=(5, 5, 10)).request(method, OBJ, **data).content == b"there"


@pytest.mark.parametrize("kind", ["bytes", "file", "pieces"])
def test_a_body_that_is_taken_slowly(peers, rc, tmp_path, kind):
    over = threading.Event()

    def script(_, line):
        line.read_head()
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not over.wait(0.02):
            line.sock.recv(10_000)

    path = tmp_path / "large"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 26)
    with path.open("rb") as file:
        data = {
            "bytes": memoryview(bytearray(1 << 26)),
            "file": file,
            "pieces": iter([bytes(1 << 20)] * 64),
        }[kind]
        with pytest.raises(AISReadTimeout, match="time limit of the call"):
            rc(peers(script=script), timeout=LIMITS).request("put", OBJ, data=data)
    over.set()


def test_a_word_that_does_not_come_is_not_waited_for_beyond_the_limit(peers, rc, monkeypatch):
    over = threading.Event()

    def script(_, line):
        line.read_head()
        over.wait(20)

    monkeypatch.setattr("aistore.sdk.transport.exchange.CONTINUE_WAIT", 1000.0)
    with pytest.raises(AISReadTimeout, match="time limit of the call"):
        rc(peers(script=script), timeout=(5, 5, 0.1)).request("put", OBJ, data=b"x")
    over.set()


def test_the_read_limit_holds_beside_the_total_one(peers, rc):
    over = threading.Event()

    def script(_, line):
        line.read_head()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        over.wait(20)

    peer = peers(script=script)
    with rc(peer, timeout=(5, 0.1, 60)).request("get", OBJ, stream=True) as response:
        with pytest.raises(AISReadTimeout, match="within the read timeout"):
            response.raw.read()
    over.set()


@pytest.mark.parametrize("length", [10**12, 10**17, 999_999_999_999_999_999])
def test_a_length_that_never_comes_takes_no_memory(peers, rc, length):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    peer = peers(script=lambda _, line: (line.read_head(), line.send(head + b"x" * 100)))
    with rc(peer).request("get", OBJ, stream=True) as response:
        assert len(response.raw.read1(10**17)) <= 100
        with pytest.raises(AISChunkedEncodingError, match=f"bytes of the body|of {length}"):
            response.raw.read(10**17)


@pytest.mark.parametrize("size", [10**14, 900_000_000_000_000_000])
def test_a_size_of_a_head_that_cannot_be(peers, rc, size):
    """It takes neither memory nor time; what can be read of such an object is read."""

    def script(_, line):
        while (head := line.read_head()) is not None:
            if head.startswith(b"HEAD"):
                sizes = b"Content-Length: %d\r\nAis-Chunks-Max-Chunk-Size: %d\r\n" % (size, size)
                line.send(b"HTTP/1.1 200 OK\r\n" + sizes + b"\r\n")
                continue
            first, last = map(int, head.partition(b"bytes=")[2].split(b"\r", 1)[0].split(b"-"))
            part = b"Content-Length: 100\r\nContent-Range: bytes %d-%d/%d\r\n" % (first, last, size)
            line.send(b"HTTP/1.1 206 Partial Content\r\n" + part + b"\r\n")
            return

    client = rc(peers(script=script), timeout=(5, 5))
    client._retry_manager.budget = client._retry_manager.budget._replace(total=0.1, first=0.01)
    reader = Bucket("b", client).object("o").get_reader(num_workers=2, chunk_size=1000)
    with pytest.raises(MemoryError, match=f"{size} bytes, more than fit into memory"):
        reader.read_all()
    with pytest.raises(SDKError):
        next(iter(reader))
