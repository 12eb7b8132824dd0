"""Multipart uploads in any order, native and S3, against a model of them in memory."""

from __future__ import annotations

import hashlib
import random
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from wire import Answer, Wire

BUCKET = "model"
NAMES = ("o", "d/p")
STEPS = 60


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Upload(NamedTuple):
    """An upload as the model knows it: its parts by number."""

    id: str
    name: str
    parts: dict[int, bytes]


class Model:
    """Objects and uploads, and requests whose responses are compared with what these say."""

    def __init__(self, wire: Wire, seed: int) -> None:
        self.wire = wire
        self.random = random.Random(seed)
        self.objects: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.over: list[Upload] = []

    # ---- requests

    def native(self, method: str, name: str, body: object = None, query: str = "") -> Answer:
        return self.wire(method, f"/v1/objects/{BUCKET}/{name}{query}", body)

    def s3(self, method: str, name: str, body: bytes | None = None, query: str = "") -> Answer:
        return self.wire(method, f"/s3/{BUCKET}/{name}{query}", body)

    # ---- what a client may do

    def begin(self) -> None:
        name = self.random.choice(NAMES)
        if self.random.random() < 0.5:
            upload = self.native("POST", name, {"action": "mpt-upload"}).body.decode()
        else:
            created = ET.fromstring(self.s3("POST", name, query="?uploads").body)
            upload = next(item.text or "" for item in created if item.tag.endswith("UploadId"))
        self.uploads[upload] = Upload(upload, name, {})

    def any_upload(self) -> tuple[Upload, bool]:
        """An upload, and whether it is under way."""
        if self.over and (not self.uploads or self.random.random() < 0.2):
            return self.random.choice(self.over), False
        if not self.uploads:
            self.begin()
        return self.random.choice(list(self.uploads.values())), True

    def part(self) -> None:
        upload, is_open = self.any_upload()
        number = self.random.randrange(1, 4)
        data = self.random.choice([b"a", b"bb" * 40_000, self.random.randbytes(100)])
        query = f"?uploadId={upload.id}&partNumber={number}"
        if self.random.random() < 0.5:
            answer = self.native("PUT", upload.name, data, query)
        else:
            answer = self.s3("PUT", upload.name, data, query)
            assert answer.status != 200 or answer.headers["etag"] == f'"{md5(data)}"'
        assert answer.status == (200 if is_open else 404), answer
        if is_open:
            upload.parts[number] = data

    def complete_native(self) -> None:
        upload, is_open = self.any_upload()
        numbers = sorted(upload.parts)
        tags = {n: self.random.choice(["", md5(data)]) for n, data in upload.parts.items()}
        is_wrong = bool(numbers) and self.random.random() < 0.2
        if is_wrong:
            tags[self.random.choice(numbers)] = md5(b"sent before")
        value = [{"part-number": n, "etag": tags[n]} for n in numbers]
        message = {"action": "mpt-complete", "value": value}
        answer = self.native("POST", upload.name, message, f"?uploadId={upload.id}")
        if not is_open:
            assert answer.status == 404, answer
        elif not numbers or numbers != list(range(1, len(numbers) + 1)):
            assert answer.status == 400, answer
        elif is_wrong:
            assert answer.status == 404, answer
        else:
            assert answer.status == 200, answer
            self.completed(upload, numbers, "")

    def complete_s3(self) -> None:
        upload, is_open = self.any_upload()
        numbers = [n for n in sorted(upload.parts) if self.random.random() < 0.9]
        tags = {n: md5(upload.parts[n]) for n in numbers}
        is_wrong = bool(numbers) and self.random.random() < 0.2
        if is_wrong:
            tags[self.random.choice(numbers)] = md5(b"sent before")
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tags[n]}</ETag></Part>" for n in numbers)
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        answer = self.s3("POST", upload.name, body, f"?uploadId={upload.id}")
        whole = md5(b"".join(bytes.fromhex(tag) for tag in tags.values())) + f"-{len(numbers)}"
        if not numbers:
            assert answer.status == 400, answer
        elif not is_open and self.tags.get(upload.name) == whole:
            assert answer.status == 200, answer  # the same request again
        elif not is_open:
            assert answer.status == 404, answer
            assert b"NoSuchUpload" in answer.body
        elif is_wrong:
            assert answer.status == 400, answer
            assert b"InvalidPart" in answer.body
        else:
            assert answer.status == 200, answer
            self.completed(upload, numbers, whole)

    def completed(self, upload: Upload, numbers: list[int], tag: str) -> None:
        self.objects[upload.name] = b"".join(upload.parts[n] for n in numbers)
        self.tags[upload.name] = tag
        self.over.append(self.uploads.pop(upload.id))

    def abort(self) -> None:
        upload, is_open = self.any_upload()
        if self.random.random() < 0.5:
            answer = self.native("DELETE", upload.name, None, f"?uploadId={upload.id}")
        else:
            answer = self.s3("DELETE", upload.name, query=f"?uploadId={upload.id}")
        assert answer.status == 404 if not is_open else answer.status in {200, 204}, answer
        if is_open:
            self.over.append(self.uploads.pop(upload.id))

    def overwrite(self) -> None:
        name, data = self.random.choice(NAMES), self.random.randbytes(50)
        assert self.native("PUT", name, data).status == 200
        self.objects[name] = data
        self.tags[name] = ""

    def delete(self) -> None:
        name = self.random.choice(NAMES)
        answer = self.native("DELETE", name)
        assert answer.status == (200 if name in self.objects else 404)
        self.objects.pop(name, None)
        self.tags.pop(name, None)

    # ---- comparison

    def check(self) -> None:
        for name in NAMES:
            answer = self.native("GET", name)
            if name in self.objects:
                assert (answer.status, answer.body) == (200, self.objects[name]), (name, answer)
            else:
                assert answer.status == 404, (name, answer)

    def check_uploads(self) -> None:
        found = ET.fromstring(self.wire("GET", f"/s3/{BUCKET}?uploads").body)
        listed = [item.text for item in found.iter() if item.tag.endswith("}UploadId")]
        assert sorted(filter(None, listed)) == sorted(self.uploads)


@pytest.mark.parametrize("seed", range(6))
def test_uploads_are_as_in_the_model(wire: Wire, seed: int) -> None:
    wire.destroy(BUCKET)
    wire.create(BUCKET)
    model = Model(wire, seed)
    ways = [model.begin, model.part, model.part, model.part, model.complete_native, model.complete_s3]
    ways += [model.abort, model.overwrite, model.delete]
    for _ in range(STEPS):
        model.random.choices(ways, [2, 2, 2, 2, 2, 2, 1, 1, 1])[0]()
        model.check()
    model.check_uploads()
