"""Checksums compared by default: by every reader and every writer, with every type of checksum."""

import io
import json
import logging

import pytest
import requests
from objects import Stored, cut, named
from scripted import Answer, scripted

from aistore.fs import AISFileSystem
from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.bucket import Bucket
from aistore.sdk.client import Client
from aistore.sdk.errors import ErrChecksumMismatch
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.obj import verification
from aistore.sdk.obj.obj_file import sinks
from aistore.wire import checksums
from aistore.wire.checksums import CHECKSUM_TYPES, Crc32c, any_hasher

DATA = bytes(range(256)) * 40
RANGES = {"num_workers": 3, "chunk_size": 1000}


def summed(kind, data):
    hasher = any_hasher(kind)
    hasher.update(data)
    return hasher.hexdigest()


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else data


def flipped(answer, request):
    answer.body = flip(answer.body)


def keep(answer, request):
    """Leave the answer as it is."""


class Always(list):
    """Changes every answer to a GET."""

    def __init__(self, change):
        super().__init__([change])

    def pop(self, _=0):
        return self[0]


def rotten(answer, request):
    """Flip one bit of the object, in whichever range has it."""
    if answer.status != 206 or answer.headers["Content-Range"].startswith("bytes 3000-"):
        flipped(answer, request)


@pytest.fixture
def stored():
    return Stored(DATA)


@pytest.fixture
def server(stored):
    with scripted(stored.script) as (server, _):
        yield server


@pytest.fixture
def client(server):
    with Client(server.endpoint) as client:
        yield client


@pytest.fixture
def obj(client):
    return client.bucket("bck").object("obj")


def _into(reader):
    buffer = bytearray(len(DATA))
    assert reader.readinto(buffer) == len(DATA)
    return bytes(buffer)


def _raw(read):
    def use(reader):
        with reader.raw() as raw:
            return read(raw)

    return use


WHOLE = {
    "read_all": lambda reader: bytes(
        content if isinstance(content := reader.read_all(), bytes) else content.tobytes()
    ),
    "readinto": _into,
}
STREAMS = {
    "iteration": b"".join,
    "as_file": lambda reader: reader.as_file().read(),
    "as_file, in pieces": lambda reader: b"".join(reader.as_file(buffer_size=100)),
}
RAW = {
    "raw, at once": _raw(lambda raw: raw.read()),
    "raw, in pieces": _raw(lambda raw: b"".join(raw.stream(100))),
    "raw, into memory": _raw(lambda raw: io.BufferedReader(raw, 64).read()),
}


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("options", [{}, RANGES], ids=["one stream", "workers"])
@pytest.mark.parametrize("read", [*WHOLE.values(), *STREAMS.values()], ids=[*WHOLE, *STREAMS])
@pytest.mark.parametrize("data", [DATA, b"a"])
def test_flipped_bit_is_noticed_by_every_reader(obj, stored, read, options, data):
    stored.data = data
    stored.answers = Always(flipped if data == b"a" else rotten)
    reader = obj.get_reader(**options)
    with pytest.raises(ErrChecksumMismatch) as caught:
        _into_of(reader, data) if read is _into else read(reader)
    assert caught.value.path == "objects/bck/obj"
    assert caught.value.expected == summed("xxhash2", data)
    assert caught.value.got in str(caught.value)
    assert caught.value.expected in str(caught.value)


def _into_of(reader, data):
    return reader.readinto(bytearray(len(data)))


@pytest.mark.parametrize("read", RAW.values(), ids=RAW)
def test_flipped_bit_is_noticed_by_raw_streams(obj, stored, read):
    assert read(obj.get_reader()) == DATA
    stored.answers = [flipped]
    with pytest.raises(ErrChecksumMismatch):
        read(obj.get_reader())


def test_raw_stream_that_is_given_up_is_not_compared(obj, stored):
    stored.answers = [flipped, flipped]
    raw = obj.get_reader().raw()
    assert raw.read(10) == DATA[:10]
    raw.close()
    raw = obj.get_reader().raw()
    raw.drain_conn()
    assert raw.isclosed()


