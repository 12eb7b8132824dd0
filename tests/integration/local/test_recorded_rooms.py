"""Recorded exchanges of jobs, Get-Batch and ETLs, sent again: the same answer, or a known difference."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from typing import Any

import pytest
from wire import Answer, Wire, differences, is_of_rooms, recorded, shape, target_of
from wire_jobs import COMMAND, ended

# ---- errors

ERROR_CASES = (
    "get-batch",
    "job ",
    "start ",
    "stop ",
    "copy-listrange",
    "delete-listrange",
    "evict-listrange",
)
ERROR_CASES += (
    "prefetch",
    "blob download",
    "archive",
    "rename to",
    "rename missing bck_to",
    "copy to itself",
)

# Case -> why ours differs. A case that no longer differs must leave the list.
KNOWN_ERRORS = {
    "delete-listrange no value": "nothing selected is refused; the cluster deletes the whole bucket",
    "archive empty list": "nothing selected is refused",
    "job snaps unknown kind": "an unknown kind is refused; the cluster returns every job",
    "job snaps unknown id": "reported by the proxy itself, with the URL that was asked for",
    "start unknown kind": "reported by the proxy itself, with the URL that was asked for",
    "stop unknown id": "reported by the proxy itself, with the URL that was asked for",
    "stop nothing": "reported by the proxy itself, with the URL that was asked for",
    "get-batch missing object": "a strict request fails wherever the object would be: 404",
    "get-batch missing archpath": "a strict request fails wherever the object would be: 404",
    "get-batch not streaming missing object": "a strict request fails wherever the object would be: 404",
    "get-batch unknown mime": "found out before a target is asked, so the method and URL are the client's",
}


def _error_cases() -> list[Any]:
    return [
        pytest.param(record, id=record["case"].replace(" ", "-"))
        for record in recorded("errors")
        if record["via"] == "raw" and record["case"].startswith(ERROR_CASES)
    ]


def tar_of(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 200
            archive.addfile(info, io.BytesIO(b"x" * 200))
    return out.getvalue()


@pytest.mark.parametrize("record", _error_cases())
def test_recorded_error(wire: Wire, record: dict[str, Any]) -> None:
    wire.create("errbck")
    wire.create("errbck2")
    wire.ok("PUT", "/v1/objects/errbck/o1", b"0123456789")
    wire.ok("PUT", "/v1/objects/errbck/a.tar", tar_of("a.txt"))
    request = record["request"]
    body = request["body"]
    if isinstance(body, dict) and "in" in body:
        body = {**body, "in": [entry for entry in body["in"] if "$more" not in entry]}
    raw = body.encode() if isinstance(body, str) else body
    answer = wire(request["method"], request["path"], raw, request["headers"])
    found = differences(record["status"], record["resp_headers"], record["body"], answer, all_headers=False)
    case = record["case"]
    if case in KNOWN_ERRORS:
        assert found, f"{case!r} no longer differs: take it off the list"
    else:
        assert not found, (found, answer)


# ---- exchanges


def _exchanges() -> list[Any]:
    found = []
    for area in ("job", "multiobj", "batch", "https"):
        for number, record in enumerate(recorded(area)):
            if area == "https" and not is_of_rooms(record["request"]):
                continue
            text = json.dumps(record["request"])
            if '"aws"' not in text and "status" in record.get("response", {}):
                found.append(pytest.param(record, id=f"{area}-{number}"))
    return found


def _stage(wire: Wire, request: dict[str, Any], status: int) -> Any:
    """Make the buckets and objects that a request is about; returns its body."""
    message = json.loads(json.dumps(request["body"]["json"]))
    value = message.get("value") or {}
    bucket = request["path"].split("/")[3] if request["path"].startswith("/v1/buckets/") else ""
    if bucket:
        wire.create(bucket)
        for name in value.get("objnames", ()):
            if isinstance(name, str):
                wire.ok("PUT", f"/v1/objects/{bucket}/{name}", b"x")
        value["objnames"] = [name for name in value.get("objnames", ()) if isinstance(name, str)]
        if value.get("tobck"):
            wire.create(value["tobck"]["name"])
    message["in"] = [entry for entry in message.get("in", ()) if "$more" not in entry]
    for entry in message["in"] if status == 200 else ():
        wire.create(entry["bucket"])
        if entry["objname"].startswith("non-existent"):
            continue
        path = f"/v1/objects/{entry['bucket']}/{entry['objname']}"
        if wire("HEAD", path).status == 404:
            members = [e["archpath"] for e in message["in"] if e.get("archpath")]
            wire.ok("PUT", path, tar_of(*members) if "archpath" in entry else b"x" * 200)
    if not message["in"]:
        del message["in"]
    if message.get("ID"):
        message["ID"] = _finished_job(wire)
    return message


def _finished_job(wire: Wire) -> str:
    wire.create("staged")
    answer = wire.ok(
        "POST", "/v1/buckets/staged?bck_to=ais%2F%40%23%2Fstaged-to%2F", {"action": "copy-bck", "value": {}}
    )
    return ended(wire, answer.body.decode())["uuid"]


@pytest.mark.parametrize("record", _exchanges())
def test_recorded_exchange(wire: Wire, record: dict[str, Any]) -> None:
    request, response = record["request"], record["response"]
    message = _stage(wire, request, response["status"])
    if message.get("Kind") and dict(request["query"]).get("what") == "status":
        message["Kind"] = "copy-bck"
    answer = wire(request["method"], target_of(request), message, {"Content-Type": "application/json"})
    want = {name: value for name, value in response["headers"].items() if name.lower() != "content-type"}
    found = differences(response["status"], want, response["body"], answer)
    found = [line for line in found if not line.startswith(("content type", "extra header content-type"))]
    assert not found, (found, answer)
    content_type = response["headers"].get("Content-Type", "").partition(";")[0]
    assert answer.headers.get("content-type", "").partition(";")[0] == content_type
    body = response["body"]
    if body.get("json") and answer.body.strip() not in {b"null", b"[]", b"{}"}:
        _same_shape(body["json"], json.loads(answer.body))
    if "b64" in body.get("bin", {}):
        assert _members(base64.b64decode(body["bin"]["b64"])) == _members(answer.body)


def _same_shape(want: Any, got: Any) -> None:
    if isinstance(want, dict) and all(isinstance(value, list) for value in want.values()):
        want, got = next(iter(want.values())), next(iter(got.values()))
    want_text = re.sub(r'"\{\{[a-z_]+:[^"]*\}\}"', '"x"', json.dumps(shape(want)))
    assert json.loads(want_text.replace('"number"', '"str"')) == json.loads(
        json.dumps(shape(got)).replace('"number"', '"str"')
    )


def _members(data: bytes) -> list[str]:
    """Names of the members of an answer's tar, whichever form it has."""
    if data.startswith(b"--"):
        boundary = data.partition(b"\r\n")[0]
        data = data.split(boundary)[2].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return archive.getnames()
    except tarfile.ReadError:
        return []


