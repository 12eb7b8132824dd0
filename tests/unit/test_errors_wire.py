"""Recorded failures: the same requests fail with the same errors, and every error answer is understood."""

import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from recordings import plain, unmarked
from replay import errors as replay
from scripted import Answer, Request, scripted
from urllib3 import Retry

from aistore.sdk import errors
from aistore.sdk.errors import AISError

_MESSAGE = re.compile(r"STATUS:\d+, MESSAGE:(.*), REQ_URL:", re.DOTALL)


def _case(record):
    return f"{record['where']}-{record['case']}"


def _message(body):
    return json.loads(body) if body and body[:1] in ("{", b"{") else None


@pytest.mark.parametrize("record", replay.failed_calls(), ids=_case)
def test_fails_as_recorded(record):
    left = list(record["wire"])
    text = _MESSAGE.match(record.get("message") or "")
    if record["case"] == "destroy missing bucket missing_ok":  # of no error the text was not kept
        text = ("", '{"tcode": "ErrBckNotFound", "status": 404}')

    def script(request: Request) -> Answer:
        hop = left.pop(0)
        if hop["status"] in (301, 307):
            url = urlsplit(left[0]["url"])
            return Answer(b"", hop["status"], {"Location": f"{server.endpoint}{url.path}?{url.query}"})
        if "mpt-upload" in (hop["body"] or ""):
            return Answer(b"QA4NzvqhF")
        return Answer(text[1].encode() if text else b"", hop["status"])

    with scripted(script) as (server, client):
        client.retry_config.http_retry = Retry(0)  # the recording has no retries
        client.validate_checksum = False  # nor requests for the type of a bucket's checksums
        if record.get("exception"):
            with pytest.raises(getattr(errors, record["exception"].rpartition(".")[2])) as caught:
                replay.SENT[record["case"]](client)
            assert caught.value.status_code == record["status"]
            assert text[1].strip() in str(caught.value)
        else:
            replay.SENT[record["case"]](client)
    assert len(server.requests) == len(record["wire"])
    for sent, wanted in zip(server.requests, record["wire"], strict=True):
        url = urlsplit(wanted["url"])
        assert sent.method == wanted["method"]
        assert unquote(sent.path) == unquote(url.path)
        assert sent.query == parse_qsl(url.query, keep_blank_values=True)
        if not (wanted["status"] == 307 and wanted["method"] == "PUT"):  # a body goes to the target only
            assert _message(sent.body) == _message(wanted["body"])


@pytest.mark.parametrize("record", replay.refused_calls(), ids=_case)
def test_is_refused_before_a_request(record):
    name = record.get("exception") or "aistore.sdk.errors.InvalidArgument"
    module, _, kind = name.rpartition(".")
    wanted = ValueError if module == "builtins" else getattr(errors, kind)
    if record["wire"]:  # the 2.0.0 package left it to the cluster, or did not notice
        wanted = errors.InvalidArgument
    with scripted(lambda _request: Answer()) as (server, client):
        with pytest.raises(wanted):
            replay.REFUSED[record["case"]](client)
        assert not server.requests


@pytest.mark.parametrize("record", replay.answers(), ids=_case)
def test_error_answer_is_understood(record):
    body, headers = record["body"] or {}, record["resp_headers"]
    said = json.dumps(plain(body["json"])) if "json" in body else unmarked(body.get("text", ""))
    answer = Answer(said.encode(), record["status"])
    if isinstance(headers.get("Hdr-Error"), dict):
        said = json.dumps(plain(headers["Hdr-Error"]["json"]))
        answer.headers["Hdr-Error"] = said
    with scripted(lambda _request: answer) as (_, client):
        client.retry_config.http_retry = Retry(0)
        with pytest.raises(AISError) as caught:
            client.request("head" if record["request"]["method"] == "HEAD" else "delete", path="any")
    assert caught.value.status_code == record["status"]
    assert said.strip() in str(caught.value)