@pytest.mark.parametrize("options", [{}, RANGES], ids=["one stream", "workers"])
@pytest.mark.parametrize("read", WHOLE.values(), ids=WHOLE)
def test_whole_reads_are_tried_again(obj, stored, read, options, caplog):
    stored.answers = [flipped]
    assert read(obj.get_reader(**options)) == DATA
    assert "Reading again: objects/bck/obj: xxhash2" in caplog.text


@pytest.mark.parametrize("read", STREAMS.values(), ids=STREAMS)
def test_streams_raise_at_their_end(obj, stored, read):
    stored.answers = [flipped]
    with pytest.raises(ErrChecksumMismatch):
        read(obj.get_reader())


def test_resumed_file_is_summed_in_order(obj, stored):
    stored.answers = [cut(3000), keep]
    assert obj.get_reader(chunk_size=100).as_file().read() == DATA
    stored.answers = [cut(3000), flipped]
    with pytest.raises(ErrChecksumMismatch):
        obj.get_reader(chunk_size=100).as_file().read()


@pytest.mark.parametrize("kind", CHECKSUM_TYPES)
@pytest.mark.parametrize("options", [{}, RANGES], ids=["one stream", "workers"])
def test_every_type_is_compared(obj, stored, kind, options):
    stored.has_checksum = False
    if kind != "none":
        stored.headers = {"Ais-Checksum-Type": kind, "Ais-Checksum-Value": summed(kind, DATA).upper()}
    for read in (*WHOLE.values(), *STREAMS.values()):
        assert read(obj.get_reader(**options)) == DATA
    stored.answers = Always(rotten)
    if kind == "none":
        assert WHOLE["read_all"](obj.get_reader(**options)) != DATA
        with pytest.raises(ErrChecksumMismatch, match="no checksum"):
            obj.get_reader(validate_checksum=True, **options).read_all()
    else:
        with pytest.raises(ErrChecksumMismatch, match=kind):
            obj.get_reader(**options).read_all()


def test_unknown_type_is_not_compared(obj, stored):
    stored.has_checksum, stored.headers = False, {"Ais-Checksum-Type": "new", "Ais-Checksum-Value": "00"}
    assert obj.get_reader().read_all() == DATA


def test_crc32c_without_its_library_is_told_once(obj, stored, monkeypatch, caplog):
    verification._warn_slow.cache_clear()
    monkeypatch.setattr(checksums, "_native", lambda _: None)
    stored.has_checksum, stored.headers = False, {"Ais-Checksum-Type": "crc32c", "Ais-Checksum-Value": "00"}
    for _ in range(3):
        assert obj.get_reader().read_all() == DATA
    assert [record.levelno for record in caplog.records if "google-crc32c" in record.message] == [
        logging.WARNING
    ]
    # On request it is compared, however slowly.
    with pytest.raises(ErrChecksumMismatch, match="crc32c"):
        obj.get_reader(validate_checksum=True).read_all()
    verification._warn_slow.cache_clear()


@pytest.mark.parametrize(
    "options",
    [
        {"byte_range": "bytes=0-9"},
        {"archive_config": ArchiveConfig("member")},
        {"etl": ETLConfig("name")},
        {"validate_checksum": False},
    ],
    ids=["range", "archive", "etl", "switched off"],
)
def test_what_is_not_the_stored_object_is_not_compared(obj, stored, options):
    stored.answers = Always(flipped)
    wanted = flip(DATA[:10]) if "byte_range" in options else flip(DATA)
    reader = obj.get_reader(**options)
    assert reader.read_all() == wanted
    assert b"".join(reader) == wanted
    assert reader.as_file().read() == wanted
    with reader.raw() as raw:
        assert raw.read() == wanted


def test_encoded_responses_are_not_compared(obj, stored):
    import gzip

    def encode(answer, request):
        answer.headers["Content-Encoding"] = "gzip"
        answer.body = gzip.compress(b"other")

    stored.answers = Always(encode)
    assert obj.get_reader().read_all() == b"other"


def test_checksums_of_ranges_are_not_taken_for_the_object_s(obj, stored, server):
    stored.range_checksums = True
    for read in (*WHOLE.values(), *STREAMS.values()):
        assert read(obj.get_reader(**RANGES)) == DATA
    assert {request.method for request in server.requests} == {"HEAD", "GET"}


