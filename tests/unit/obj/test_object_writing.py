"""Writers: files that commit only on a clean exit, appends, parts that are never sent twice."""

import gc
import io
import json
import pickle
import warnings

import pytest
from objects import named
from scripted import Answer, Request, scripted

from aistore.sdk.errors import AISError, SDKError
from aistore.sdk.obj.obj_file import sinks
from aistore.sdk.obj.obj_file.object_file import ObjectFileWriter
from aistore.wire.checksums import any_hasher

PIECE = 1000


class Cluster:
    """Keeps one object, its uploads and its append handles, as the cluster does."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.parts: dict[str, dict[int, bytes]] = {}
        self.handles: dict[str, bytes] = {}
        self.fail: dict[str, int] = {}
        self.calls: list[str] = []
        self.kind = "xxhash2"

    def script(self, request: Request) -> Answer:
        if request.method == "PUT" and "utm" not in request.params:  # the proxy takes no bodies
            return Answer(status=307, headers={"Location": f"{self.endpoint}{request.target}&pid=P&utm=1"})
        if request.method == "HEAD":
            return self.head(request)
        what, answer = self.act(request)
        self.calls.append(what)
        return Answer(b'{"message":"no"}', self.fail.pop(what)) if what in self.fail else answer()

    def act(self, request: Request):
        query, body = request.params, request.body
        if upload := query.get("uploadId"):
            if request.method == "PUT":
                number = int(query["partNumber"])
                return f"part {number}", lambda: self.put_part(upload, number, body)
            return (
                ("complete", lambda: self.complete(upload)) if request.method == "POST" else ("abort", Answer)
            )
        if request.method == "POST":
            return "create", lambda: Answer(self.begin())
        if kind := query.get("append_type"):
            return kind, lambda: self.append(kind, query["append_handle"], body)
        return "put", lambda: self.put(body)

    def head(self, request: Request) -> Answer:
        if request.path.startswith("/v1/buckets/"):
            return Answer(headers={"Ais-Bucket-Props": json.dumps({"checksum": {"type": self.kind}})})
        if self.data is None:
            return Answer(status=404, headers={"Hdr-Error": '{"message":"no"}'})
        return Answer(self.data, headers=self.checksum())

    def checksum(self) -> dict[str, str]:
        hasher = any_hasher(self.kind)
        hasher.update(self.data)
        return {"Ais-Checksum-Type": self.kind, "Ais-Checksum-Value": hasher.hexdigest()}

    def put(self, body: bytes) -> Answer:
        self.data = body
        return Answer(headers=self.checksum())

    def begin(self) -> bytes:
        self.parts["up-12345"] = {}
        return b"up-12345"

    def put_part(self, upload: str, number: int, body: bytes) -> Answer:
        if not body:
            return Answer(b'{"message":"put-part invalid size (0)"}', 400)
        assert number not in self.parts[upload], "a part was sent twice"
        self.parts[upload][number] = body
        return Answer()

    def complete(self, upload: str) -> Answer:
        parts = self.parts.pop(upload)
        self.data = b"".join(parts[number] for number in sorted(parts))
        return Answer()

    def append(self, kind: str, handle: str, body: bytes) -> Answer:
        if kind == "flush":
            self.data = self.handles.pop(handle)
            return Answer()
        start = self.handles.pop(handle) if handle else self.data or b""
        new = f"handle|{len(start + body)}"
        self.handles[new] = start + body
        return Answer(headers={"Ais-Append-Handle": new})


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(sinks, "PIECE_SIZE", PIECE)
    for sink in (sinks.AppendSink, sinks.PartSink):
        monkeypatch.setattr(sink, "piece_size", PIECE)
    cluster = Cluster()
    with scripted(cluster.script) as (server, client):
        cluster.endpoint = server.endpoint
        cluster.object = named(client)
        yield cluster


@pytest.fixture
def writer(cluster):
    return cluster.object.get_writer()


def _write_and_raise(file, size: int) -> None:
    with file:
        file.write(bytes(size))
        raise KeyError


def _write_and_close(file) -> None:
    file.write(bytes(5 * PIECE))
    file.close()


# ---------------------------------------------------------------- files; none of these like 2.0.0 (defect 7)


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE, 10 * PIECE + 7])
@pytest.mark.parametrize("step", [1, 333, PIECE, 5000])
@pytest.mark.parametrize("mode", ["w", "a"])
def test_file_writes_what_was_written(cluster, writer, size, step, mode):
    cluster.data = b"before"
    data = bytes(n % 251 for n in range(size))
    with writer.as_file(mode) as file:
        for start in range(0, size, step):
            assert file.write(data[start : start + step]) == len(data[start : start + step])
        assert file.tell() == size
    assert cluster.data == (data if mode == "w" else b"before" + data)
    if mode == "w" and size <= PIECE:
        assert cluster.calls == ["put"]
    elif mode == "w":
        pieces = -(-size // PIECE)
        assert cluster.calls == ["create", *(f"part {n + 1}" for n in range(pieces)), "complete"]
    elif size == 0:
        assert cluster.calls == []


def test_file_takes_what_programs_print_into_it(cluster, writer):
    with writer.as_file() as file:
        assert file.write("h\u00e9") == 2
        print(", more", file=file)
        assert file.tell() == 10
    assert cluster.data == "h\u00e9, more\n".encode()


@pytest.mark.parametrize("size", [10, 5 * PIECE])
@pytest.mark.parametrize("mode", ["w", "a"])
def test_file_commits_nothing_when_the_block_raises(cluster, writer, size, mode):
    cluster.data = b"before"
    file = writer.as_file(mode)
    with pytest.raises(KeyError):
        _write_and_raise(file, size)
    assert file.closed
    assert cluster.data == b"before"
    assert "flush" not in cluster.calls
    assert "put" not in cluster.calls
    assert "complete" not in cluster.calls
    assert ("abort" in cluster.calls) == (mode == "w" and size > PIECE)


def test_flush_makes_visible_and_the_rest_is_appended(cluster, writer):
    with writer.as_file("w") as file:
        file.flush()
        assert cluster.calls == []
        file.write(b"one")
        file.flush()
        assert cluster.data == b"one"
        file.flush()
        file.write(b"two")
    assert cluster.data == b"onetwo"
    assert cluster.calls == ["put", "append", "flush"]


@pytest.mark.parametrize("what", ["create", "part 2", "complete"])
def test_file_that_failed_writes_nothing_more(cluster, writer, what):
    cluster.data = b"before"
    cluster.fail[what] = 403
    file = writer.as_file("w")
    with pytest.raises(AISError):
        _write_and_close(file)
    if not file.closed:
        with pytest.raises(ValueError, match="failed"):
            file.write(b"x")
        file.close()
    assert file.closed
    assert cluster.data == b"before"
    assert ("abort" in cluster.calls) == (what != "create")


def test_failing_abort_does_not_hide_the_error(cluster, writer):
    cluster.fail = {"part 1": 403, "abort": 404}
    with pytest.raises(AISError, match="403"), writer.as_file("w") as file:
        file.write(bytes(2 * PIECE))


def test_file_protocol(cluster, writer):
    file = writer.as_file()
    assert isinstance(file, (ObjectFileWriter, io.BufferedWriter))
    assert (file.mode, file.name, file.closed) == ("a", "objects/bck/obj", False)
    assert (file.readable(), file.writable(), file.seekable()) == (False, True, False)
    assert file.write(memoryview(bytearray(b"ab"))) == 2
    file.writelines([b"c", b"d"])
    for call in (file.seek, file.truncate, file.detach):
        with pytest.raises(io.UnsupportedOperation):
            call()
    for wrong in (5, None):
        with pytest.raises(TypeError):
            file.write(wrong)
    file.close()
    file.close()
    file.abort()
    assert (file.closed, file.writable()) == (True, False)
    assert "closed" in repr(file)
    for call in (file.tell, file.flush, file.__enter__, lambda: file.write(b"")):
        with pytest.raises(ValueError):
            call()
    assert cluster.data == b"abcd"


def test_text_and_pickles_go_through(cluster, writer):
    with io.TextIOWrapper(writer.as_file("w"), encoding="utf-8", write_through=True) as text:
        text.write("é\n")
    assert cluster.data == "é\n".encode()
    with writer.as_file("w") as file:
        pickle.dump([1, 2], file)
    assert pickle.loads(cluster.data) == [1, 2]


def _drop(_file) -> None:
    del _file
    gc.collect()


def test_dropped_file_commits_nothing_and_warns(cluster, writer):
    file = writer.as_file("w")
    file.write(bytes(2 * PIECE))
    files = [file]
    del file
    with pytest.warns(ResourceWarning, match="lost"):
        _drop(files.pop())
    assert cluster.calls[-1] == "abort"
    assert cluster.data is None


def test_other_modes_are_refused(writer):
    for mode in ("r", "wb", "", None):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match="mode"):
                writer.as_file(mode)


def test_parts_grow_so_that_nine_thousand_hold_everything():
    sink = sinks.ReplaceSink(None)
    total = 0
    for number in range(1, 10_000):
        total += sinks.PIECE_SIZE << (number // 1000)
    assert total > 7 << 40
    assert sink.piece_size == sinks.PIECE_SIZE


# ---------------------------------------------------------------- puts


def test_put(cluster, writer, tmp_path):
    writer.put_content("é")
    assert cluster.data == "é".encode()
    path = tmp_path / "file"
    path.write_bytes(b"content")
    writer.put_file(path)
    assert cluster.data == b"content"
    for missing in (tmp_path / "no", tmp_path):
        with pytest.raises(ValueError):
            writer.put_file(missing)
    with pytest.raises(TypeError, match="None"):
        writer.put_content(None)


# ---------------------------------------------------------------- multipart (defect 12)


@pytest.fixture
def upload(cluster):
    return cluster.object.multipart_upload()


def test_parts_in_any_order(cluster, upload, tmp_path):
    assert upload.create() is upload
    upload.add_part(3).put_content(b"C")
    with upload.add_part(1).as_file() as file:
        file.write(b"A" * 3 * PIECE)
    path = tmp_path / "part"
    path.write_bytes(b"B")
    upload.add_part(2).put_file(path)
    assert upload.parts == [3, 1, 2]
    upload.complete()
    assert cluster.data == b"A" * 3 * PIECE + b"BC"


def test_small_part_as_file_and_one_that_raises(cluster, upload):
    upload.create()
    with pytest.raises(KeyError):
        _write_and_raise(upload.add_part(1).as_file("w"), 2 * PIECE)
    assert upload.parts == []
    with upload.add_part(1).as_file("w") as file:
        file.write(b"A")
    upload.complete()
    assert cluster.data == b"A"


def test_part_counts_only_once_it_is_there(cluster, upload):
    upload.create()
    upload.add_part(1)
    assert upload.parts == []
    cluster.fail["part 1"] = 500
    with pytest.raises(AISError):
        upload.add_part(1).put_content(b"A")
    assert upload.parts == []
    with pytest.raises(ValueError, match="twice"):
        upload.add_part(1).put_content(b"A")
    with pytest.raises(ValueError, match=r"\[1\]"):
        upload.complete()
    upload.abort()
    assert cluster.calls == ["create", "part 1", "abort"]


def test_refused_part_may_be_sent_again(cluster, upload):
    upload.create()
    with pytest.raises(AISError, match="invalid size"):
        upload.add_part(1).put_content(b"")
    upload.add_part(1).put_content(b"A")
    upload.complete()
    assert cluster.data == b"A"


def test_part_that_was_sent_is_not_sent_again(upload):
    upload.create()
    upload.add_part(1).put_content(b"A")
    with pytest.raises(ValueError, match="twice"):
        upload.add_part(1).put_content(b"A")


def test_calls_before_create_are_errors(cluster, upload):
    for call in (upload.complete, upload.abort, lambda: upload.add_part(1)):
        with pytest.raises(ValueError, match="create"):
            call()
    upload.create()
    with pytest.raises(ValueError, match="created already"):
        upload.create()
    assert cluster.calls == ["create"]


@pytest.mark.parametrize("number", [0, -1, 10_000, True, "1", 1.0, None])
def test_part_numbers(upload, number):
    upload.create()
    with pytest.raises(ValueError, match="part_number"):
        upload.add_part(number)


def test_part_is_not_appended_to(upload):
    upload.create()
    with pytest.raises(SDKError):
        upload.add_part(1).append_content(b"A")


def test_appending_nothing_to_an_object(cluster, writer):
    sink = sinks.AppendSink(writer)
    sink.commit(b"")
    sink.send(b"ab")
    sink.commit(b"")
    assert cluster.data == b"ab"


def test_the_last_piece_of_an_upload_may_be_empty(cluster, writer):
    with writer.as_file("w") as file:
        file.write(bytes(3 * PIECE))
        file.flush()
    assert cluster.data == bytes(3 * PIECE)


def test_an_upload_that_ends_with_its_last_piece(cluster, writer):
    sink = sinks.ReplaceSink(writer)
    sink.send(b"x" * PIECE)
    sink.commit(b"")
    assert cluster.data == b"x" * PIECE


def test_a_spool_that_was_never_used_is_aborted_quietly(writer):
    sinks.PartSink(writer).abort()
