"""`Batch`: what it refuses, what it sends, and how it reads answers that are right, wrong, or cut short."""

import base64
import gc
import json
import pickle
import threading
import time

import pytest
from archives import archive_of, tar_of
from scripted import Answer, Request, scripted

from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.errors import (
    ErrBatchEntryNotFound,
    ErrBatchFormat,
    ErrBatchIncomplete,
    ErrBatchMismatch,
)
from aistore.sdk.batch.types import MossIn, MossOut, MossReq, MossResp
from aistore.sdk.enums import Colocation
from aistore.sdk.errors import ErrObjNotFound, InvalidArgument, SDKError
from aistore.sdk.namespace import Namespace
from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.provider import Provider

FORMATS = (".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4")


class Bucket:
    name, provider, namespace = "bck", Provider.AIS, None

    def get_path(self):
        return "ais/@#/bck/"


def entries_of(request: Request) -> list[dict]:
    return json.loads(request.body)["in"]


def member_of(entry: dict, content: dict[str, bytes]) -> tuple[str, bytes]:
    """What the cluster would put into the archive."""
    name = entry["objname"]
    path = f"{entry['bucket']}/{name}" + (f"/{entry['archpath']}" if "archpath" in entry else "")
    if name not in content:
        return f"__404__/{path}", b""
    data = content[name][entry.get("start", 0) :]
    length = entry.get("length", -1)
    return path, data if length <= 0 else data[:length]


def serve(content: dict[str, bytes]):
    def script(request: Request) -> Answer:
        asked = json.loads(request.body)
        archive = archive_of(asked["mime"], [member_of(entry, content) for entry in asked["in"]])
        if asked["strm"]:
            return Answer(archive, chunked=True)
        out = []
        for entry in asked["in"]:
            path, data = member_of(entry, content)
            item = {"objname": entry["objname"], "bucket": entry["bucket"], "provider": "", "size": len(data)}
            if path.startswith("__404__"):
                item["err_msg"] = "does not exist"
            out.append(item | ({"opaque": entry["opaque"]} if "opaque" in entry else {}))
        listed = json.dumps({"uuid": "gbt-1", "out": out}).encode()
        body = b"--B\r\nA: 1\r\n\r\n" + listed + b"\r\n--B\r\nA: 2\r\n\r\n" + archive + b"\r\n--B--\r\n"
        return Answer([body[i : i + 700] for i in range(0, len(body), 700)], 200, MULTIPART, chunked=True)

    return script


MULTIPART = {"Content-Type": "multipart/mixed; boundary=B"}
CONTENT = {f"x/{n:03}": bytes([n]) * n * 30 for n in range(40)}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
def test_entries_come_in_order_with_their_bytes(format, streaming):
    names = list(reversed(CONTENT))
    with scripted(serve(CONTENT)) as (_, client):
        batch = Batch(client, names, Bucket(), format.upper(), streaming_get=streaming)
        results = list(batch.get(decode_as_stream=True))
    assert [(info.obj_name, data) for info, data in results] == [(name, CONTENT[name]) for name in names]
    assert all(info.size == len(data) and info.err_msg is None for info, data in results)
    assert len(batch) == 0


@pytest.mark.parametrize("streaming", [True, False])
def test_missing_entry_comes_in_its_place(streaming):
    with scripted(serve(CONTENT)) as (_, client):
        batch = Batch(client, ["x/001", "nope", "x/002"], Bucket(), streaming_get=streaming)
        (one, data1), (lost, none), (two, data2) = batch.get()
    assert (one.obj_name, data1, two.obj_name, data2) == (
        "x/001",
        CONTENT["x/001"],
        "x/002",
        CONTENT["x/002"],
    )
    assert (lost.obj_name, none, lost.size) == ("nope", b"", 0)
    assert lost.err_msg


@pytest.mark.parametrize("streaming", [True, False])
def test_missing_entry_is_an_error_without_cont_on_err(streaming):
    with scripted(serve(CONTENT)) as (_, client):
        results = Batch(client, ["x/001", "nope"], Bucket(), cont_on_err=False, streaming_get=streaming).get()
        next(results)
        with pytest.raises(ErrObjNotFound, match="bck/nope") as caught:
            next(results)
    assert isinstance(caught.value, FileNotFoundError)