def test_object_of_another_type_than_its_ranges(obj, stored, server):
    """With `enable_read_range`, ranges have checksums of the bucket's type; the object may have a crc32c."""
    stored.range_checksums, script = True, server.script

    def answer(request):
        given = script(request)
        if request.method == "HEAD":
            given.headers |= {"Ais-Checksum-Type": "crc32c", "Ais-Checksum-Value": summed("crc32c", DATA)}
        return given

    server.script = answer
    assert obj.get_reader(**RANGES).read_all().tobytes() == DATA
    stored.answers = Always(rotten)
    with pytest.raises(OSError, match="objects/bck/obj"):
        obj.get_reader(**RANGES).read_all()


def test_file_stays_when_the_object_is_rotten(server, stored, tmp_path):
    ais = AISFileSystem(server.endpoint, skip_instance_cache=True)
    target = tmp_path / "file"
    target.write_bytes(b"before")
    stored.answers = [flipped, keep]
    ais.get_file("bck/obj", str(target))
    assert target.read_bytes() == DATA
    target.write_bytes(b"before")
    stored.answers = Always(flipped)
    with pytest.raises(ErrChecksumMismatch):
        ais.get_file("bck/obj", str(target))
    with pytest.raises(ErrChecksumMismatch):
        ais.cat_file("bck/obj")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_progress_of_a_file_that_is_read_again(server, stored, tmp_path):
    from fsspec.callbacks import Callback

    ais = AISFileSystem(server.endpoint, skip_instance_cache=True)
    callback = Callback()
    stored.answers = [flipped, keep]
    ais.get_file("bck/obj", str(tmp_path / "file"), callback=callback)
    assert callback.value == callback.size == len(DATA)


# ---------------------------------------------------------------- switching off


@pytest.mark.parametrize("value", ["0", "false", "Off", "no"])
def test_environment_switches_it_off(server, stored, monkeypatch, value):
    stored.answers = Always(flipped)
    monkeypatch.setenv("AIS_VALIDATE_CHECKSUM", value)
    with Client(server.endpoint) as client:
        obj = client.bucket("bck").object("obj")
        assert obj.get_reader().read_all() == flip(DATA)
        with pytest.raises(ErrChecksumMismatch):
            obj.get_reader(validate_checksum=True).read_all()
    with Client(server.endpoint, validate_checksum=True) as client, pytest.raises(ErrChecksumMismatch):
        client.bucket("bck").object("obj").get_reader().read_all()


@pytest.mark.parametrize("value", ["", "1", "true", "anything"])
def test_environment_that_does_not_switch_it_off(server, stored, monkeypatch, value):
    stored.answers = Always(flipped)
    monkeypatch.setenv("AIS_VALIDATE_CHECKSUM", value)
    with Client(server.endpoint) as client, pytest.raises(ErrChecksumMismatch):
        client.bucket("bck").object("obj").get_reader().read_all()
    with Client(server.endpoint, validate_checksum=False) as client:
        assert client.bucket("bck").object("obj").get_reader().read_all() == flip(DATA)


def test_responses_of_a_replaced_session_are_not_compared(server, stored):
    stored.answers = Always(flipped)
    with Client(server.endpoint) as client:
        client.bucket("bck").client.session_manager.session = requests.Session()
        obj = client.bucket("bck").object("obj")
        assert obj.get_reader().read_all() == flip(DATA)
        obj.get_writer().put_content(b"abc")
        with pytest.raises(ErrChecksumMismatch):
            obj.get_reader(validate_checksum=True).read_all()


# ---------------------------------------------------------------- writing


