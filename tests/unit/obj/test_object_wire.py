"""What objects send is what the 2.0.0 package sent to a real cluster."""

import json
from itertools import takewhile
from urllib.parse import unquote

import pytest
from recordings import body_bytes, unmarked
from replay import objects
from scripted import Answer, Request, scripted

from aistore.sdk.errors import AISError


def _query_of_the_call(wanted: dict) -> list[tuple[str, str]]:
    """Leave out what the redirect added: after it the 2.0.0 package sent its own parameters once more."""
    own = takewhile(lambda pair: pair[0] != "pid", wanted["query"])
    return [(key, unmarked(value)) for key, value in own]


@pytest.mark.parametrize("record", objects.chosen(), ids=lambda record: f"{record['where']}-{record['api']}")
def test_request_is_the_recorded_one(record, tmp_path):
    wanted = record["request"]
    answer = record.get("response") or {}
    body = body_bytes(answer.get("body"))
    recorded = answer.get("headers", {})
    # Of a long body only the length was kept; other bytes of that length stand in for it.
    if body is None or len(body) != int(recorded.get("Content-Length", len(body))):
        body = bytes(int(recorded.get("Content-Length", 0)))
    content = objects.content_of(wanted["body"])

    def script(request: Request) -> Answer:
        if "utm" not in request.params:  # the proxy
            location = f"{server.endpoint}{request.target}{'&' if request.query else '?'}pid=P&utm=1"
            return Answer(status=301 if request.method == "GET" else 307, headers={"Location": location})
        headers = {
            name: unmarked(value)
            for name, value in answer["headers"].items()
            if name not in ("Content-Length", "Transfer-Encoding", "Connection")
            # Bodies are cut in the recordings: their checksums are not those of what is sent here.
            and not name.startswith("Ais-Checksum")
        }
        if request.method == "HEAD" and "Content-Length" in answer["headers"]:
            headers["Content-Length"] = answer["headers"]["Content-Length"]
        status = answer["status"]
        if 300 <= status < 400:  # only the redirect was recorded: this stands in for what the target sends
            status, headers["Ais-Append-Handle"] = 200, "handle"
        return Answer(body, status, headers)

    with scripted(script, tls=record["src"] == "https") as (server, client):
        if answer["status"] >= 400:
            with pytest.raises(AISError):
                objects.play(record, client, tmp_path)
        else:
            objects.play(record, client, tmp_path)
        sent = next(request for request in server.requests if "utm" in request.params)
    assert sent.method == wanted["method"]
    assert unquote(sent.path) == unquote(wanted["path"])
    assert [pair for pair in sent.query if pair[0] not in ("pid", "utm")] == _query_of_the_call(wanted)
    if wanted["body"] and "json" in wanted["body"]:
        assert json.loads(sent.body) == json.loads(unmarked(json.dumps(wanted["body"]["json"])))
    else:
        assert sent.body == content
    for name in ("Range", "Ais-Blob-Chunk", "Ais-Blob-Download", "Ais-Blob-Workers"):
        assert sent.headers.get(name.lower()) == wanted["headers"].get(name)
