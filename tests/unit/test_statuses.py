"""Statuses below 400 that are no success of the request are errors; every recorded success passes."""

import json
from pathlib import Path

import pytest
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import ErrInvalidResponse, UnexpectedHTTPStatusCode
from aistore.wire.statuses import success_statuses

RECORDED = Path(__file__).resolve().parents[1] / "data" / "wire" / "success_statuses.json"


def test_every_recorded_success_passes():
    for case in json.loads(RECORDED.read_text()):
        status = case.pop("status")
        assert status in success_statuses(**case), case


OPERATIONS = {
    "read_all": lambda b: b.object("o").get_reader().read_all(),
    "read a range": lambda b: b.object("o").get_reader(byte_range="bytes=0-1").read_all(),
    "iterate": lambda b: list(b.object("o").get_reader()),
    "raw": lambda b: b.object("o").get_reader().raw().read(),
    "put": lambda b: b.object("o").get_writer().put_content(b"x"),
    "append": lambda b: b.object("o").get_writer().append_content(b"x"),
    "head": lambda b: b.object("o").head(),
    "delete": lambda b: b.object("o").delete(),
    "list": lambda b: list(b.list_all_objects()),
    "create": lambda b: b.create(),
    "copy": lambda b: b.object("o").copy(b.object("p")),
    "custom": lambda b: b.object("o").get_writer().set_custom_props({"a": "b"}),
}


READS = {"read_all", "read a range", "iterate", "raw"}


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226, 300, 304, 399])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_other_status_counts(operation, status):
    if status == 206 and operation in READS:  # by the rule for ranges
        return
    with scripted(lambda _: Answer(b"", status)) as (_, client):
        with pytest.raises(UnexpectedHTTPStatusCode, match=f"but received: {status}"):
            OPERATIONS[operation](Bucket("b", client))


def test_a_copy_through_an_etl_has_no_content():
    from aistore.sdk.etl import ETLConfig

    with scripted(lambda _: Answer(b"", 204)) as (_, client):
        bucket = Bucket("b", client)
        bucket.object("o").copy(bucket.object("p"), etl=ETLConfig("e"))


def test_a_redirect_that_is_not_followed_is_given_back():
    with scripted(lambda _: Answer(b"", 307, {"Location": "http://h/x"})) as (_, client):
        assert client.request("get", "objects/b/o", allow_redirects=False).status_code == 307


@pytest.mark.parametrize(
    "read", [lambda o: o.head(), lambda o: o.get_reader().attributes, lambda o: o.props.size]
)
def test_a_head_without_a_length_is_no_size(read):
    headers = {"Transfer-Encoding": "chunked", "Ais-Present": "true"}
    with scripted(lambda _: Answer(iter(()), 200, headers)) as (_, client):
        with pytest.raises(ErrInvalidResponse, match="no Content-Length: expected the size"):
            read(Bucket("b", client).object("o"))


def test_an_append_without_a_handle_is_none():
    with scripted(lambda _: Answer(b"", 200)) as (_, client):
        writer = Bucket("b", client).object("o").get_writer()
        with pytest.raises(ErrInvalidResponse, match="no Ais-Append-Handle: expected the handle"):
            writer.append_content(b"x")
        with pytest.raises(ErrInvalidResponse, match="no Ais-Append-Handle"), writer.as_file("a") as file:
            file.write(b"x")
        assert writer.append_content(b"", handle="h", flush=True) == ""


def test_a_multipart_upload_without_an_id_is_none():
    with scripted(lambda _: Answer(b"", 200)) as (_, client):
        upload = Bucket("b", client).object("o").multipart_upload()
        with pytest.raises(ErrInvalidResponse, match="empty body: expected the ID of the upload"):
            upload.create()
        assert not upload.upload_id