def test_ranges_members_opaque_and_other_buckets():
    content = {"obj": b"0123456789", "shard.tar": b"member"}
    with scripted(serve(content)) as (server, client):
        other = Object(client, BucketDetails("b2", Provider.AMAZON, {}, "aws/@#/b2/"), "obj")
        batch = Batch(client, bucket=Bucket())
        batch.add("obj", start=2, length=3, opaque=b"\xff\xfe").add("obj", start=4, length=-1)
        batch.add("shard.tar", archpath="/d/m").add(other).add("obj", bck="b3", provider="gcp")
        batch.add("obj", start=0, length=0, opaque=b"", archpath="")
        results = list(batch.get())
        sent = entries_of(server.requests[0])
    assert [data for _, data in results] == [b"234", b"456789", b"member", *[content["obj"]] * 3]
    assert results[0][0].opaque == b"\xff\xfe"
    assert results[2][0].archpath == "/d/m"
    assert [(info.bucket, info.provider) for info, _ in results[3:5]] == [("b2", "aws"), ("b3", "gcp")]
    assert sent[0] == {
        "objname": "obj",
        "bucket": "bck",
        "provider": "ais",
        "start": 2,
        "length": 3,
        "opaque": "//4=",
    }
    assert sent[5] == {"objname": "obj", "bucket": "bck", "provider": "ais"}


def test_namespaced_bucket_is_named_in_full():
    class Remote(Bucket):
        namespace = Namespace(uuid="u", name="ns")

        def get_path(self):
            return "ais/@u#ns/bck/"

    with scripted(serve(CONTENT)) as (server, client):
        ((info, _),) = Batch(client, "x/001", Remote()).get()
        assert entries_of(server.requests[0])[0]["uname"] == "ais/@u#ns/bck/"
        assert server.requests[0].params["namespace"] == "@u#ns"
    assert info.bucket == "bck"


def test_colocation_is_sent_twice():
    with scripted(serve(CONTENT)) as (server, client):
        list(Batch(client, "x/001", Bucket(), colocation=Colocation.TARGET_AWARE).get())
        assert server.requests[0].params["coloc"] == "1"
        assert json.loads(server.requests[0].body)["coloc"] == 1


# ---------------------------------------------------------------- not like 2.0.0


def test_empty_batch_gives_an_empty_result():
    with scripted(serve(CONTENT)) as (server, client):
        assert list(Batch(client, bucket=Bucket()).get()) == []
        with pytest.raises(ValueError, match="empty"):
            Batch(client, bucket=Bucket()).get(raw=True)
        assert server.requests == []


@pytest.mark.parametrize("format", [".tar", ".tgz", ".tar.lz4", ".zip"])
def test_short_archive_is_continued_with_the_rest(format):  # defect 5
    names = list(CONTENT)

    def script(request: Request) -> Answer:
        members = [member_of(entry, CONTENT) for entry in entries_of(request)[:7]]
        return Answer(archive_of(format, members), chunked=True)

    with scripted(script) as (server, client):
        results = list(Batch(client, names, Bucket(), format).get())
        asked = [[entry["objname"] for entry in entries_of(request)] for request in server.requests]
    assert [(info.obj_name, data) for info, data in results] == list(CONTENT.items())
    assert asked == [names[n:] for n in range(0, 40, 7)]


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_connection_lost_midway_is_continued(reset, chunked):
    names = list(CONTENT)
    whole = serve(CONTENT)

    def script(request: Request) -> Answer:
        answer = whole(request)
        answer.chunked = chunked
        if len(entries_of(request)) == len(names):
            answer.cut, answer.reset = 9000, reset
        return answer

    with scripted(script) as (server, client):
        assert [data for _, data in Batch(client, names, Bucket()).get()] == list(CONTENT.values())
        assert len(server.requests) == 2


