"""A multipart upload is completed while its parts, itself or the object change: nothing acknowledged is lost.

Each round starts two requests at the same moment, native or S3, and checks what was acknowledged.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from wire import Answer, Wire

ROUNDS = 15


class Native:
    """Multipart requests of the native API."""

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.path = f"/v1/objects/races/{name}"
        self.upload = wire.ok("POST", self.path, {"action": "mpt-upload"}).body.decode()

    def part(self, number: int, data: bytes) -> str:
        self.wire.ok("PUT", f"{self.path}?uploadId={self.upload}&partNumber={number}", data)
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    def complete(self, tags: list[str]) -> Answer:
        parts = [{"part-number": number, "etag": tag} for number, tag in enumerate(tags, 1)]
        message = {"action": "mpt-complete", "value": parts}
        return self.wire("POST", f"{self.path}?uploadId={self.upload}", message)

    def abort(self) -> Answer:
        return self.wire("DELETE", f"{self.path}?uploadId={self.upload}", {"action": "mpt-abort"})

    @staticmethod
    def is_refused(answer: Answer) -> bool:
        return answer.status == 404


class S3:
    """Multipart requests of S3."""

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.path = f"/s3/races/{name}"
        created = ET.fromstring(wire.ok("POST", f"{self.path}?uploads").body)
        self.upload = next(item.text for item in created if item.tag.endswith("UploadId"))

    def part(self, number: int, data: bytes) -> str:
        answer = self.wire.ok("PUT", f"{self.path}?uploadId={self.upload}&partNumber={number}", data)
        return answer.headers["etag"]

    def complete(self, tags: list[str], more: str = "") -> Answer:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>{more}</Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        return self.wire("POST", f"{self.path}?uploadId={self.upload}", body)

    def abort(self) -> Answer:
        return self.wire("DELETE", f"{self.path}?uploadId={self.upload}")

    @staticmethod
    def is_refused(answer: Answer) -> bool:
        codes = ("InvalidPart", "NoSuchUpload")
        return answer.status in {400, 404} and any(code.encode() in answer.body for code in codes)


API = pytest.mark.parametrize("api", [Native, S3])


@pytest.fixture
def wire(wire: Wire) -> Wire:
    """Give a client of a cluster that has the bucket."""
    wire.create("races")
    return wire


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls at the same moment; returns their results."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait(20)
        results[place] = call()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def stored(wire: Wire, name: str) -> bytes | None:
    answer = wire("GET", f"/v1/objects/races/{name}")
    assert answer.status in {200, 404}, answer
    head = wire("HEAD", f"/v1/objects/races/{name}")
    assert head.status == answer.status
    return answer.body if answer.status == 200 else None


@API
@pytest.mark.parametrize("parts", [1, 2])
def test_a_part_is_sent_again_while_the_upload_is_completed(wire: Wire, api: type, parts: int) -> None:
    for number in range(ROUNDS):
        name = f"resent-{api.__name__}-{parts}-{number}"
        upload = api(wire, name)
        tags = [upload.part(n, b"old" * 30_000) for n in range(1, parts + 1)]

        def resend(upload: Any = upload) -> Answer:
            path = f"{upload.path}?uploadId={upload.upload}&partNumber=1"
            return wire("PUT", path, b"new" * 30_000)

        completed, resent = at_once(lambda u=upload, t=tags: u.complete(t), resend)
        if completed.status == 200:
            assert stored(wire, name) == b"old" * 30_000 * parts
            continue
        assert upload.is_refused(completed), completed
        assert resent.status == 200
        assert stored(wire, name) is None
        tags[0] = hashlib.md5(b"new" * 30_000, usedforsecurity=False).hexdigest()
        assert upload.complete(tags).status == 200
        assert stored(wire, name) == b"new" * 30_000 + b"old" * 30_000 * (parts - 1)


@API
@pytest.mark.parametrize("parts", [1, 2])
def test_an_upload_is_aborted_while_it_is_completed(wire: Wire, api: type, parts: int) -> None:
    for number in range(ROUNDS):
        name = f"aborted-{api.__name__}-{parts}-{number}"
        upload = api(wire, name)
        tags = [upload.part(n, b"x" * 90_000) for n in range(1, parts + 1)]
        completed, aborted = at_once(lambda u=upload, t=tags: u.complete(t), upload.abort)
        assert (completed.status == 200) != (aborted.status in {200, 204}), (completed, aborted)
        assert stored(wire, name) == (b"x" * 90_000 * parts if completed.status == 200 else None)


@API
@pytest.mark.parametrize("parts", [1, 2])
def test_an_upload_is_completed_twice_and_the_object_overwritten(wire: Wire, api: type, parts: int) -> None:
    for number in range(ROUNDS):
        name = f"twice-{api.__name__}-{parts}-{number}"
        upload = api(wire, name)
        tags = [upload.part(n, b"p" * 90_000) for n in range(1, parts + 1)]

        def complete_and_overwrite(upload: Any = upload, tags: Any = tags, name: str = name) -> Answer:
            first = upload.complete(tags)
            if first.status == 200:
                wire.ok("PUT", f"/v1/objects/races/{name}", b"later")
            return first

        first, second = at_once(complete_and_overwrite, lambda u=upload, t=tags: u.complete(t))
        # S3 acknowledges a request that is sent again, and does nothing for it.
        done = [answer for answer in (first, second) if answer.status == 200]
        assert done
        assert all(upload.is_refused(answer) for answer in (first, second) if answer not in done)
        assert stored(wire, name) == (b"later" if first.status == 200 else b"p" * 90_000 * parts)


@API
def test_a_part_with_another_etag_is_refused(wire: Wire, api: type) -> None:
    upload = api(wire, f"tag-{api.__name__}")
    tag = upload.part(1, b"first")
    assert upload.is_refused(upload.complete([hashlib.md5(b"second", usedforsecurity=False).hexdigest()]))
    assert upload.complete([tag]).status == 200


def test_a_native_part_may_be_listed_by_its_checksum_or_without_an_etag(wire: Wire) -> None:
    for tag in ("", "ef46db3751d8e999"):
        upload = Native(wire, "by-checksum")
        upload.part(1, b"data")
        answer = upload.complete([tag])
        assert answer.status == (404 if tag else 200), answer


def test_the_checksum_announced_for_a_native_part_is_verified(wire: Wire) -> None:
    upload = Native(wire, "announced")
    path = f"{upload.path}?uploadId={upload.upload}&partNumber=1"
    headers = {"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": "0" * 32}
    answer = wire("PUT", path, b"data", headers)
    assert answer.status == 500
    assert answer.error["tcode"] == "ErrBadCksum"
    assert upload.complete([""]).status == 400
    headers["Ais-Checksum-Value"] = hashlib.md5(b"data", usedforsecurity=False).hexdigest()
    wire.ok("PUT", path, b"data", headers)
    assert upload.complete([""]).status == 200


def test_the_checksums_that_s3_lists_for_parts_are_verified(wire: Wire) -> None:
    upload = S3(wire, "listed")
    tag = upload.part(1, b"data")
    right, wrong = (
        base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode() for data in (b"data", b"x")
    )
    refused = upload.complete([tag], f"<ChecksumCRC32>{wrong}</ChecksumCRC32>")
    assert upload.is_refused(refused)
    assert b"crc32" in refused.body
    assert upload.complete([tag], f"<ChecksumCRC32>{right}</ChecksumCRC32>").status == 200


def test_an_append_that_another_write_overtook_is_refused(wire: Wire) -> None:
    path = "/v1/objects/races/appended"
    wire.ok("PUT", path, b"one,")
    handles = []
    for piece in (b"two", b"three"):
        answer = wire.ok("PUT", f"{path}?append_type=append", piece)
        handles.append(answer.headers["ais-append-handle"].replace("|", "%7C"))
    wire.ok("PUT", f"{path}?append_type=flush&append_handle={handles[0]}")
    refused = wire("PUT", f"{path}?append_type=flush&append_handle={handles[1]}")
    assert refused.status == 409, refused
    assert stored(wire, "appended") == b"one,two"
