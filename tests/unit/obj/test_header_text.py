"""Text in headers is UTF-8, and a repeated header is read line by line."""

import pickle

import pytest
import requests
from requests.structures import CaseInsensitiveDict
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError
from aistore.sdk.obj.object_attributes import ObjectAttributes

PAIRS = {
    "boxes": "[1, 2, 3]",
    "day": "Mon, 30 Nov 2026",
    "note": "a, owner=eve",
    "speaker": "J\u00f6rg \u4e2d",
    "formula": "a=b",
    "empty": "",
}


@pytest.fixture
def bucket():
    lines = "".join(f"Ais-Custom-Md: {key}={value}\r\n" for key, value in PAIRS.items())
    first, rest = lines.encode().decode("latin-1").split(": ", 1)
    name = "d\u00e4".encode().decode("latin-1")
    headers = {first: rest.removesuffix("\r\n"), "Content-Length": "0", "Ais-Name": name}
    with scripted(lambda _: Answer(b"", 200, headers)) as (_, client):
        yield Bucket("b", client)


def test_custom_metadata(bucket):
    o = bucket.object("o")
    assert o.head().custom_metadata == PAIRS
    assert o.head("custom").custom_metadata == PAIRS
    assert o.get_reader().attributes.custom_metadata == PAIRS
    assert o.head().name == "d\u00e4"
    props = o.head()
    assert "Ais-Name" in dict(props)  # which fetches the other headers
    assert props.custom_metadata == PAIRS
    assert pickle.loads(pickle.dumps(props)).custom_metadata == PAIRS


def test_metadata_of_a_mapping_that_is_not_ours():
    attributes = ObjectAttributes(CaseInsensitiveDict({"ais-custom-md": "a=1, b=2,c"}))
    assert attributes.custom_metadata == {"a": "1", "b": "2"}


def test_headers_that_a_program_changes(bucket):
    headers = bucket.object("o").head("custom")._response_headers
    headers["Ais-Custom-Md"] = "a=1, b"
    assert headers.lines("ais-custom-md") == ["a=1, b"]
    assert type(headers.copy()) is CaseInsensitiveDict
    response = bucket._client.request("get", "daemon")
    assert type(pickle.loads(pickle.dumps(response))) is requests.Response


def test_the_message_of_a_head_error():
    text = '{"message":"b\u00fccher \u4e2d is gone","tcode":"ErrX"}'
    headers = {"Hdr-Error": text.encode().decode("latin-1"), "Content-Length": "0"}
    with scripted(lambda _: Answer(b"", 410, headers)) as (_, client):
        with pytest.raises(AISError, match="b\u00fccher \u4e2d is gone") as info:
            Bucket("b", client).object("o").head()
    assert info.value.tcode == "ErrX"
