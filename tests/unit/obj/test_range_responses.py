"""Responses to range requests that are not the range: every reader gives the right bytes, or raises."""

import pytest
import requests
from objects import Stored, cut, named
from routed_site import Site
from scripted import scripted

from aistore.fs import AISFileSystem
from aistore.sdk.client import Client
from aistore.sdk.errors import ErrRangeMismatch, ErrRangeNotSatisfiable, SDKError
from aistore.wire.ranges import BodyRange, locate_range, parse_content_range

DATA = bytes(range(256)) * 16
START, END = 1000, 1499  # of the range, inclusive
WANTED = DATA[START : END + 1]


def other_range(answer, request):
    first = parse_content_range(answer.headers["Content-Range"])[0]
    shifted = (first + 7) % (len(DATA) - len(answer.body))
    answer.headers["Content-Range"] = f"bytes {shifted}-{shifted + len(answer.body) - 1}/{len(DATA)}"
    answer.body = DATA[shifted : shifted + len(answer.body)]


def other_bytes_without_a_name(answer, request):
    other_range(answer, request)
    del answer.headers["Content-Range"]


def content_range(text):
    def change(answer, request):
        answer.headers["Content-Range"] = text
        answer.body = bytes(len(answer.body))

    return change


def body(change):
    def changed(answer, request):
        answer.body = change(answer.body)

    return changed


def chunked_body(change):
    def changed(answer, request):
        answer.body, answer.chunked = change(answer.body), True

    return changed


def shorter_range(answer, request):
    first, last, total = parse_content_range(answer.headers["Content-Range"])
    answer.body = answer.body[:-1]
    answer.headers["Content-Range"] = f"bytes {first}-{last - 1}/{total}"


def other_total(answer, request):
    answer.headers["Content-Range"] = answer.headers["Content-Range"].rpartition("/")[0] + f"/{END + 5}"


def other_version(answer, request):
    answer.headers["Ais-Version"] = "2"
    answer.body = bytes(len(answer.body))


def coded(answer, request):
    answer.headers["Content-Encoding"] = "gzip"


def whole(answer, request):
    answer.body, answer.status = DATA, 200
    answer.headers.pop("Content-Range", None)


def whole_chunked(answer, request):
    whole(answer, request)
    answer.chunked = True


def unknown_total(answer, request):
    answer.headers["Content-Range"] = answer.headers["Content-Range"].rpartition("/")[0] + "/*"


WRONG = {
    "another range": other_range,
    "another range, not named": other_bytes_without_a_name,
    "junk": content_range("bytes junk"),
    "other unit": content_range(f"items {START}-{END}/{len(DATA)}"),
    "backwards": content_range(f"bytes {END}-{START}/{len(DATA)}"),
    "past its total": content_range(f"bytes {START}-{END}/{END}"),
    "no range satisfied": content_range(f"bytes */{len(DATA)}"),
    "huge": content_range(f"bytes {START}-{'9' * 5000}/*"),
    "too short": body(lambda data: data[:-1]),
    "too long": body(lambda data: data + b"x"),
    "too short, chunked": chunked_body(lambda data: data[:-1]),
    "too long, chunked": chunked_body(lambda data: data + b"x"),
    "a shorter range": shorter_range,
    "encoded": coded,
}
RIGHT = {"whole": whole, "whole, chunked": whole_chunked}
# Of one range alone nothing tells that the object is another by now.
OTHER_OBJECT = {"another total": other_total, "another version": other_version}


def _raw(reader):
    raw = reader.raw()
    try:
        return raw.read()
    finally:
        raw.close()


def _into(reader):
    buffer = bytearray(len(WANTED))
    return bytes(buffer[: reader.readinto(buffer)])


def _seekable(obj):
    with obj.get_reader().as_seekable_file(buffer_size=1, num_workers=2) as file:
        file.seek(START)
        return file.raw.read(len(WANTED))


def _opened(ais):
    with ais.open("bck/obj", "rb", cache_type="none") as file:
        file.seek(START)
        return file.read(len(WANTED))


