"""Readers: at once, into memory, in pieces, in parallel, as a file; one version of the object or none."""

import gc
import io
import tracemalloc

import pytest
import requests
from objects import Stored, cut, named, whole
from requests.structures import CaseInsensitiveDict
from scripted import scripted

from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.errors import AISChunkedEncodingError, InvalidArgument, SDKError
from aistore.sdk.obj.content_iterator import ParallelBuffer, parallel
from aistore.sdk.obj.errors import ErrChecksumMismatch, ErrObjectChanged
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.sdk.obj.obj_file.errors import ObjectFileReaderMaxResumeError, ObjectFileReaderUnexpectedEOF
from aistore.sdk.obj.obj_file.stream import ResumableStream

DATA = bytes(range(256)) * 40
RANGES = {"num_workers": 3, "chunk_size": 1000}


@pytest.fixture
def stored():
    return Stored(DATA)


@pytest.fixture
def cluster(stored):
    with scripted(stored.script) as (server, client):
        server.object = named(client)
        yield server


@pytest.fixture
def obj(cluster):
    return cluster.object


def _drop(_file) -> None:
    del _file
    gc.collect()


# ---------------------------------------------------------------- the plain ways


@pytest.mark.parametrize("data", [b"", b"x", DATA])
@pytest.mark.parametrize("workers", [None, 2])
def test_every_way_gives_the_same_bytes(obj, stored, data, workers):  # defect 28: empty objects too
    stored.data = data
    reader = obj.get_reader(num_workers=workers, chunk_size=1000)
    assert bytes(reader.read_all() if workers is None else reader.read_all().tobytes()) == data
    assert b"".join(reader) == data
    assert reader.as_file().read() == data
    buffer = bytearray(len(data) + 3)
    assert reader.readinto(buffer) == len(data)
    assert buffer == data + bytes(3)
    with pytest.raises(InvalidArgument, match="buffer"):
        obj.get_reader(num_workers=workers).readinto(bytearray(len(data) - 1) if data else b"")


def test_ranges(obj):
    for text, wanted in (("bytes=5-10", DATA[5:11]), ("bytes=10000-", DATA[10000:]), ("bytes=-3", DATA[-3:])):
        assert obj.get_reader(byte_range=text).read_all() == wanted
        assert obj.get_reader(byte_range=text).as_file().read() == wanted


def test_pieces_and_writer(obj):
    pieces = list(obj.get_reader(chunk_size=1000))
    assert [len(piece) for piece in pieces] == [1000] * 10 + [240]
    target = io.BytesIO()
    obj.get_reader(writer=target)
    assert target.getvalue() == DATA


def test_attributes_of_a_reader(obj, cluster):
    reader = obj.get_reader()
    assert reader.attributes.obj_version == "1"
    assert reader.attributes.obj_version == "1"
    assert [request.method for request in cluster.requests] == ["HEAD"]
    raw = reader.raw()
    assert reader.attributes.size == len(DATA)
    assert raw.read() == DATA


def test_dropped_raw_stream_is_closed_and_warns(obj):  # defect 43
    with pytest.warns(ResourceWarning, match="unclosed"):
        _drop(obj.get_reader().raw())


@pytest.mark.parametrize(("workers", "of_the_server"), [(None, 0), (2, 3 << 20)])
def test_memory_of_read_all_is_the_object(obj, stored, workers, of_the_server):
    stored.data = bytes(20 << 20)
    read = obj.get_reader(num_workers=workers, chunk_size=1 << 20).read_all
    tracemalloc.start()
    content = read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(content) == len(stored.data)
    # The server is a thread of this process: the ranges that it sends are counted too.
    assert peak <= 1.02 * len(stored.data) + of_the_server


