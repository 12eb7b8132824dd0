"""What a batch asks for and what it gets, compared: by bucket, by name and by count."""

import io
import json

import pytest
from archives import archive_of
from scripted import Answer, scripted

from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.errors import ErrBatchFormat, ErrBatchIncomplete, ErrBatchMismatch
from aistore.sdk.bucket import Bucket

CONTENT = {name: name.encode() * 10 for name in ("a", "b", "c", "d")}
FORMATS = (".tar", ".tgz", ".zip")


def listed(entry, **changes):
    """What the list of an answer has for an entry."""
    item = {"objname": entry["objname"], "bucket": entry["bucket"], "provider": "ais"}
    if "archpath" in entry:
        item["archpath"] = entry["archpath"]
    return {**item, "size": len(CONTENT[entry["objname"]]), **changes}


def serve(change):
    """Answer with a list and an archive that `change` makes of the entries."""

    def script(request):
        asked = json.loads(request.body)
        out, members = change(asked["in"])
        pairs = [
            (
                "/".join([e["bucket"], e["objname"], *([e["archpath"]] if "archpath" in e else [])]),
                CONTENT[e["objname"]],
            )
            for e in members
        ]
        archive = archive_of(asked["mime"], pairs)
        if asked["strm"]:
            return Answer(archive, chunked=True)
        text = json.dumps({"uuid": "gbt-1", "out": out}).encode()
        body = b"--B\r\nA: 1\r\n\r\n" + text + b"\r\n--B\r\nA: 2\r\n\r\n" + archive + b"\r\n--B--\r\n"
        return Answer(body, 200, {"Content-Type": "multipart/mixed; boundary=B"})

    return script


def whole(entries):
    return [listed(entry) for entry in entries], entries


def of(client, names="abcd", **options):
    return Batch(client, list(names), Bucket("bck", client), **options)


# ---------------------------------------------------------------- names and counts


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "change",
    [
        lambda out: out[1].update(objname="c"),
        lambda out: out[1].update(bucket="other"),
        lambda out: out[1].update(archpath="member"),
        lambda out: out.__setitem__(slice(1, 3), [out[2], out[1]]),
    ],
    ids=["name", "bucket", "member", "order"],
)
def test_list_that_names_other_entries_is_an_error(format, change):
    def wrong(entries):
        out = [listed(entry) for entry in entries]
        change(out)
        return out, entries

    with scripted(serve(wrong)) as (_, client):
        results = of(client, streaming_get=False, output_format=format).get()
        assert next(results)[1] == CONTENT["a"]
        with pytest.raises(ErrBatchMismatch, match="bck/b"):
            list(results)


@pytest.mark.parametrize("joined", [False, True])
def test_members_are_listed_in_either_form(joined):
    def join(entries):
        out = [listed(entry) for entry in entries]
        for item in out if joined else ():
            item["objname"] = f"{item['objname']}/{item.pop('archpath')}"
        return out, entries

    with scripted(serve(join)) as (_, client):
        batch = of(client, "", streaming_get=False)
        for name in CONTENT:
            batch.add(name, archpath="x/y.txt")
        assert [data for _, data in batch.get()] == list(CONTENT.values())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("cont_on_err", [True, False])
def test_answer_that_ends_cleanly_and_short_names_what_is_missing(format, streaming, cont_on_err):
    def without_c(entries):
        there = [entry for entry in entries if entry["objname"] != "c"]
        cut = (
            there
            if there == entries
            else entries[: entries.index(next(e for e in entries if e not in there))]
        )
        return [listed(entry) for entry in cut], cut

    with scripted(serve(without_c)) as (_, client):
        results = of(client, streaming_get=streaming, cont_on_err=cont_on_err, output_format=format).get()
        assert [next(results)[1], next(results)[1]] == [CONTENT["a"], CONTENT["b"]]
        with pytest.raises(ErrBatchIncomplete) as caught:
            list(results)
    assert caught.value.missing == ["bck/c", "bck/d"]
    assert "bck/c" in str(caught.value)


def test_list_that_is_shorter_than_the_archive_names_what_is_missing():
    with scripted(serve(lambda entries: ([listed(entry) for entry in entries][:0], entries))) as (_, client):
        with pytest.raises(ErrBatchIncomplete) as caught:
            list(of(client, streaming_get=False).get())
    assert caught.value.missing == ["bck/a", "bck/b", "bck/c", "bck/d"]


# ---------------------------------------------------------------- raw


WAYS = {
    "at once": lambda raw: raw.read(),
    "in pieces": lambda raw: b"".join(raw.stream(100)),
    "by reads": lambda raw: b"".join(iter(lambda: raw.read(1000), b"")),
    "what is there": lambda raw: b"".join(iter(raw.read1, b"")),
    "into memory": lambda raw: io.BufferedReader(raw, 300).read(),
    "its data": lambda raw: raw.data,
}


