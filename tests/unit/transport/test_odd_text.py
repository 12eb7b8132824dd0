"""Text that is not UTF-8 is sent as the bytes that it stands for, or refused before anything is sent."""

import pytest
from scripted import Answer, scripted

from aistore.sdk.errors import InvalidArgument

BYTES, NOTHING = "a\udcff", "a\ud800"  # a surrogate for a byte, and one that stands for none


def requests_with(text):
    yield {"path": f"objects/b/{text}"}
    yield {"path": "x", "params": {"archpath": text}}
    yield {"path": "x", "params": {text: ["1", 2]}}
    yield {"path": "x", "headers": {"A": text}}
    yield {"path": "x", "json": {"name": text}}
    yield {"path": "x", "data": text}


def test_bytes_are_sent():
    with scripted(lambda _: Answer(b"")) as (server, client):
        for kwargs in requests_with(BYTES):
            client.request("put", **kwargs)
    sent = [f"{r.target} {r.headers.get('a', '')}".encode("latin-1") + r.body for r in server.requests]
    assert all(b"a%FF" in one or b"a\xff" in one for one in sent)


def test_what_stands_for_nothing_is_refused():
    with scripted(lambda _: Answer(b"")) as (server, client):
        for kwargs in requests_with(NOTHING):
            with pytest.raises(InvalidArgument, match="cannot be encoded as UTF-8"):
                client.request("put", **kwargs)
    assert server.requests == []