RANGED = {
    "read_all": lambda obj: obj.get_reader(byte_range=f"bytes={START}-{END}").read_all(),
    "read_all, from the end": lambda obj: (
        obj.get_reader(byte_range="bytes=-100").read_all().replace(DATA[-100:], WANTED)
    ),
    "iteration": lambda obj: b"".join(obj.get_reader(byte_range=f"bytes={START}-{END}", chunk_size=64)),
    "readinto": lambda obj: _into(obj.get_reader(byte_range=f"bytes={START}-{END}")),
    "as_file": lambda obj: obj.get_reader(byte_range=f"bytes={START}-{END}").as_file().read(),
    "raw": lambda obj: _raw(obj.get_reader(byte_range=f"bytes={START}-{END}")),
    "cat_file": lambda obj: obj.ais.cat_file("bck/obj", START, END + 1),
}
PINNED = {
    "num_workers": lambda obj: bytes(obj.get_reader(num_workers=2, chunk_size=500).read_all().buf)[
        START : END + 1
    ],
    "num_workers, iteration": lambda obj: b"".join(obj.get_reader(num_workers=2, chunk_size=500))[
        START : END + 1
    ],
    "as_seekable_file": _seekable,
    "open": lambda obj: _opened(obj.ais),
    "cat_ranges": lambda obj: obj.ais.cat_ranges(["bck/obj"] * 2, [0, START], [5, END + 1], on_error="raise")[
        1
    ],
}
READERS = {**RANGED, **PINNED}


@pytest.fixture
def stored():
    return Stored(DATA)


@pytest.fixture
def obj(stored):
    with scripted(stored.script) as (server, client):
        obj = named(client)
        obj.ais = AISFileSystem(server.endpoint, skip_instance_cache=True)
        obj.requests = server.requests
        yield obj


def change_ranges(stored, change):
    """Change every response to a range request, however many come."""

    class Always(list):
        def __bool__(self):
            return True

        def pop(self, _=0):
            return lambda answer, request: change(answer, request) if "range" in request.headers else None

    stored.answers = Always()


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_is_not_the_range_is_an_error(obj, stored, read, change):
    change_ranges(stored, change)
    with pytest.raises(SDKError) as caught:
        read(obj)
    assert isinstance(caught.value, (requests.exceptions.RequestException, OSError))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_range_is_cut_out_of_the_whole_object(obj, stored, read, change):
    change_ranges(stored, change)
    assert read(obj) == WANTED


@pytest.mark.parametrize("read", PINNED.values(), ids=PINNED)
@pytest.mark.parametrize("change", OTHER_OBJECT.values(), ids=OTHER_OBJECT)
def test_range_of_another_object_is_an_error(obj, stored, read, change):
    def second(answer, request):
        if not request.headers["range"].startswith("bytes=0-"):
            change(answer, request)

    change_ranges(stored, second)
    with pytest.raises(SDKError):
        read(obj)


def test_range_of_an_object_of_unknown_size_must_be_there_in_full(obj, stored):
    stored.answers = [unknown_total] * 4
    assert RANGED["read_all"](obj) == WANTED
    for text in ("bytes=4000-5000", "bytes=4000-", "bytes=-10"):
        with pytest.raises(ErrRangeMismatch):
            obj.get_reader(byte_range=text).read_all()


def test_part_of_an_object_that_was_requested_whole_is_an_error(obj, stored):
    def part(answer, request):
        answer.body, answer.status = WANTED, 206
        answer.headers["Content-Range"] = f"bytes {START}-{END}/{len(DATA)}"

    stored.answers = [part] * 4
    reader = obj.get_reader()
    for read in (reader.read_all, lambda: list(reader), reader.as_file().read, reader.raw):
        with pytest.raises(ErrRangeMismatch, match="requested everything"):
            read()


@pytest.mark.parametrize("change", [*WRONG.values(), whole], ids=[*WRONG, "whole"])
def test_file_that_goes_on_does_not_go_on_elsewhere(obj, stored, change):
    stored.answers = [cut(2000), change]
    file = obj.get_reader(chunk_size=100).as_file(max_resume=1)
    if change is whole:
        assert file.read() == DATA
        return
    with pytest.raises(SDKError):
        file.read()


def test_file_of_a_range_starts_again_with_the_whole_object(obj, stored):
    stored.answers = [cut(200), whole]
    assert obj.get_reader(byte_range=f"bytes={START}-{END}", chunk_size=50).as_file().read() == WANTED


@pytest.mark.parametrize("change", [whole, whole_chunked])
@pytest.mark.parametrize("text", ["bytes=5000-6000", "bytes=5000-"])
def test_range_past_the_end_of_the_whole_object(obj, stored, change, text):
    stored.data = DATA[:500]
    stored.answers = [lambda answer, request: change(answer, request) or setattr(answer, "body", DATA[:500])]
    with pytest.raises(ErrRangeNotSatisfiable):
        obj.get_reader(byte_range=text).read_all()


def not_there(answer, request):
    answer.body, answer.status = b"", 416


def range_alone(answer, request):
    answer.status = 200