def test_without_progress_the_missing_are_named():  # defect 5
    with scripted(lambda _: Answer(tar_of([]), chunked=True)) as (server, client):
        with pytest.raises(ErrBatchIncomplete, match="missing: bck/a, bck/b") as caught:
            list(Batch(client, ["a", "b"], Bucket()).get())
        assert len(server.requests) == 1
    assert caught.value.missing == ["bck/a", "bck/b"]
    assert pickle.loads(pickle.dumps(caught.value)).missing == ["bck/a", "bck/b"]


def test_shift_of_members_is_an_error():
    members = [("bck/x/002", b"2"), ("bck/x/001", b"1")]
    with scripted(lambda _: Answer(tar_of(members), chunked=True)) as (_, client):
        with pytest.raises(ErrBatchMismatch, match="'bck/x/002' where 'bck/x/001'"):
            list(Batch(client, ["x/001", "x/002"], Bucket()).get())


def test_too_many_members_are_an_error():
    members = [("bck/a", b"1"), ("bck/b", b"2")]
    with scripted(lambda _: Answer(tar_of(members), chunked=True)) as (_, client):
        results = Batch(client, ["a"], Bucket()).get()
        assert next(results)[1] == b"1"
        with pytest.raises(RuntimeError, match="more than the 1"):
            next(results)


@pytest.mark.parametrize("cont_on_err", [True, False])
def test_whole_object_instead_of_a_range_is_not_taken_for_it(cont_on_err):
    with scripted(lambda _: Answer(tar_of([("bck/a", b"12345")]), chunked=True)) as (_, client):
        batch = Batch(client, bucket=Bucket(), cont_on_err=cont_on_err).add("a", start=100, length=2)
        if cont_on_err:
            ((info, data),) = batch.get()
            assert data == b""
            assert "asked for 2 bytes from byte 100" in info.err_msg
        else:
            with pytest.raises(SDKError, match="asked for 2 bytes"):
                list(batch.get())


@pytest.mark.parametrize(
    "marker",
    [
        "__404__/bck/s.tar/d/m",
        "__404__/s.tar/d/m",
        "__404__/bck/s.tar",
        "__404__/s.tar",
        "__404__/bck/s.tar//d/m",
    ],
)
def test_every_spelling_of_a_missing_member(marker):
    with scripted(lambda _: Answer(tar_of([(marker, b"")]), chunked=True)) as (_, client):
        ((info, data),) = Batch(client, bucket=Bucket()).add("s.tar", archpath="/d/m").get()
    assert (info.obj_name, info.archpath, data) == ("s.tar", "/d/m", b"")
    assert info.err_msg


@pytest.mark.parametrize("body", [b"", b"nonsense" * 200, b"\x1f\x8b" + bytes(600)])
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
def test_malformed_answer_is_our_error(body, format, streaming):  # defect 21
    with scripted(lambda _: Answer(body, chunked=True)) as (_, client):
        with pytest.raises(SDKError) as caught:
            list(Batch(client, ["a"], Bucket(), format, streaming_get=streaming).get())
    assert isinstance(caught.value, (ErrBatchFormat, ErrBatchIncomplete))


@pytest.mark.parametrize(
    "listed",
    [
        b"{",
        b"[]",
        b'{"out":[{"objname":1}]}',
        b'{"out":[{"objname":"a","bucket":"bck","provider":"","size":9}]}',
        b'{"out":[{},{}]}',
    ],
)
def test_malformed_list_is_our_error(listed):  # defect 21
    archive = tar_of([("bck/a", b"1")])
    body = b"--B\r\n\r\n" + listed + b"\r\n--B\r\n\r\n" + archive + b"\r\n--B--\r\n"
    with scripted(lambda _: Answer(body, headers=MULTIPART)) as (_, client), pytest.raises(ErrBatchFormat):
        list(Batch(client, ["a"], Bucket(), streaming_get=False).get())


# ---------------------------------------------------------------- connections


