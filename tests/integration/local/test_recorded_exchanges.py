"""Exchanges recorded between the 2.0.0 package and a real cluster, sent again as raw requests."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wire import Answer, Wire, differences, is_of_rooms, recorded, shape, target_of

AREAS = ("object", "bucket", "list", "multipart", "cluster", "https")

# (area, verb, action or parameter) -> why ours differs.
KNOWN: dict[tuple[str, str, str], str] = {}


_CONNECTION = {"content-length", "connection", "transfer-encoding"}


def _action(request: dict[str, Any]) -> str:
    body = (request.get("body") or {}).get("json")
    action = body.get("action", "") if isinstance(body, dict) else ""
    query = dict(request["query"])
    return action or query.get("what", "") or ("archregx" if query.get("archmode") else "")


def _cases() -> list[Any]:
    found = []
    for area in AREAS:
        for number, record in enumerate(recorded(area)):
            request = record["request"]
            if dict(request["query"]).get("provider") == "aws" or "status" not in (
                record.get("response") or {}
            ):
                continue
            if area == "https" and is_of_rooms(request):
                continue
            if (area, request["method"], _action(request)) not in KNOWN:
                found.append(pytest.param(record, id=f"{area}-{number}"))
    return found


def _content(body: dict[str, Any] | None) -> bytes | None:
    """Bytes of the recorded length, the recorded ones where they are all there."""
    if not body or body.get("empty"):
        return None
    if "json" in body and isinstance(body["json"], dict) and "action" in body["json"]:
        return json.dumps(body["json"]).encode()
    if "text" in body and len(body["text"].encode()) == body.get("len"):
        return body["text"].encode()
    return b"x" * (body.get("len") or (body.get("bin") or {}).get("len") or 1)


def _archive(request: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("file1.txt", "file2.txt", "file2.cls", "file3.txt"):
            archive.addfile(tarfile.TarInfo(name), None)
    return buffer.getvalue()


def _listed_content(entry: dict[str, Any], entries: list[dict[str, Any]]) -> bytes:
    """Make the content of a listed object: of an archive that is listed with members, a tar of these."""
    content = b"x" * entry.get("s", 0)
    members = [other for other in entries if other.get("n", "").startswith(f"{entry['n']}/")]
    if not members:
        return content
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            info = tarfile.TarInfo(member["n"].removeprefix(f"{entry['n']}/"))
            info.size = member["s"]
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue().ljust(len(content), b"\0")


class _Stage:
    """Makes the state that a recorded exchange found, and what it refers to by ID."""

    def __init__(self, wire: Wire, record: dict[str, Any]) -> None:
        self.wire = wire
        self.request = record["request"]
        self.response = record["response"]
        self.replaced: dict[str, str] = {}
        parts = self.request["path"].split("/", 4)
        self.bucket = parts[3] if len(parts) > 3 and parts[2] in {"buckets", "objects"} else ""
        self.name = parts[4] if len(parts) > 4 else ""
        body = (self.request.get("body") or {}).get("json")
        self.message = body if isinstance(body, dict) else {}

    def set(self) -> None:
        text = json.dumps(self.response)
        if not self.bucket or "bucket name is invalid" in text:
            return
        self.wire.destroy(self.bucket)
        if self.message.get("action") in {"move-bck", "copy-bck"}:
            self.wire.destroy(dict(self.request["query"])["bck_to"].split("/")[2])
        if "ErrBckNotFound" in text and "object_to" not in dict(self.request["query"]):
            return
        if self.message.get("action") == "create-bck" and self.response["status"] == 200:
            return
        self.wire.create(self.bucket)
        if self.name and self.response["status"] != 404:
            self._object()
        self._references()

    def _object(self) -> None:
        method, query = self.request["method"], dict(self.request["query"])
        if query.get("archpath") or query.get("archmode"):
            self._put(_archive(self.request))
        elif method in {"GET", "HEAD", "DELETE", "PATCH"} or "object_to" in query:
            headers = {k.lower(): v for k, v in self.response["headers"].items()}
            total = headers.get("content-range", "").rpartition("/")[2]
            custom = headers.get("ais-custom-md")
            size = int(total or headers.get("content-length") or 1)
            extra = {"Ais-Custom-Md": custom if isinstance(custom, str) else custom[0]} if custom else {}
            self._put(b"x" * size, extra)
        if "object_to" in query and self.response["status"] == 200:
            self.wire.create(query["object_to"].split("/")[2])

    def _put(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.wire.ok("PUT", f"/v1/objects/{self.bucket}/{self.name}", data, headers)

    def _references(self) -> None:
        query = dict(self.request["query"])
        path = self.request["path"]
        if "uploadId" in query and self.response["status"] != 404:
            upload = self.wire.ok("POST", path, {"action": "mpt-upload"}).body.decode()
            self.replaced["uploadId"] = upload
            if self.message.get("action") == "mpt-complete":
                numbers = {part["part-number"] for part in self.message["value"]}
                if self.response["status"] == 400:
                    numbers = {1} if len(self.message["value"]) > 1 else {1, 2}
                for number in numbers:
                    self.wire.ok("PUT", f"{path}?uploadId={upload}&partNumber={number}", b"part")
        if query.get("append_handle"):
            first = self.wire.ok("PUT", f"{path}?append_type=append&append_handle=", b"abc")
            self.replaced["append_handle"] = first.headers["ais-append-handle"]
        if "bsumm_remote" in query and query.get("uuid"):
            begun = self.wire.ok("HEAD", f"{path}?bsumm_remote=false")
            self.replaced["uuid"] = begun.headers["ais-xaction-id"]
        if self.message.get("action") == "summary-bck" and self.message["value"]["uuid"]:
            begun = self.wire.ok("GET", path, {"action": "summary-bck", "value": {}})
            self.message["value"]["uuid"] = begun.body.decode()
        if self.message.get("action") == "list" and self.response["status"] == 200:
            entries = self.response["body"]["msgpack"]["Entries"] or []
            for entry in entries:
                if "n" in entry and not entry["f"] & 128:
                    name = entry["n"] + ("x" if entry["n"].endswith("/") else "")
                    self.name = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
                    self._put(_listed_content(entry, entries))

    def send(self) -> Answer:
        headers = {k: v for k, v in self.request["headers"].items() if k.lower() not in _CONNECTION}
        if "ais-node-id" in {name.lower() for name in headers}:
            smap = json.loads(self.wire.ok("GET", "/v1/daemon?what=smap").body)
            headers["Ais-Node-Id"] = next(iter(smap["tmap"]))
        body = json.dumps(self.message).encode() if self.message else _content(self.request.get("body"))
        follow = self.response["status"] not in {301, 307}
        return self.wire(
            self.request["method"], target_of(self.request, **self.replaced), body, headers, follow=follow
        )


def _body_differences(want: dict[str, Any] | None, got: Answer) -> list[str]:
    if not want or got.status >= 400:
        return []
    if "msgpack" in want:
        mine, theirs = msgspec.msgpack.decode(got.body), want["msgpack"]
        want_keys = {frozenset(e) - {"s"} for e in theirs["Entries"] or [] if "n" in e}
        got_keys = {frozenset(e) - {"s"} for e in mine["Entries"] or []}
        if list(mine) != list(theirs) or got_keys - want_keys:
            return [f"listing has {list(mine)}, {got_keys} instead of {list(theirs)}, {want_keys}"]
    elif isinstance(want.get("json"), dict | list) and not isinstance(got.body[:1], int):
        mine, theirs = shape(json.loads(got.body)), shape(want["json"])
        if (
            isinstance(mine, dict)
            and isinstance(theirs, dict)
            and not set(theirs) - {"rebalance_snap"} <= set(mine)
        ):
            return [f"body has {sorted(mine)} instead of {sorted(theirs)}"]
    return []


@pytest.mark.parametrize("record", _cases())
def test_recorded_exchange(wire: Wire, record: dict[str, Any], promote_dir: Path) -> None:
    if (record["request"].get("body") or {}).get("json", {}).get("action") == "promote":
        (promote_dir / "promote_folder").mkdir(exist_ok=True)
        folder = json.dumps(str(promote_dir / "promote_folder"))
        message = json.dumps(record["request"]["body"]["json"])
        record["request"]["body"]["json"] = json.loads(
            re.sub(r'"/var/lib/ais/promote/[^"]*"', folder, message)
        )
    stage = _Stage(wire, record)
    stage.set()
    answer = stage.send()
    want = record["response"]
    found = differences(want["status"], want["headers"], want.get("body"), answer)
    assert not found + _body_differences(want.get("body"), answer), (answer, stage.request)