@pytest.mark.parametrize(
    ("options", "largest", "sizes"),
    [
        ({}, 10**6, [1280] * 8),  # four for each worker
        ({}, 2000, [1280] * 8),
        ({}, 1000, [1000] * 10 + [240]),
        ({"chunk_size": 4000}, 10**6, [4000, 4000, 2240]),
    ],
)
def test_ranges_of_a_large_object(cluster, monkeypatch, options, largest, sizes):
    monkeypatch.setattr(parallel, "DEFAULT_PARALLEL_CHUNK_SIZE", 100)
    monkeypatch.setattr(parallel, "_LARGEST_RANGE", largest)
    buffer = bytearray(len(DATA))
    reader = cluster.object.get_reader(num_workers=2, **options)
    assert reader.readinto(buffer) == len(DATA)
    assert buffer == DATA
    asked = [r.headers["range"] for r in cluster.requests if "range" in r.headers]
    bounds = sorted([int(part) for part in text.removeprefix("bytes=").split("-")] for text in asked)
    assert [last - first + 1 for first, last in bounds] == sizes
    if not options:
        assert {len(piece) for piece in reader} == {100, len(DATA) % 100}


def test_encoded_answers_are_decoded_into_buffers_too(obj, stored):
    import gzip

    stored.data, stored.headers = gzip.compress(DATA), {"Content-Encoding": "gzip"}
    buffer = bytearray(len(DATA))
    assert obj.get_reader().readinto(buffer) == len(DATA)
    assert buffer == DATA == obj.get_reader().read_all() == obj.get_reader().as_file().read()
    with pytest.raises(InvalidArgument):
        obj.get_reader().readinto(bytearray(10))


# ---------------------------------------------------------------- in parallel


def test_parallel_buffer(obj):
    with obj.get_reader(**RANGES).read_all() as buffer:
        assert isinstance(buffer, ParallelBuffer)
        assert (len(buffer), buffer.tobytes(), buffer.name) == (len(DATA), DATA, "")
        view = buffer.buf[:10]
        assert view == DATA[:10]
        view.release()
    buffer.close()
    with pytest.raises(ValueError):
        _ = buffer.buf[0]


def test_parallel_uses_the_chunks_that_the_object_has(obj, stored, cluster):
    stored.headers = {"Ais-Chunks-Count": "3", "Ais-Chunks-Max-Chunk-Size": "4096"}
    obj.get_reader(num_workers=2).read_all().close()
    ranges = sorted(request.headers["range"] for request in cluster.requests if request.method == "GET")
    assert ranges == ["bytes=0-4095", "bytes=4096-8191", "bytes=8192-10239"]


@pytest.mark.parametrize("reset", [False, True])
def test_parallel_goes_on_after_broken_connections(obj, stored, reset):
    stored.answers = [cut(300, reset), cut(0, reset), cut(900, reset)]
    assert obj.get_reader(**RANGES).read_all().tobytes() == DATA


@pytest.mark.parametrize("iterate", [False, True])
def test_overwritten_object_is_not_mixed(obj, stored, iterate):
    def overwrite(answer, request):
        stored.put(bytes(reversed(DATA)))

    stored.answers = [overwrite]
    reader = obj.get_reader(**RANGES)
    with pytest.raises(ErrObjectChanged, match="version"):
        b"".join(reader) if iterate else reader.read_all()


def test_recreated_object_of_the_same_size_and_version_is_noticed(obj, stored):
    stored.answers = [lambda *_: stored.put(bytes(len(DATA)), version=1)]
    with pytest.raises(ErrObjectChanged, match="checksum"):
        obj.get_reader(**RANGES).read_all()


def test_checksums_of_ranges_are_not_taken_for_the_object_s(obj, stored):
    stored.range_checksums = True
    assert obj.get_reader(**RANGES).read_all().tobytes() == DATA
    assert obj.get_reader(**RANGES).as_file().read() == DATA


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"x"])
def test_range_of_the_wrong_length_is_an_error(obj, stored, change):
    def wrong(answer, request):
        answer.body = change(answer.body)

    stored.answers = [wrong] * 20
    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        obj.get_reader(**RANGES).read_all()
    assert isinstance(caught.value, AISChunkedEncodingError)


def test_ranges_are_cut_out_where_the_server_ignores_them(obj, stored):
    def ignore(answer, request):
        answer.body, answer.status = DATA, 200

    stored.answers = [ignore] * 20
    assert obj.get_reader(**RANGES).read_all().tobytes() == DATA