@pytest.mark.parametrize("format", [*FORMATS, ".tar.lz4"])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("read", WAYS.values(), ids=WAYS)
def test_raw_answer_is_passed_on_as_it_came(format, streaming, read, monkeypatch):
    monkeypatch.setitem(CONTENT, "b", bytes(range(256)) * 2000)
    sent = []

    def note(request):
        answer = serve(whole)(request)
        sent.append(answer.body)
        return answer

    with (
        scripted(note) as (_, client),
        of(client, streaming_get=streaming, output_format=format).get(raw=True) as raw,
    ):
        assert raw.status == 200
        assert read(raw) == sent[0]
        assert raw.read() == b""
        assert raw.tell() == len(sent[0])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
def test_raw_answer_that_is_short_names_what_is_missing(format, streaming):
    def without_c(entries):
        return [listed(entry) for entry in entries[:2]], entries[:2]

    with (
        scripted(serve(without_c)) as (_, client),
        of(client, streaming_get=streaming, output_format=format).get(raw=True) as raw,
        pytest.raises(ErrBatchIncomplete) as caught,
    ):
        raw.read()
    assert caught.value.missing == ["bck/c", "bck/d"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "change",
    [lambda entries: entries[::-1], lambda entries: [*entries, {**entries[0], "objname": "d"}]],
    ids=["order", "number"],
)
def test_raw_answer_with_other_members_is_an_error(format, streaming, change):
    def others(entries):
        return [listed(entry) for entry in change(entries)], change(entries)

    with (
        scripted(serve(others)) as (_, client),
        of(client, "abc", streaming_get=streaming, output_format=format).get(raw=True) as raw,
        pytest.raises(ErrBatchMismatch),
    ):
        raw.read()


@pytest.mark.parametrize("format", FORMATS)
def test_raw_answer_that_is_no_archive_is_an_error(format):
    with (
        scripted(lambda request: Answer(b"no archive" * 100)) as (_, client),
        of(client, output_format=format).get(raw=True) as raw,
        pytest.raises(ErrBatchFormat),
    ):
        raw.read()


def test_raw_answer_that_is_given_up():
    with scripted(serve(whole)) as (_, client):
        raw = of(client).get(raw=True)
        assert raw.read(10)
        assert not raw.isclosed()
        raw.release_conn()
        assert raw.isclosed()
        raw = of(client).get(raw=True)
        raw.drain_conn()
        assert raw.isclosed()


# ---------------------------------------------------------------- the bucket of a batch


def test_request_goes_where_the_bucket_of_the_batch_says():
    with scripted(serve(whole)) as (server, client):
        batch = Batch(client, bucket=Bucket("train", client))
        assert batch.bucket.name == "train"
        batch.bucket = Bucket("val", client, provider="aws")
        batch.add("a").add("b")
        list(batch.get())
    assert server.requests[0].path == "/v1/ml/moss/val"
    assert server.requests[0].params == {"provider": "aws"}
    assert [(entry["bucket"], entry["provider"]) for entry in json.loads(server.requests[0].body)["in"]] == [
        ("val", "aws")
    ] * 2


def test_entries_keep_the_bucket_that_they_were_added_with():
    with scripted(serve(whole)) as (server, client):
        batch = Batch(client, ["a"], Bucket("train", client))
        batch.bucket = Bucket("val", client)
        batch.add("b")
        batch.bucket = None
        with pytest.raises(ValueError, match="no bucket"):
            batch.add("c")
        batch.add("c", bck="other", provider="ais")
        list(batch.get())
    assert server.requests[0].path == "/v1/ml/moss"
    assert server.requests[0].params == {}
    assert [entry["bucket"] for entry in json.loads(server.requests[0].body)["in"]] == [
        "train",
        "val",
        "other",
    ]


def test_bucket_may_be_set_after_the_batch_was_made():
    with scripted(serve(whole)) as (server, client):
        batch = Batch(client)
        with pytest.raises(ValueError, match="no bucket"):
            batch.add("a")
        batch.bucket = Bucket("val", client)
        assert [data for _, data in batch.add("a").get()] == [CONTENT["a"]]
    assert server.requests[0].path == "/v1/ml/moss/val"


def test_rest_of_an_answer_is_asked_for_where_the_request_went():
    with scripted(serve(lambda entries: ([], entries[:1]))) as (server, client):
        batch = of(client, "ab")
        results = batch.get()
        batch.bucket = Bucket("other", client)
        assert [data for _, data in results] == [CONTENT["a"], CONTENT["b"]]
    assert {request.path for request in server.requests} == {"/v1/ml/moss/bck"}