def test_iteration_ends_before_the_answer_does_and_the_connection_is_used_again():
    go_on = threading.Event()

    def held(request: Request) -> Answer:
        def pieces():
            yield tar_of([("bck/a", b"1")])
            go_on.wait(10)
            yield bytes(10)

        return Answer(pieces(), chunked=True)

    with scripted(held) as (server, client):
        assert [data for _, data in Batch(client, ["a"], Bucket()).get()] == [b"1"]
        go_on.set()
        _until(lambda: not _drains())
        list(Batch(client, ["a"], Bucket()).get())
        assert server.connections == 1
        _until(lambda: not _drains())


def test_endless_answer_is_given_up(monkeypatch):
    monkeypatch.setattr("aistore.sdk.batch.drain._MAX_BYTES", 100_000)

    def endless(request: Request) -> Answer:
        def pieces():
            yield tar_of([("bck/a", b"1")])
            while True:
                yield bytes(1000)

        return Answer(pieces(), chunked=True)

    with scripted(endless) as (_, client):
        assert len(list(Batch(client, ["a"], Bucket()).get())) == 1
        _until(lambda: not _drains())


def test_silent_end_is_given_up(monkeypatch):
    monkeypatch.setattr("aistore.sdk.batch.drain._MAX_SECONDS", 0.05)
    ended = threading.Event()

    def silent(request: Request) -> Answer:
        def pieces():
            yield tar_of([("bck/a", b"1")])
            ended.wait(10)

        return Answer(pieces(), chunked=True)

    with scripted(silent) as (_, client):
        assert len(list(Batch(client, ["a"], Bucket()).get())) == 1
        _until(lambda: not _drains())
        ended.set()


@pytest.mark.parametrize("how", ["never started", "abandoned", "closed", "with"])
def test_answer_that_is_not_read_to_its_end_is_closed(how):
    with scripted(serve(CONTENT)) as (_, client):
        results = Batch(client, list(CONTENT), Bucket()).get()
        if how != "never started":
            next(results)
        if how == "closed":
            results.close()
        elif how == "with":
            with results:
                pass
        del results
        gc.collect()  # a body that is dropped open warns, and warnings are errors here


def test_raw_gives_the_body_as_it_is():
    with scripted(serve({"a": b"1"})) as (_, client):
        batch = Batch(client, ["a"], Bucket())
        body = batch.get(raw=True, clear_batch=False)
        assert body.read() == tar_of([("bck/a", b"1")])
        body.close()
        assert len(batch) == 1
        list(batch.get(tar_buffer_size=512, timeout=(3, 3)))
        assert len(batch) == 0


def _drains():
    return [thread for thread in threading.enumerate() if thread.name == "aistore-drain"]


def _until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


# ---------------------------------------------------------------- bad input, before any request


@pytest.mark.parametrize(
    "options",
    [
        {"objects": 5},
        {"objects": ("a",)},
        {"objects": ["a", 5]},
        {"objects": "a", "bucket": None},
        {"output_format": ".rar"},
        {"output_format": None},
        {"colocation": 3},
        {"colocation": "x"},
    ],
)
def test_constructor_refuses(options):
    with pytest.raises(ValueError):
        Batch(None, **{"bucket": Bucket(), **options})


def test_colocation_that_the_cluster_does_not_have():
    with pytest.raises(NotImplementedError) as caught:
        Batch(None, colocation=Colocation.TARGET_AND_SHARD_AWARE)
    assert isinstance(caught.value, SDKError)


@pytest.mark.parametrize(
    "entry",
    [
        {"obj": ""},
        {"obj": "a/../b"},
        {"obj": "a/"},
        {"obj": "~/a"},
        {"obj": "a\0"},
        {"obj": 5},
        {"obj": "a", "bck": "b"},
        {"obj": "a", "provider": "ais"},
        {"obj": "a", "start": -1},
        {"obj": "a", "length": -2},
        {"obj": "a", "start": 1},
        {"obj": "a", "start": 1, "length": 0},
        {"obj": "a", "archpath": "../x"},
    ],
)
def test_add_refuses(entry):
    batch = Batch(None, bucket=Bucket())
    with pytest.raises(ValueError):
        batch.add(**entry)
    assert len(batch) == 0


