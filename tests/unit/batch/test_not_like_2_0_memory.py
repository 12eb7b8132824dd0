"""However many entries an answer has, one is in memory at a time."""

import io
import json
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator

import pytest
from scripted import Answer, Request, scripted

from aistore.sdk.batch.batch import Batch
from aistore.sdk.provider import Provider

SIZE = 2**20
COUNT = 48
NAMES = [f"entry-{n:02}" for n in range(COUNT)]
# An entry and its copy on the way, what is received at a time, and the machinery of client and server.
ALLOWED = 6 * SIZE
# A zip archive has its directory at the end: up to so much of it is kept in memory, and more in a file.
ZIP_IN_MEMORY = 8 * SIZE
PIECE = 64 * 1024


class Bucket:
    name, provider, namespace = "bck", Provider.AIS, None


def content_of(name: str) -> bytes:
    return name.encode() * (SIZE // len(name))


def tar_pieces(_folder) -> Iterator[bytes]:
    for name in NAMES:
        data = content_of(name)
        info = tarfile.TarInfo(f"bck/{name}")
        info.size = len(data)
        yield info.tobuf(tarfile.USTAR_FORMAT)
        yield data
        yield bytes(-len(data) % 512)
    yield bytes(1024)


def tgz_pieces(folder) -> Iterator[bytes]:
    with tarfile.open(folder / "archive", "w:gz", compresslevel=1) as tar:
        for name in NAMES:
            data = content_of(name)
            info = tarfile.TarInfo(f"bck/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    yield from file_pieces(folder)


def zip_pieces(folder) -> Iterator[bytes]:
    with zipfile.ZipFile(folder / "archive", "w") as archive:
        for name in NAMES:
            archive.writestr(f"bck/{name}", content_of(name))
    yield from file_pieces(folder)


def file_pieces(folder) -> Iterator[bytes]:
    with (folder / "archive").open("rb") as file:
        yield from iter(lambda: file.read(PIECE), b"")


def multipart(pieces: Iterator[bytes]) -> Iterator[bytes]:
    out = [
        {"objname": name, "bucket": "bck", "provider": "ais", "size": len(content_of(name))} for name in NAMES
    ]
    yield b"--B\r\nA: 1\r\n\r\n" + json.dumps({"uuid": "gbt-1", "out": out}).encode()
    yield b"\r\n--B\r\nA: 2\r\n\r\n"
    yield from pieces
    yield b"\r\n--B--\r\n"


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "multipart"])
@pytest.mark.parametrize(
    ("format", "make", "allowed"),
    [
        (".tar", tar_pieces, ALLOWED),
        (".tgz", tgz_pieces, ALLOWED),
        (".zip", zip_pieces, ALLOWED + ZIP_IN_MEMORY),
    ],
)
def test_one_entry_is_in_memory_at_a_time(tmp_path, format, make, allowed, streaming):  # defect 30
    def script(_request: Request) -> Answer:
        pieces = make(tmp_path)
        headers = {} if streaming else {"Content-Type": "multipart/mixed; boundary=B"}
        return Answer(pieces if streaming else multipart(pieces), 200, headers, chunked=True)

    with scripted(script) as (_, client):
        batch = Batch(client, NAMES, bucket=Bucket(), output_format=format, streaming_get=streaming)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            read = 0
            for name, (info, data) in zip(NAMES, batch.get(), strict=True):
                assert info.obj_name == name
                assert data == content_of(name)
                read += len(data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert read > 3 * allowed
    assert peak - before < allowed