def test_abandoned_parallel_iteration_leaves_nothing(obj):
    pieces = iter(obj.get_reader(**RANGES))
    assert next(pieces) == DATA[:1000]
    pieces.close()


# ---------------------------------------------------------------- as a file


def test_file_protocol(obj):
    with obj.get_reader().as_file(buffer_size=100) as file:
        assert (file.readable(), file.writable(), file.seekable(), file.closed) == (True, False, False, False)
        assert file.name == "objects/bck/obj"
        assert file.read(0) == b""
        assert file.peek()[:3] == DATA[:3]
        assert file.read1(2) == DATA[:2]
        assert file.read1() == DATA[2:100]
        assert file.tell() == 100
        buffer = bytearray(150)
        assert file.readinto(buffer) == 150
        assert buffer == DATA[100:250]
        assert file.readline() == DATA[250 : DATA.index(b"\n", 250) + 1]
        position = file.tell()
        assert file.read(None) == DATA[position:]
        assert file.read(10) == b""
        assert file.peek() == b""
    assert file.closed  # defect 23
    assert not file.readable()
    assert "closed" in repr(file)
    for call in (file.read, file.tell, file.peek):
        with pytest.raises(ValueError):
            call()
    with file as again:
        assert again.read(3) == DATA[:3]


def test_file_asks_for_nothing_before_it_is_read(obj, cluster):
    obj.get_reader().as_file().close()
    assert cluster.requests == []


@pytest.mark.parametrize("reset", [False, True])
def test_file_goes_on_at_the_exact_byte(obj, stored, cluster, reset):
    stored.answers = [cut(3001, reset), cut(2, reset)]
    assert obj.get_reader(chunk_size=500).as_file().read() == DATA
    gets = [request.headers.get("range") for request in cluster.requests if request.method == "GET"]
    assert gets[0] is None
    assert len(gets) == 3
    assert all(text.startswith("bytes=") and text.endswith("-") for text in gets[1:])


def test_file_of_a_range_goes_on(obj, stored):
    stored.answers = [cut(2000)]
    assert obj.get_reader(byte_range="bytes=100-8000", chunk_size=64).as_file().read() == DATA[100:8001]


@pytest.mark.parametrize("options", [{"byte_range": "bytes=-5000"}, {"archive_config": ArchiveConfig("m")}])
def test_file_starts_over_where_there_are_no_offsets(obj, stored, cluster, options):
    stored.answers = [cut(2000), cut(3000)]
    wanted = DATA[-5000:] if "byte_range" in options else DATA
    assert obj.get_reader(chunk_size=100, **options).as_file().read() == wanted
    assert all(request.method == "GET" for request in cluster.requests)


def test_file_survives_a_server_that_ignores_offsets(obj, stored):
    def ignore(answer, request):
        answer.body, answer.status = DATA, 200

    stored.answers = [cut(3000), ignore]
    assert obj.get_reader(chunk_size=100).as_file().read() == DATA


@pytest.mark.parametrize(("data", "version"), [(bytes(len(DATA)), 2), (bytes(len(DATA)), 1), (b"short", 1)])
def test_file_of_an_overwritten_object_is_an_error(obj, stored, data, version):
    def overwrite(answer, request):
        answer.cut = 3000
        stored.put(data, version)

    stored.answers = [overwrite]
    file = obj.get_reader(chunk_size=100).as_file()
    with pytest.raises(ErrObjectChanged):
        file.read()
    assert file.closed


def test_file_goes_on_with_checksums_of_ranges(obj, stored):
    def ranges(answer, request):
        answer.headers["Ais-Checksum-Value"] = "0123456789abcdef"

    stored.answers = [cut(3000), ranges]
    assert obj.get_reader(chunk_size=100).as_file().read() == DATA


def test_file_breaks_for_good(obj, stored):
    stored.answers = [cut(1000)] * 3
    file = obj.get_reader(chunk_size=100).as_file(max_resume=2)
    with pytest.raises(ObjectFileReaderMaxResumeError) as caught:
        file.read()
    assert isinstance(caught.value.original_error, requests.exceptions.ChunkedEncodingError)
    assert caught.value.__cause__ is caught.value.original_error
    assert file.closed


