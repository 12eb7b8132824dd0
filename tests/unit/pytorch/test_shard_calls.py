"""What a sample of a shard costs, in calls rather than in time (see tests/unit/test_call_counts.py)."""

import io
import sys
import tarfile

import msgspec
from scripted import Answer, scripted

from aistore.pytorch import AISShardReader
from aistore.sdk.client import Client

SAMPLES = 500


def shard():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(SAMPLES):
            info = tarfile.TarInfo(f"folder/{number:06}.bin")
            info.size = 100
            archive.addfile(info, io.BytesIO(bytes(100)))
    return out.getvalue()


def test_calls_of_a_sample():
    data = shard()

    def answer(request):
        if "/buckets/" in request.path:
            entries = [{"n": "s.tar", "s": len(data), "f": 64}]
            page = {"Entries": entries, "ContinuationToken": "", "UUID": "", "Flags": 0}
            return Answer(msgspec.msgpack.encode(page), headers={"Content-Type": "application/msgpack"})
        return Answer(data, headers={"Ais-Version": "1"})

    with scripted(answer) as (server, _), Client(server.endpoint) as client:
        bucket = client.bucket("b")
        dataset = AISShardReader(bucket, {bucket: ""}, read_ahead=0)

        def read():
            return sum(len(sample["bin"]) for _, sample in dataset)

        assert read() == 100 * SAMPLES
        calls = 0

        def note(frame, event, arg):
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            read()
        finally:
            sys.setprofile(None)
    assert calls <= 27 * SAMPLES