class Taker:
    """A single-node server that stores what is put, after `change`, and reports its checksum."""

    def __init__(self):
        self.kind = "xxhash2"
        self.out_of_order = False
        self.change = lambda body: body
        self.parts = {}
        self.objects = {}
        self.reports = True
        self.heads = []

    def script(self, request):
        if request.method == "HEAD":
            self.heads.append(request.path)
            if request.path.startswith("/v1/buckets/"):
                return Answer(headers={"Ais-Bucket-Props": json.dumps({"checksum": {"type": self.kind}})})
            data = self.objects.get(request.path)
            if data is None:
                return Answer(
                    status=404, headers={"Hdr-Error": '{"message":"t[x]: ais://b/o does not exist"}'}
                )
            return Answer(data, headers=self.checksum(data, "crc32c" if self.out_of_order else self.kind))
        if request.method == "POST":
            if b"complete" not in request.body:
                return Answer(b"upload")
            self.objects[request.path] = b"".join(self.parts[number] for number in sorted(self.parts))
            return Answer()
        assert not [name for name in request.headers if name.startswith("ais-checksum")]
        body = self.change(request.body)
        if "partNumber" in request.params:
            self.parts[int(request.params["partNumber"])] = body
            return Answer()
        if request.params.get("append_type"):
            return Answer(headers={"Ais-Append-Handle": "h"})
        self.objects[request.path] = body
        return Answer(headers=self.checksum(body, self.kind))

    def checksum(self, data, kind):
        if kind == "none" or not self.reports:
            return {}
        return {"Ais-Checksum-Type": kind, "Ais-Checksum-Value": summed(kind, data)}


@pytest.fixture
def taker(monkeypatch):
    monkeypatch.setattr(sinks, "PIECE_SIZE", 1000)
    taker = Taker()
    with scripted(taker.script) as (server, _), Client(server.endpoint) as client:
        taker.endpoint, taker.bucket, taker.obj = (
            server.endpoint,
            client.bucket("bck"),
            client.bucket("bck").object("obj"),
        )
        yield taker


def _pieces():
    yield from (DATA[at : at + 999] for at in range(0, len(DATA), 999))


def _file_writer(taker, size):
    with taker.obj.get_writer().as_file("w") as file:
        file.write(DATA[:size])


def _upload_writer(taker):
    with taker.obj.get_writer().as_upload(3) as file:
        file.write(DATA)


def _parts(taker, order):
    upload = taker.obj.multipart_upload().create()
    for number in order:
        part = DATA[(number - 1) * 4000 : number * 4000]
        writer = upload.add_part(number)
        if number % 2:
            writer.put_content(part)
        else:
            writer.put_stream(io.BytesIO(part) if number % 4 else (piece for piece in [part]))
    upload.complete()


def _path(taker, tmp_path, data=DATA):
    path = tmp_path / "files" / "obj"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


PLAIN = {
    "put_content": lambda taker, _: taker.obj.get_writer().put_content(DATA),
    "put_content of a view": lambda taker, _: taker.obj.get_writer().put_content(memoryview(DATA)),
    "put_content of text": lambda taker, _: taker.obj.get_writer().put_content("é" * 100),
    "put_file": lambda taker, tmp: taker.obj.get_writer().put_file(_path(taker, tmp)),
    "put_stream of a file": lambda taker, _: taker.obj.get_writer().put_stream(io.BytesIO(DATA)),
    "put_stream of pieces": lambda taker, _: taker.obj.get_writer().put_stream(_pieces()),
    "put_files": lambda taker, tmp: taker.bucket.put_files(_path(taker, tmp).parent),
    "file of one piece": lambda taker, _: _file_writer(taker, 500),
    "fs.pipe": lambda taker, _: AISFileSystem(taker.endpoint, skip_instance_cache=True).pipe("bck/obj", DATA),
    "fs.put_file": lambda taker, tmp: AISFileSystem(taker.endpoint, skip_instance_cache=True).put_file(
        str(_path(taker, tmp)), "bck/obj"
    ),
}
IN_PARTS = {
    "file": lambda taker, _: _file_writer(taker, len(DATA)),
    "as_upload": lambda taker, _: _upload_writer(taker),
    "parts": lambda taker, _: _parts(taker, (1, 2, 3)),
}


@pytest.mark.parametrize("kind", CHECKSUM_TYPES)
@pytest.mark.parametrize("write", [*PLAIN.values(), *IN_PARTS.values()], ids=[*PLAIN, *IN_PARTS])
def test_every_writer_compares(taker, tmp_path, write, kind):
    taker.kind = kind
    write(taker, tmp_path)
    taker.change = flip
    if kind == "none":
        write(taker, tmp_path)
        return
    with pytest.raises(ErrChecksumMismatch) as caught:
        write(taker, tmp_path)
    assert caught.value.path == "objects/bck/obj"
    assert caught.value.checksum_type == kind
    assert {caught.value.got, caught.value.expected} <= set(str(caught.value).replace(",", "").split())