def test_object_that_is_gone_passes_through(obj, stored):
    def gone(answer, request):
        answer.status, answer.body = (
            404,
            b'{"tcode":"ErrNotFound","message":"t[x]: ais://bck/obj does not exist"}',
        )

    stored.answers = [cut(1000), gone]
    with pytest.raises(FileNotFoundError):
        obj.get_reader(chunk_size=100).as_file().read()


def test_file_that_ends_early_without_an_error():
    class Short:
        client = type("Client", (), {"path": "p", "offset_attributes": lambda self: None})()

        def create_iter(self, offset=0, bounds=None):
            bounds.expected_end = 10
            yield b"12345"

    stream = ResumableStream(Short(), 1)
    assert next(stream) == b"12345"
    with pytest.raises(ObjectFileReaderMaxResumeError) as caught:
        next(stream)
    assert isinstance(caught.value.original_error, ObjectFileReaderUnexpectedEOF)
    assert (stream.delivered_position, stream.resumes, stream.path) == (5, 2, "p")
    assert iter(stream) is stream


def test_file_that_is_shorter_when_it_is_read_again():
    answers = [[b"12345", requests.exceptions.ChunkedEncodingError("cut")], [b"123"], [b"123"]]

    class Shrinks:
        client = type("Client", (), {"path": "p", "offset_attributes": lambda self: None})()

        def create_iter(self, offset=0, bounds=None):
            for piece in answers.pop(0):
                if isinstance(piece, Exception):
                    raise piece
                yield piece

    stream = ResumableStream(Shrinks(), 1)
    assert next(stream) == b"12345"
    with pytest.raises(ObjectFileReaderMaxResumeError) as caught:
        b"".join(stream)
    assert isinstance(caught.value.original_error, ObjectFileReaderUnexpectedEOF)


def test_dropped_file_is_closed_and_warns(obj):  # defect 43
    files = [obj.get_reader(chunk_size=10).as_file()]
    files[0].read(1)
    with pytest.warns(ResourceWarning, match="unclosed"):
        _drop(files.pop())


def test_max_resume(obj):
    assert obj.get_reader().as_file(max_resume=None).read() == DATA  # defect 23
    for value, error in ((-1, ValueError), (True, TypeError), ("1", TypeError)):
        with pytest.raises(error):
            obj.get_reader().as_file(max_resume=value)
    with pytest.raises(ValueError):
        obj.get_reader().as_file(buffer_size=0)


# ---------------------------------------------------------------- checksums


def read_in_every_way(obj, **options):
    reader = obj.get_reader(validate_checksum=True, **options)
    yield reader.read_all
    yield lambda: list(reader)
    yield lambda: reader.readinto(bytearray(len(DATA)))
    yield reader.as_file().read


@pytest.mark.parametrize("options", [{}, RANGES])
@pytest.mark.parametrize("data", [DATA, b""])
def test_checksums_are_compared_on_request(obj, stored, options, data):
    stored.data = data
    for read in read_in_every_way(obj, **options):
        read()
    # The cluster's checksum of other bytes: what is read is not what was written.
    stored.headers, stored.has_checksum = {"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": "00"}, False
    for read in read_in_every_way(obj, **options):
        with pytest.raises(ErrChecksumMismatch, match="md5"):
            read()


def test_checksum_of_a_resumed_file_is_compared(obj, stored):
    stored.answers = [cut(3000), whole]
    assert obj.get_reader(validate_checksum=True, chunk_size=100).as_file().read() == DATA


def test_checksum_of_what_is_not_the_object(obj):
    for options in ({"byte_range": "bytes=0-1"}, {"archive_config": ArchiveConfig("m")}):
        with pytest.raises(ValueError, match="checksum"):
            obj.get_reader(validate_checksum=True, **options)


# ---------------------------------------------------------------- bad input, before any request


