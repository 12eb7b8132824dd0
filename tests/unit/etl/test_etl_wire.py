"""What is sent about ETLs is what the 2.0.0 package sent to a real cluster; the answers are understood."""

import json
from urllib.parse import parse_qsl, unquote

import msgspec
import pytest
from replay import etl
from replay.etl import text_of
from scripted import Answer, Request, scripted
from urllib3 import Retry

from aistore.sdk.errors import AISError

_HOST = "http://recorded"


@pytest.fixture(autouse=True)
def _without_check(monkeypatch):
    """Skip loading the class in a process of its own, which is tested elsewhere."""
    monkeypatch.setenv("AIS_ETL_CHECK", "false")


def _answer(row: dict, endpoint: str) -> Answer:
    recorded = row["response"]
    headers = {
        name: value
        for name, value in recorded["headers"]
        if name in ("Content-Type", "Location") or name.startswith("Ais-")
    }
    if "Location" in headers:
        _, _, rest = headers["Location"].removeprefix("http://").partition("/")
        headers["Location"] = f"{endpoint}/{rest}"
    body = text_of(recorded["body"]).encode()
    if headers.get("Content-Type") == "application/msgpack":  # the recording has only its length
        body = msgspec.msgpack.encode({"UUID": "a", "ContinuationToken": "", "Entries": [], "Flags": 0})
    return Answer(body, recorded["status"], headers)


def _message(text: bytes | str):
    """Give a message; the pickled class and the version of Python are not the recorded ones."""
    message = json.loads(text) if text else None
    if message and "ETL_CLASS_PAYLOAD" in str(message):
        runtime = message["runtime"]
        runtime["image"] = runtime["image"].partition(":")[0]
        runtime["env"] = sorted(
            (variable["name"], "" if variable["name"] == "ETL_CLASS_PAYLOAD" else variable["value"])
            for variable in runtime["env"]
        )
    return message


@pytest.mark.parametrize("chain", etl.chains(), ids=lambda chain: f"{chain[0]['where']}-{chain[0]['label']}")
def test_recorded_call(chain):
    left = list(chain)

    def script(request: Request) -> Answer:
        return _answer(left.pop(0), server.endpoint)

    last = chain[-1]
    with scripted(script) as (server, client):
        client.retry_config.http_retry = Retry(0)  # a 503 is to be seen
        if last["response"]["status"] >= 400:
            with pytest.raises(AISError) as caught:
                etl.play(chain[0], client)
            assert caught.value.status_code == last["response"]["status"]
        else:
            assert etl.is_understood(last, etl.play(chain[0], client))
    assert len(server.requests) == len(chain)
    for sent, row in zip(server.requests, chain, strict=True):
        assert sent.method == row["method"]
        assert unquote(sent.path) == unquote(row["path"])
        assert sent.query == parse_qsl(row["query"], keep_blank_values=True)
        assert _message(sent.body) == _message(text_of(row["body"]))