@pytest.mark.parametrize("write", PLAIN.values(), ids=PLAIN)
def test_first_write_to_a_bucket_of_another_type_is_compared(taker, tmp_path, write):
    taker.kind, taker.change = "sha256", flip
    with pytest.raises(ErrChecksumMismatch, match="sha256"):
        write(taker, tmp_path)


def test_type_of_a_bucket_is_asked_for_once_and_for_streams_only(taker, tmp_path):
    writer = taker.obj.get_writer()
    writer.put_content(DATA)
    writer.put_file(_path(taker, tmp_path))
    assert taker.heads == []
    taker.bucket.client.checksum_types.clear()
    for _ in range(2):
        writer.put_stream(_pieces())
    assert taker.heads == ["/v1/buckets/bck"]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_parts_out_of_order_have_a_crc32c(taker, order):
    taker.out_of_order = True
    _parts(taker, order)
    taker.change = flip
    with pytest.raises(ErrChecksumMismatch, match="crc32c"):
        _parts(taker, order)


def test_parts_whose_sum_cannot_be_known_are_not_compared(taker):
    taker.change = flip
    _parts(taker, (2, 1, 3))  # the cluster says that they came in order


def test_object_that_was_overwritten_after_its_upload_is_not_compared(taker):
    upload = taker.obj.multipart_upload().create()
    upload.add_part(1).put_content(DATA)
    taker.parts[1] = b"by another client"
    upload.complete()


def test_writers_that_are_switched_off(taker, tmp_path):
    taker.change = flip
    with Client(taker.endpoint, validate_checksum=False) as client:
        taker.bucket = client.bucket("bck")
        taker.obj = taker.bucket.object("obj")
        for write in [*PLAIN.values(), *IN_PARTS.values()]:
            if write not in (PLAIN["fs.pipe"], PLAIN["fs.put_file"]):
                write(taker, tmp_path)
        ais = AISFileSystem(taker.endpoint, validate_checksum=False, skip_instance_cache=True)
        ais.pipe("bck/obj", DATA)
    assert taker.heads == []


def test_responses_without_a_checksum_pass(taker, tmp_path):
    taker.reports, taker.change = False, flip
    for write in [*PLAIN.values(), *IN_PARTS.values()]:
        write(taker, tmp_path)


def test_appends_are_not_compared(taker):
    taker.change = flip
    writer = taker.obj.get_writer()
    writer.append_content(b"", handle=writer.append_content(DATA), flush=True)


def test_body_that_is_sent_again_is_summed_again(taker, tmp_path, monkeypatch):
    monkeypatch.setattr("aistore.sdk.retry_manager.time.sleep", lambda _: None)
    script, failures = taker.script, [1]

    def refuse(request):
        if request.method == "PUT" and request.body and failures:
            failures.pop()
            return Answer(b'{"message":"busy"}', 503)
        return script(request)

    with scripted(refuse) as (server, _), Client(server.endpoint) as client:
        client.bucket("bck").object("obj").get_writer().put_file(_path(taker, tmp_path))
    assert not failures
    assert taker.objects["/v1/objects/bck/obj"] == DATA


def test_combined_crc_of_parts():
    whole = Crc32c()
    for part in (DATA, b"", b"abc"):
        one = Crc32c()
        one.update(part)
        whole.append(one.value, len(part))
    assert whole.hexdigest() == summed("crc32c", DATA + b"abc")


def test_mock_in_the_place_of_a_client_gets_what_it_got_before():
    from unittest.mock import Mock

    from aistore.sdk.request_client import RequestClient

    client = Mock(spec=RequestClient, base_url="http://x/v1")
    client.request.return_value = Mock(spec=requests.Response, headers={"Ais-Checksum-Value": "0"})
    named(client).get_writer().put_content(b"abc")
    Bucket("bck", client).object("obj").get_writer().put_content(b"abc")
    for call in client.request.call_args_list:
        assert call.kwargs["data"] == b"abc"
