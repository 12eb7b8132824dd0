"""A flipped bit on the disk of `aistore.local`: no reader hands it out."""

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from aistore.fs import AISFileSystem
from aistore.local import LocalCluster
from aistore.pytorch import AISIterDataset, AISMapDataset, AISParallelMapDataset, AISShardReader
from aistore.sdk.client import Client
from aistore.sdk.errors import ErrChecksumMismatch

DATA = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with LocalCluster(dir=folder) as cluster:
        bucket = cluster.client().bucket("bck").create()
        for name in ("good", "rotten"):
            bucket.object(name).get_writer().put_content(DATA + name.encode())
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo("sample.txt")
            info.size = len(DATA)
            archive.addfile(info, BytesIO(DATA))
        cluster.client().bucket("shards").create().object("rotten.tar").get_writer().put_content(
            buffer.getvalue()
        )
        for path in Path(folder).rglob("*"):
            if path.is_file() and path.name.endswith(("rotten", "rotten.tar")):
                content = bytearray(path.read_bytes())
                content[5000] ^= 1
                path.chmod(0o600)
                path.write_bytes(content)
        yield cluster


@pytest.fixture
def bucket(place):
    return place.client().bucket("bck")


READERS = {
    "read_all": lambda b, _: b.object("rotten").get_reader().read_all(),
    "workers": lambda b, _: b.object("rotten").get_reader(num_workers=2, chunk_size=30_000).read_all(),
    "iteration": lambda b, _: list(b.object("rotten").get_reader()),
    "file": lambda b, _: b.object("rotten").get_reader().as_file().read(),
    "raw": lambda b, _: b.object("rotten").get_reader().raw().read(),
    "cat": lambda b, _: filesystem(b).cat("bck/rotten"),
    "get": lambda b, tmp: filesystem(b).get("bck/rotten", str(tmp / "file")),
    "map dataset": lambda b, _: list(AISMapDataset(b)),
    "parallel map dataset": lambda b, _: [
        buffer.close() for _, buffer in AISParallelMapDataset(b, num_workers=2)
    ],
    "iterable dataset": lambda b, _: list(AISIterDataset(b)),
    "iterable dataset, each object": lambda b, _: list(AISIterDataset(b, validate_checksum=True)),
    "shards": lambda b, _: list(AISShardReader(Client(endpoint(b)).bucket("shards"))),
}


def endpoint(bucket):
    return bucket.client.base_url.removesuffix("/v1")


def filesystem(bucket):
    return AISFileSystem(endpoint(bucket))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_flipped_bit_is_not_handed_out(bucket, tmp_path, read):
    with pytest.raises(ErrChecksumMismatch, match="rotten"):
        read(bucket, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("streaming", [True, False])
def test_get_batch_reports_an_entry_whose_bytes_are_others(place, bucket, streaming):
    batch = place.client().batch(["good", "rotten", "good"], bucket, streaming_get=streaming)
    (_, one), (info, none), (_, two) = batch.get()
    assert one == two == DATA + b"good"
    assert none == b""
    assert info.err_msg


def test_strict_get_batch_fails(place, bucket):
    batch = place.client().batch(["good", "rotten"], bucket, streaming_get=False, cont_on_err=False)
    with pytest.raises(OSError, match=r"CHECKSUM|rotten"):
        list(batch.get())


def test_direct_batch_raises(place, bucket):
    with Client(place.endpoint, direct=True) as client:
        results = client.batch(["good", "rotten"], client.bucket("bck"), strategy="direct").get()
        assert next(results)[1] == DATA + b"good"
        with pytest.raises(ErrChecksumMismatch, match="rotten"):
            next(results)


def test_command_line_says_so(place, tmp_path):
    env = {**os.environ, "AIS_ENDPOINT": place.endpoint}
    for arguments in (["get", "ais://bck/rotten", str(tmp_path / "file")], ["cat", "ais://bck/rotten"]):
        done = subprocess.run(
            [sys.executable, "-m", "aistore.cli", *arguments], env=env, capture_output=True, timeout=60
        )
        assert done.returncode != 0
        assert b"the cluster has" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_switched_off_it_is_handed_out(place):
    with Client(place.endpoint, validate_checksum=False) as client:
        bucket = client.bucket("bck")
        assert len(bucket.object("rotten").get_reader().read_all()) == len(DATA) + 6
        assert [len(content) for _, content in AISMapDataset(bucket)] == [len(DATA) + 4, len(DATA) + 6]
