"""What a sample of a shard costs, in calls rather than in time (see tests/unit/test_call_counts.py)."""

import msgspec
from archives import tar_of
from calls import Count
from scripted import Answer, scripted

from aistore.pytorch import AISShardReader
from aistore.sdk.client import Client

SAMPLES = 500


def test_calls_of_a_sample():
    data = tar_of((f"folder/{number:06}.bin", bytes(100)) for number in range(SAMPLES))

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
        with Count() as count:
            read()
    assert count.calls <= 27 * SAMPLES
