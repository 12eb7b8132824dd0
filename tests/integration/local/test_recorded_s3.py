"""S3 requests recorded between boto3 and a real cluster, sent again as raw requests."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from wire import Answer, Wire, differences, recorded, target_of

# (verb, status) -> why ours differs.
KNOWN = {
    ("HEAD", 200): {
        "no header x-amz-meta-ais-cksum-type": "the checksum is not the user's metadata",
        "no header x-amz-meta-ais-cksum-val": "the checksum is not the user's metadata",
        "extra header ais-checksum-type": "in place of those",
        "extra header ais-checksum-value": "in place of those",
        "extra header content-type": "clients show it, and copy it",
        "content type 'application/octet-stream' instead of ''": "clients show it, and copy it",
    },
}
# What the cluster calls these errors -> the code that S3 clients know.
CODES = {"wrapError": "InvalidPart"}


def _cases() -> list[Any]:
    return [pytest.param(record, id=str(number)) for number, record in enumerate(recorded("s3"))]


def _codes(body: bytes) -> list[str]:
    return re.findall(r"<Code>(\w+)</Code>", body.decode())


class _Stage:
    """Makes the state that a recorded exchange found."""

    def __init__(self, wire: Wire, record: dict[str, Any]) -> None:
        self.wire = wire
        self.method: str = record["request"]["method"]
        self.request = record["request"]
        self.response = record["response"]
        _, _, self.bucket, self.key = (*self.request["path"].split("/", 3), "", "")[:4]
        self.query = dict(self.request["query"])
        self.replaced: dict[str, str] = {}
        self.body: bytes | None = None

    def set(self) -> None:
        text = json.dumps(self.response)
        if not self.bucket:
            return
        self.wire.destroy(self.bucket)
        if "NoSuchBucket" in text or (self.method == "PUT" and not self.key):
            return
        self.wire.create(self.bucket)
        if "uploadId" in self.query and self.response["status"] not in {404, 307}:
            self._upload()
        elif self.key and self.method in {"GET", "HEAD", "DELETE"} and self.response["status"] != 404:
            self.wire.ok("PUT", self._path(), b"x" * int(self.response["headers"].get("Content-Length", 1)))
        if self.method == "PUT" and self.key:
            self.body = b"data"

    def _path(self) -> str:
        return f"/s3/{self.bucket}/{self.key}"

    def _upload(self) -> None:
        answer = self.wire.ok("POST", f"{self._path()}?uploads").body.decode()
        upload = re.findall("<UploadId>(.*)</UploadId>", answer)[0]
        self.replaced["uploadId"] = upload
        if self.method == "PUT":
            return
        tag = self.wire.ok("PUT", f"{self._path()}?partNumber=1&uploadId={upload}", b"part").headers["etag"]
        parts = [(1, tag)] if self.response["status"] == 200 else [(1, tag), (2, tag)]
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{t}</ETag></Part>" for n, t in parts)
        if self.method == "POST":
            self.body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()

    def send(self) -> Answer:
        body = self.body
        if body is None and self.method == "POST" and "uploadId" in self.query:
            body = (self.request["body"].get("text") or "<CompleteMultipartUpload/>").encode()
        return self.wire(self.method, target_of(self.request, **self.replaced), body, follow=False)


@pytest.mark.parametrize("record", _cases())
def test_recorded(wire: Wire, record: dict[str, Any]) -> None:
    stage = _Stage(wire, record)
    stage.set()
    want = stage.response
    got = stage.send()
    if want["status"] == 307:
        # Answered at once: clients of S3 can't follow redirects.
        assert got.status != 307
        return
    found = differences(want["status"], want["headers"], want["body"], got)
    known = KNOWN.get((stage.method, want["status"]), {})
    assert [item for item in found if item not in known] == []
    wanted = [CODES.get(code, code) for code in _codes((want["body"] or {}).get("text", "").encode())]
    assert _codes(got.body) == wanted
