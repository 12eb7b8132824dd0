"""A scripted cluster that has objects: ranges, HEAD, overwriting and broken connections."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import xxhash
from scripted import Answer, Request

from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.provider import Provider


@dataclass
class Stored:
    """One object. `answers` changes the answers to GETs, the first to the first."""

    data: bytes
    version: int = 1
    range_checksums: bool = False
    has_checksum: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[Callable[[Answer, Request], None]] = field(default_factory=list)

    def put(self, data: bytes, version: int | None = None) -> None:
        self.data, self.version = data, self.version + 1 if version is None else version

    def script(self, request: Request) -> Answer:
        data, status = self.data, 200
        headers = {"Ais-Version": str(self.version), "Ais-Present": "true", **self.headers}
        if found := re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", "")):
            first, last = found.groups()
            start = int(first) if first else max(len(data) - int(last), 0)
            end = min(int(last) + 1, len(data)) if first and last else len(data)
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            data, status = data[start:end], 206
        if self.has_checksum:
            summed = data if self.range_checksums else self.data
            headers["Ais-Checksum-Type"] = "xxhash2"
            headers["Ais-Checksum-Value"] = xxhash.xxh64(summed).hexdigest()
        answer = Answer(data, status, headers)
        if request.method == "GET" and self.answers:
            self.answers.pop(0)(answer, request)
        return answer


def cut(size: int, reset: bool = False) -> Callable[[Answer, Request], None]:
    def change(answer: Answer, request: Request) -> None:
        answer.cut, answer.reset = size, reset

    return change


def whole(answer: Answer, request: Request) -> None:
    """Leave the answer as it is."""


def named(client, name: str = "obj", path: str = "ais/@#/bck/") -> Object:
    return Object(client, BucketDetails("bck", Provider.AIS, {"provider": "ais"}, path), name)


def use_nouns(nouns, queue) -> None:
    """Use nouns in several threads of another process: here, where that process can import it from."""
    client, bucket, obj, etl, batch, reader = nouns
    results = []

    def use():
        results.append(
            (
                client.cluster().get_uuid() != "",
                [entry.name for entry in bucket.list_all_objects()],
                obj.get_reader().read_all(),
                etl.args,
                [content for _, content in batch.get(clear_batch=False)],
                reader.read_all(),
            )
        )

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    queue.put(results)
