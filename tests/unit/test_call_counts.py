"""What hot paths cost, in calls rather than in time: a guard against work that creeps into each request.

The limits are about a quarter above what was counted when they were set.
"""

import io
import tarfile

import msgspec
import pytest
from calls import Count
from scripted import Answer, scripted

from aistore.sdk.client import Client
from aistore.sdk.transport.recorder import Recorder
from aistore.wire.archive.tar import TarReader

ENTRIES = 1000


def count_calls(work):
    """Count the calls, of Python and of C functions, that this thread makes in `work`."""
    work()  # what is made once is made now
    with Count() as count:
        work()
    return count.calls


def answer(request):
    if "/buckets/" in request.path:
        entries = [{"n": f"object-{number:05}", "s": 3, "f": 64} for number in range(ENTRIES)]
        page = {"UUID": "id", "ContinuationToken": "", "Entries": entries, "Flags": 0}
        return Answer(msgspec.msgpack.encode(page), headers={"Content-Type": "application/msgpack"})
    if "utm" not in request.params:
        place = f"http://{request.headers['host']}{request.path}?provider=ais&pid=p&utm=1"
        return Answer(status=307 if request.method != "GET" else 301, headers={"Location": place})
    return Answer(b"" if request.method == "PUT" else b"content", headers={"Ais-Version": "1"})


@pytest.fixture
def bucket():
    with scripted(answer) as (server, _), Client(server.endpoint) as client:
        yield client.bucket("bck")


def test_get_through_the_proxy(bucket):
    assert count_calls(lambda: bucket.object("a").get_reader().read_all()) <= 255


def test_head_through_the_proxy(bucket):
    assert count_calls(lambda: bucket.object("a").head()) <= 285


def test_put_through_the_proxy(bucket):
    assert count_calls(lambda: bucket.object("a").get_writer().put_content(b"content")) <= 270


def test_entries_of_a_listing(bucket):
    def work():
        assert sum(1 for _ in bucket.list_objects_iter()) == ENTRIES

    assert count_calls(work) <= 3 * ENTRIES


def test_objects_of_a_listing(bucket):
    def work():
        assert sum(1 for _ in bucket.list_all_objects_iter()) == ENTRIES

    assert count_calls(work) <= 6 * ENTRIES


def test_statistics_of_a_request():
    recorder = Recorder()

    def work():
        for _ in range(ENTRIES):
            recorder.answered("GET", 200, 0.001, 0, 1, 1)
            recorder.received(4096)

    assert count_calls(work) <= 13 * ENTRIES


def test_members_of_a_tar():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(ENTRIES):
            info = tarfile.TarInfo(f"bck/{number:06}")
            info.size = 1000
            archive.addfile(info, io.BytesIO(bytes(1000)))

    def work():
        reader = TarReader(io.BytesIO(data.getvalue()))
        while reader.next_member() is not None:
            reader.read_member()
        reader.close()

    assert count_calls(work) <= 8 * ENTRIES
