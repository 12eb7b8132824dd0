"""Get-Batch requests are those recorded with 2.0.0, and recorded answers of a real cluster are understood."""

import json

import pytest
from recordings import body_bytes
from replay import batch
from scripted import Answer, Request, scripted

from aistore.sdk.errors import AISError


@pytest.mark.parametrize("record", batch.chosen(), ids=lambda record: record["where"])
def test_request_and_answer_are_the_recorded_ones(record):
    wanted, answer = record["request"], record["response"]
    body = body_bytes(answer["body"]) if "unread" not in answer["body"] else None

    def script(request: Request) -> Answer:
        if "utm" not in request.params:
            query = "&".join(f"{key}={value}" for key, value in [*request.query, ("pid", "P"), ("utm", "1")])
            return Answer(status=307, headers={"Location": f"{server.endpoint}{request.path}?{query}"})
        headers = {key: value for key, value in answer["headers"].items() if key == "Content-Type"}
        return Answer(body or b"", answer["status"], headers, chunked=True)

    with scripted(script, tls=record["src"] == "https") as (server, client):
        made = batch.batch_of(client, record)
        asked = made.requests_list
        if answer["status"] >= 400:
            with pytest.raises(AISError):
                made.get()
        elif body is None:
            made.get(raw=True).close()
        else:
            _check_results(record, asked, list(made.get()))
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
