"""Get-Batch requests are those recorded with 2.0.0, and recorded answers of a real cluster are understood."""

import json

import pytest
from recordings import body_bytes, records
from scripted import Answer, Request, scripted

from aistore.sdk.batch.batch import Batch
from aistore.sdk.errors import AISError
from aistore.sdk.provider import Provider

RECORDS = [pytest.param(record, id=str(record["n"])) for record in records("batch")]


class _Bucket:
    namespace = None

    def __init__(self, name: str, provider: str) -> None:
        self.name, self.provider = name, Provider(provider)


def _batch(client, record: dict) -> Batch:
    import base64

    request = record["request"]
    asked = request["body"]["json"]
    path = request["path"].removeprefix("/v1/ml/moss").strip("/")
    provider = dict(request["query"]).get("provider")
    batch = Batch(
        client,
        bucket=_Bucket(path, provider) if path else None,
        output_format=asked["mime"],
        cont_on_err=asked["coer"],
        only_obj_name=asked["onob"],
        streaming_get=asked["strm"],
    )
    for entry in asked["in"]:
        place = {} if path == entry["bucket"] else {"bck": entry["bucket"], "provider": entry["provider"]}
        opaque = base64.b64decode(entry["opaque"]) if "opaque" in entry else None
        rest = {key: entry[key] for key in ("archpath", "start", "length") if key in entry}
        batch.add(entry["objname"], opaque=opaque, **place, **rest)
    return batch


@pytest.mark.parametrize("record", RECORDS)
def test_request_and_answer_are_the_recorded_ones(record):
    wanted, answer = record["request"], record["response"]
    if any("$more" in str(entry) for entry in wanted["body"]["json"]["in"]):
        pytest.skip("the recording has only some of the entries")
    body = body_bytes(answer["body"]) if "unread" not in answer["body"] else None

    def script(request: Request) -> Answer:
        if "utm" not in request.params:
            query = "&".join(f"{key}={value}" for key, value in [*request.query, ("pid", "P"), ("utm", "1")])
            return Answer(status=307, headers={"Location": f"{server.endpoint}{request.path}?{query}"})
        headers = {key: value for key, value in answer["headers"].items() if key == "Content-Type"}
        return Answer(body or b"", answer["status"], headers, chunked=True)

    with scripted(script) as (server, client):
        batch = _batch(client, record)
        asked = batch.requests_list
        if answer["status"] >= 400:
            with pytest.raises(AISError):
                batch.get()
        elif body is None:
            batch.get(raw=True).close()
        else:
            _check_results(record, asked, list(batch.get()))
        sent = server.requests[-1]
    assert (sent.method, sent.headers["content-type"]) == (wanted["method"], "application/json")
    assert server.requests[0].path == wanted["path"]
    assert [list(pair) for pair in server.requests[0].query] == wanted["query"]
    assert json.loads(sent.body) == wanted["body"]["json"]


def _check_results(record, asked, results):
    assert len(results) == len(asked)
    for entry, (info, data) in zip(asked, results, strict=True):
        assert entry.obj_name in info.obj_name  # the cluster's list may have the member's path behind it
        assert info.opaque == entry.opaque_bytes()
        assert info.size == len(data)
        if entry.length and entry.length > 0:
            assert info.size == entry.length
        if entry.obj_name.startswith("non-existent"):
            assert info.err_msg
        elif "continue_on_error" not in record["test"]:
            assert info.err_msg is None
