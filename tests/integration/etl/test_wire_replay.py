"""The requests of a real cluster to its ETL servers, replayed against ours: same status, headers, body."""

import hashlib
import http.client
import json
from urllib.parse import unquote, unquote_plus, urlencode

import pytest
from etl_peers import OBJECT_PATH
from etl_recorded import CONTENTS, KINDS, rows, send
from recordings import WIRE

# Ours are better on purpose: an empty upload in chunks is not 501 on the threaded server.
BETTER = {"mt-hpush-body/inline-get empty object"}


def recorded_inline_requests():
    """Select what is inline HTTP between target or client and a server, one per label."""
    chosen = {}
    for row in rows():
        label = row["label"]
        server, _, rest = label.partition("-")
        kind = rest.partition("/")[0].partition("-")[2]
        inline = "/inline-get" in label and row["to"] == "etl" and "method" in row
        if server in KINDS and inline and kind in {"fqn", "body", "stream", "bstream", "fqn-nodp"}:
            chosen[label] = row
    return chosen


@pytest.mark.parametrize("label", sorted(recorded_inline_requests()))
def test_inline(label, recorded_server, target, mount_paths):
    row = recorded_inline_requests()[label]
    server = recorded_server(KINDS[label[:2]], "stream" in label)
    for name, content in CONTENTS.items():
        folder = "" if name == "empty" or name.startswith("sp ") else "dir/"
        target.objects[f"ais/@#/gold-src/{folder}{name}"] = content
    query = row["query"].replace("%252FMP%252F", urlencode({"": f"{mount_paths}/"})[1:].replace("%", "%25"))
    body = (row["body"].get("text") or "").encode()
    status, headers, data = send(server.netloc, row, query, body)
    expected = row["response"]
    if label in BETTER:
        assert (status, data) == (200, b"")
        return
    assert status == expected["status"]
    recorded = {name.lower(): value for name, value in expected["headers"]}
    for name in ("transfer-encoding", "ais-direct-put-length"):
        assert headers.get(name) == recorded.get(name), name
    if status == 500 and label.startswith("mt-hpush"):
        assert b"asked to fail" in data  # the 2.0.0 server hides the message here
        return
    assert headers.get("content-type") == recorded["content-type"]
    if "content-length" in recorded:
        assert headers.get("content-length") == recorded["content-length"]
    if "sha256" in expected["body"]:
        assert hashlib.sha256(data).hexdigest() == expected["body"]["sha256"], data[:200]


def test_direct_puts_are_addressed_as_recorded(recorded_server, target, mount_paths):
    """For each recorded PUT to a server with a destination, ours sends what the recorded server sent."""
    sent = {
        (row["label"], unquote(row["path"]).rpartition("/")[2], row["query"]): row
        for row in rows()
        if row["from"] == "etl" and row["to"] == "target" and row.get("method") == "PUT"
    }
    checked = 0
    for row in rows():
        pipeline = dict(row["headers"]).get("Ais-Node-Url", "") if "method" in row else ""
        if (
            row["to"] != "etl"
            or "offline bucket" not in row["label"]
            or not pipeline.startswith("http://target")
        ):
            continue
        url, _, query = pipeline.partition("?")
        put = sent.get((row["label"], unquote(url).rpartition("/")[2], query))
        name = unquote(row["path"]).rpartition("/")[2].replace("%.txt", "%25.txt")
        if put is None or name not in CONTENTS or row["label"][:2] not in KINDS or "direct" in row["label"]:
            continue
        target.seen.clear()
        server = recorded_server(KINDS[row["label"][:2]], "stream" in row["label"])
        connection = http.client.HTTPConnection(server.netloc, timeout=10)
        destination = pipeline.replace(url.split("/")[2], target.netloc)
        headers = {"Ais-Node-Url": destination}
        connection.request("PUT", row["path"], body=CONTENTS[name], headers=headers)
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (204, b"")
        assert reply.getheader("ais-direct-put-length") == (
            str(len(CONTENTS[name])) if CONTENTS[name] else None
        )
        connection.close()
        ours = target.seen[-1]
        assert ours.path.removeprefix(OBJECT_PATH) == put["path"].partition("/SECRET")[2]
        assert ours.query == put["query"]
        recorded = {key.lower() for key, _ in put["headers"]}
        assert {k.lower() for k in ours.headers if k.startswith(("Ais", "Content-L", "Transfer"))} <= recorded
        assert ours.body == CONTENTS[name].upper()
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("kind", KINDS.values())
def test_local_pipelines(kind, recorded_server):
    """The errors that the recorded local pipelines ended with."""
    with (WIRE / "etl-webserver-local.jsonl").open() as lines:
        recorded = [json.loads(line) for line in lines]
    checked = 0
    for row in recorded:
        request, expected = row["request"], row.get("response")
        if expected is None or expected["status"] != 400:
            continue
        connection = http.client.HTTPConnection(recorded_server(kind, False).netloc, timeout=10)
        pipeline = request["headers"]["Ais-Node-Url"]
        connection.request("PUT", request["path"], body=b"x", headers={"Ais-Node-Url": pipeline})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        assert reply.status == 400
        assert "Invalid pipeline header: Pipeline header contains empty entry" in unquote_plus(text)
        same_kind = {"fastapi": "uvicorn", "flask": "Werkzeug", "threaded": "BaseHTTP"}[kind]
        if {k.lower(): v for k, v in expected["headers"].items()}["server"].startswith(same_kind):
            body = expected["body"]
            assert text == body.get("text", json.dumps(body.get("json"), separators=(",", ":")))
        checked += 1
    assert checked >= 4