def test_add_refuses_other_types_and_buckets_of_objects():
    batch = Batch(None, bucket=Bucket())
    with pytest.raises(TypeError):
        batch.add("a", start="1", length=2)
    with pytest.raises(InvalidArgument):
        batch.add(
            Object(None, BucketDetails("b", Provider.AIS, {}, "ais/@#/b/"), "o"), bck="b", provider="ais"
        )


@pytest.mark.parametrize("size", [0, -1, True, 1.5])
def test_tar_buffer_size_is_checked(size):
    with pytest.raises(ValueError):
        Batch(None, "a", Bucket()).get(tar_buffer_size=size)
    with pytest.raises(ValueError):
        Batch(None, "a", Bucket(), ".zip").get(tar_buffer_size=512)


# ---------------------------------------------------------------- values


def test_batch_is_a_collection():
    batch = Batch(None, bucket=Bucket())
    assert not batch
    batch.add("a").add("b")
    kept = batch.requests_list
    assert repr(batch) == "Batch(objects=2, format=.tar)"
    assert batch.clear() is batch
    assert (len(kept), len(batch)) == (2, 0)
    assert (
        kept[0]
        == MossIn(obj_name="a", bck="bck", provider="ais")
        == MossIn(objname="a", bucket="bck", provider="ais")
    )
    with pytest.raises(AttributeError):
        kept[0].obj_name = "c"


def test_models_on_the_wire():
    opaque = base64.b64encode(b"use").decode()
    request = (
        MossReq(output_format=".tar").add(MossIn(obj_name="a")).extend([MossIn(obj_name="b", opaque=opaque)])
    )
    assert request.dict() == {"in": [{"objname": "a"}, {"objname": "b", "opaque": opaque}], "mime": ".tar"}
    assert request.dict(by_alias=False)["output_format"] == ".tar"
    assert request.moss_in[1].opaque_bytes() == b"use"
    answer = MossResp.model_validate_json(
        json.dumps({"out": [{"objname": "a", "bucket": "b", "provider": "", "opaque": opaque, "size": 3}]})
    )
    assert answer.out[0] == MossOut(obj_name="a", bucket="b", provider="", opaque=b"use", size=3)
    assert answer.out[0].dict() == {
        "objname": "a",
        "bucket": "b",
        "provider": "",
        "opaque": b"use",
        "size": 3,
    }


def test_errors_pickle():
    for error in (
        ErrBatchEntryNotFound("bck/a", "is gone"),
        ErrBatchMismatch("x"),
        ErrBatchFormat("y"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy)) == (type(error), str(error))


def test_continuing_that_fails_names_what_is_missing():
    whole = serve(CONTENT)

    def script(request: Request) -> Answer:
        answer = whole(request)
        if len(entries_of(request)) == 3:
            answer.cut = 1024 + 100
        else:
            answer.status, answer.headers = 200, {"Content-Length": "nonsense"}
        return answer

    with scripted(script) as (_, client), pytest.raises(ErrBatchIncomplete) as caught:
        list(Batch(client, ["x/000", "x/001", "x/002"], Bucket()).get())
    assert caught.value.missing == ["bck/x/002"]


def test_cut_before_the_list_names_everything():
    with scripted(lambda _: Answer(b"--B\r\n\r\n{", headers=MULTIPART, cut=5)) as (_, client):
        with pytest.raises(ErrBatchIncomplete) as caught:
            list(Batch(client, ["a", "b"], Bucket(), streaming_get=False).get())
    assert caught.value.missing == ["bck/a", "bck/b"]


def test_connection_is_kept_when_only_the_last_entry_was_taken():
    with scripted(serve(CONTENT)) as (server, client):
        for _ in range(3):
            results = Batch(client, ["x/001"], Bucket()).get()
            next(results)
            del results
            _until(lambda: not _drains())
        assert server.connections == 1


def test_entry_made_by_hand_is_of_the_batch_s_bucket():
    with scripted(serve(CONTENT)) as (server, client):
        batch = Batch(client, bucket=Bucket())
        batch.request.add(MossIn(obj_name="x/001", length=5))
        ((info, data),) = batch.get()
        assert entries_of(server.requests[0])[0]["bucket"] == "bck"
    assert (info.bucket, data) == ("bck", CONTENT["x/001"][:5])