# ---- ETLs: one recorded session, in its order

KNOWN_ETL = {
    "api/init image pull failure, init_timeout=6s": "a failed start leaves no name behind: no 409",
    "api/list after failed inits": "a failed start leaves no name behind",
    "api/delete aborted": "a failed start leaves no name behind",
    "api/init server crashes at start": "reported by the proxy itself, with the URL that was asked for",
}


class _Session:
    """What was recorded under one name is ours under another: jobs and targets."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        smap = json.loads(wire.ok("GET", "/v1/daemon?what=smap").body)
        self.names = {f"TARGETID{n}": node for n, node in enumerate(sorted(smap["tmap"]), 1)}

    def translate(self, text: str) -> str:
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        return text

    def send(self, row: dict[str, Any]) -> Answer:
        query = re.sub(r"&?(pid|utm)=\w+", "", self.translate(row["query"] or ""))
        path = self.translate(row["path"])
        body = self.translate((row.get("body") or {}).get("text") or "")
        if row["method"] == "PUT" and path == "/v1/etl":
            body = self._runnable(row["label"], json.loads(body))
        answer = self.wire(row["method"], f"{path}?{query}" if query else path, body.encode() or None)
        theirs = (row["response"].get("body") or {}).get("text") or ""
        if answer.status == 200 and re.fullmatch(r"[\w-]{9,14}", theirs):
            ours = answer.body.decode()
            self.names[theirs] = ours
            if row["path"].startswith("/v1/buckets/"):
                ended(self.wire, ours)
        return answer

    @staticmethod
    def _runnable(label: str, message: dict[str, Any]) -> str:
        """The message with a command in place of a class or an image, which can't be run here."""
        if "crashes" in label:
            message["runtime"] = {"image": "any", "command": [COMMAND[0], "-c", "raise SystemExit('boom')"]}
        elif message.get("spec"):
            message = {"name": message["name"], "runtime": {"image": "any", "command": COMMAND}}
        elif message.get("runtime", {}).get("env") or message.get("runtime", {}).get("command"):
            message["runtime"] = {"image": "any", "command": COMMAND}
        return json.dumps(message)


def test_recorded_etl_session(wire: Wire) -> None:
    session = _Session(wire)
    wire.create("gold-src")
    wire.create("gold-extra")
    for n in range(10):
        wire.ok("PUT", f"/v1/objects/gold-src/dir/obj-{n}.txt", b"bad" if n in {3, 5} else b"object %d" % n)
    problems = []
    compared = 0
    for row in recorded("etl-client-api"):
        response = row["response"]
        if response["status"] in {301, 307} or "pod death" in row["label"]:
            continue
        if '"action": "list"' in ((row.get("body") or {}).get("text") or ""):
            continue
        answer = session.send(row)
        if row["label"] in KNOWN_ETL:
            continue
        compared += 1
        text = (response.get("body") or {}).get("text") or ""
        error = {"json": json.loads(session.translate(text))} if response["status"] >= 400 and text else None
        found = differences(response["status"], dict(response["headers"]), error, answer)
        if "etl_name" in (row["query"] or "") and answer.status == 200:
            # Ours is what the ETL's server says; the cluster's target guesses one.
            found = [line for line in found if not line.startswith("content type")]
        if not found and response["status"] == 200 and text.startswith(("[", "{")):
            found += (
                [] if _listed(text) == _listed(answer.body.decode()) else [f"shape of {answer.body[:300]!r}"]
            )
        problems += [f"{row['label']}: {row['method']} {row['path']}: {line}" for line in found]
    assert compared > 60
    assert not problems, "\n".join(problems)


def _listed(text: str) -> Any:
    """The keys of a list's elements or of an object; of snapshots those of one."""
    value = json.loads(text)
    if isinstance(value, list):
        return sorted(value[0]) if value else []
    if all(isinstance(item, list) for item in value.values()):
        return sorted(next(iter(value.values()))[0])
    return sorted(key for key in value if key != "obj_errors")