@pytest.mark.parametrize("change", [not_there, range_alone])
@pytest.mark.parametrize("start", [START, -100])
def test_bytes_are_missing_only_past_the_end(obj, stored, change, start):
    change_ranges(stored, change)
    if change is range_alone and start < 0:
        assert obj.ais.cat_file("bck/obj", start) == DATA[start:]
    else:
        with pytest.raises(ErrRangeNotSatisfiable):
            obj.ais.cat_file("bck/obj", start, None if start < 0 else END + 1)
        with pytest.raises(ErrRangeNotSatisfiable):
            obj.ais.cat_ranges(
                ["bck/obj"] * 2, [start] * 2, [None if start < 0 else END + 1] * 2, on_error="raise"
            )
    stored.data = b""
    assert obj.ais.cat_file("bck/obj", start) == b""


def of_nothing(answer, request):
    answer.body, answer.status = b"", 206
    answer.headers["Content-Range"] = "bytes 0--1/0"


def test_last_bytes_of_an_empty_object(obj, stored):
    change_ranges(stored, of_nothing)
    assert obj.get_reader(byte_range="bytes=-5").read_all() == b""
    assert obj.ais.cat_file("bck/obj", -5) == b""
    assert b"".join(obj.get_reader(byte_range="bytes=-5")) == b""
    with pytest.raises(ErrRangeMismatch):
        obj.get_reader(byte_range="bytes=0-4").read_all()


def test_bytes_of_a_response_for_an_empty_object_are_an_error(obj, stored):
    change_ranges(
        stored, lambda answer, request: of_nothing(answer, request) or setattr(answer, "body", b"x")
    )
    with pytest.raises(ErrRangeMismatch):
        obj.get_reader(byte_range="bytes=-5").read_all()


def test_cut_of_pieces_at_every_offset():
    for size in (1, 3, 4, 9):
        pieces = [DATA[at : at + size] for at in range(0, 40, size)]
        total = sum(map(len, pieces))
        for known in (total, None):
            part = locate_range("o", (5, 11), 200, None, known)
            assert b"".join(part.cut(iter(pieces))) == DATA[5:12]
            part = locate_range("o", (5, None), 200, None, known)
            assert b"".join(part.cut(iter(pieces))) == DATA[5:total]
            part = locate_range("o", (None, 7), 200, None, known)
            assert b"".join(part.cut(iter(pieces))) == DATA[total - 7 : total]
    assert b"".join(BodyRange("o").cut([b"a", b"", b"b"])) == b"ab"


def test_range_of_any_other_status():
    for status in (201, 203, 204, 304):
        with pytest.raises(ErrRangeMismatch, match=f"status {status}"):
            locate_range("o", (5, 11), status, None, 7)


def test_raw_range_of_the_whole_object_has_urllib3_s_interface(obj, stored):
    change_ranges(stored, whole)
    with obj.get_reader(byte_range=f"bytes={START}-{END}").raw() as raw:
        assert raw.status == 200
        assert raw.read(10) == WANTED[:10]
        assert b"".join(raw.stream(64)) == WANTED[10:]
        assert raw.read() == b""
    with obj.get_reader(byte_range="bytes=-7").raw() as raw:
        assert raw.readall() == DATA[-7:]


# ---------------------------------------------------------------- direct batches


def ranged(name, request, answer):
    """Respond to a range request as a target does."""
    good = Stored(answer.body).script(request)
    answer.body, answer.status = good.body, good.status
    answer.headers.update({k: v for k, v in good.headers.items() if k == "Content-Range"})
    return answer


@pytest.mark.parametrize("change", [*WRONG.values(), whole], ids=[*WRONG, "whole"])
@pytest.mark.parametrize("forever", [False, True])
def test_direct_batch_takes_no_other_range(change, forever):
    site = Site()
    site.objects.update({str(n): DATA for n in range(8)})
    changes = [0]

    def hook(request, answer):
        good = ranged("b", request, answer)
        changes[0] += 1
        if "range" in request.headers and (forever or changes[0] == 6):
            change(good, request)
        return good

    site.hook = hook
    try:
        with Client(site.proxy.endpoint, direct=True, timeout=(5, 5)) as client:
            batch = client.batch(bucket=client.bucket("b"), strategy="direct")
            for name in site.objects:
                batch.add(name, start=START, length=len(WANTED))
            if forever and change is not whole:
                with pytest.raises(SDKError):
                    list(batch.get())
            else:
                assert [data for _, data in batch.get()] == [WANTED] * 8
    finally:
        site.close()