@pytest.mark.parametrize(
    "options",
    [
        {"byte_range": "bytes=1-2", "blob_download_config": BlobDownloadConfig()},
        {"num_workers": 1},
        {"num_workers": True},
        {"num_workers": 2, "byte_range": "bytes=1-2"},
        {"num_workers": 2, "blob_download_config": BlobDownloadConfig()},
        {"num_workers": 2, "archive_config": ArchiveConfig("m")},
        {"byte_range": "bytes=2-1"},
        {"chunk_size": -1},
        {"chunk_size": "1"},
    ],
)
def test_get_reader_refuses(obj, cluster, options):
    with pytest.raises(ValueError):
        obj.get_reader(**options)
    assert cluster.requests == []


def test_names_are_refused_before_any_request(cluster, obj):
    bad = named(obj._client, "../errbck2/leak")
    calls = [
        bad.head,
        bad.get_reader,
        bad.get_writer,
        bad.delete,
        bad.multipart_upload,
        bad.get_url,
        bad.blob_download,
        lambda: bad.promote("/x"),
        lambda: bad.copy(obj),
        lambda: obj.copy(bad),
    ]
    for call in calls:
        with pytest.raises(SDKError):
            call()
    assert cluster.requests == []


def test_readonly_buffer_is_refused(obj):
    with pytest.raises(ValueError, match="writable"):
        obj.get_reader().readinto(DATA)


def test_file_of_a_cluster_that_is_not_there_raises_what_the_request_raised(monkeypatch):
    with scripted(Stored(DATA).script) as (_, client):
        obj = named(client)
    file = obj.get_reader().as_file()
    monkeypatch.setattr("aistore.sdk.retry_manager.time.sleep", lambda _: None)
    with pytest.raises(ConnectionRefusedError):
        file.read()


def test_parallel_gives_up_after_many_breaks(obj, stored):
    stored.answers = [cut(10)] * 100
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        obj.get_reader(**RANGES).read_all()


@pytest.mark.parametrize("data", [DATA, b""])
def test_blob_download_of_an_object_that_is_here_is_not_empty(obj, stored, cluster, data):
    def nothing(answer, request):
        assert request.headers["ais-blob-download"] == "true"
        answer.body = b""

    stored.data, stored.answers = data, [nothing]
    config = BlobDownloadConfig(chunk_size="1mb", num_workers="2")
    assert obj.get_reader(blob_download_config=config).read_all() == data
    assert not [name for name in cluster.requests[1].headers if name.startswith("ais-blob")]


def test_reading_into_memory_ends_with_the_file(obj):
    with obj.get_reader().as_file() as file:
        buffer = bytearray(len(DATA) + 5)
        assert file.readinto(buffer) == len(DATA)
        assert file.readinto(buffer) == 0


def test_workers_of_a_reader(obj):
    assert obj.get_reader(num_workers=3)._content_provider.num_workers == 3


def test_parallel_files_take_a_buffer_size_too(obj):
    assert obj.get_reader(num_workers=2).as_file(buffer_size=100).read() == DATA


class Pieces:
    """Gives what resuming needs of a provider: pieces, identities of the answers, headers of HEAD."""

    def __init__(self, *answers, offset=None, head=None):
        self.client = self
        self.path = "p"
        self.answers = list(answers)
        self.offset_attributes = lambda: offset
        self.head = lambda: head

    def create_iter(self, offset=0, bounds=None):
        identity, start, pieces = self.answers.pop(0)
        bounds.start, bounds.identity = start, identity
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


CUT = requests.exceptions.ChunkedEncodingError()


def test_answers_that_name_no_version_are_read_on():
    stream = ResumableStream(Pieces((None, 0, [b"ab", CUT]), (None, 2, [b"cd"]), offset={}), 1)
    assert b"".join(stream) == b"abcd"


@pytest.mark.parametrize(
    ("changed", "what"), [({"version": "2"}, "version"), ({"checksum": "md5:2"}, "checksum")]
)
def test_answers_of_another_version_are_not_read_on(changed, what):
    before = ObjectIdentity(checksum="md5:1", version="1")
    after = ObjectIdentity(**{"checksum": "md5:1", "version": "1", **changed})
    head = CaseInsensitiveDict({"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": "2"})
    stream = ResumableStream(Pieces((before, 0, [b"ab", CUT]), (after, 0, [b"abcd"]), head=head), 1)
    with pytest.raises(ErrObjectChanged) as caught:
        list(stream)
    assert caught.value.what == what
