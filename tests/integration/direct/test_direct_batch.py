"""Batches read straight from their owners: the tests of Get-Batch, and entries as Get-Batch answers them."""

import random
from collections.abc import Iterator

import pytest
from archives import tar_of

from aistore.sdk.batch.direct import DirectResults
from aistore.sdk.client import Client
from aistore.sdk.errors import ErrBckNotFound, ErrObjNotFound
from tests.integration.test_sdk_batch import *  # noqa: F403 - these tests run with the client below

del test_raw_is_an_archive  # noqa: F821 - there is none


class DirectClient(Client):
    """Makes batches that are read straight from the owners."""

    def batch(self, *args, **kwargs):
        return super().batch(*args, **{"strategy": "direct", **kwargs})


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    with DirectClient(endpoint, direct=True) as client:
        yield client


def _fill(client, bucket):
    """Return the arguments of entries of every kind, in several buckets."""
    other = client.bucket(f"{bucket.name}-other").create()
    for n in range(40):
        bucket.object(f"ü {n}%").get_writer().put_content(bytes([n]) * n * 1000)
        other.object(f"ü {n}%").get_writer().put_content(b"other" * n)
    shard = tar_of((f"dir/{n}.txt", b"member %d" % n) for n in range(20))
    bucket.object("shard.tar").get_writer().put_content(shard)
    entries = [(bucket.object(f"ü {n}%"), {}) for n in range(40)]
    entries += [(other.object(f"ü {n}%"), {"opaque": b"%d" % n}) for n in range(40)]
    entries += [(bucket.object(f"ü {n}%"), {"start": n, "length": 500}) for n in range(1, 40)]
    entries += [(bucket.object(f"ü {n}%"), {"start": n, "length": -1}) for n in range(1, 40)]
    entries += [(bucket.object("shard.tar"), {"archpath": f"dir/{n}.txt"}) for n in range(20)]
    entries += [(bucket.object("shard.tar"), {"archpath": "dir/3.txt", "start": 2, "length": 4})]
    entries += [(bucket.object(f"none {n}"), {}) for n in range(3)]
    entries += [(bucket.object("shard.tar"), {"archpath": "none"})]
    entries += [(bucket.object("none.tar"), {"archpath": "none"})]
    return other, entries


def test_there_is_no_archive_to_return(client, bucket):
    with pytest.raises(ValueError, match="archive"):
        client.batch("a", bucket).get(raw=True)


def test_results_are_those_of_get_batch(client, bucket):
    other, entries = _fill(client, bucket)
    random.Random(5).shuffle(entries)
    results = {}
    for strategy in ("direct", "get-batch"):
        batch = client.batch(strategy=strategy)
        for obj, options in entries:
            batch.add(obj, **options)
        answer = batch.get()
        assert isinstance(answer, DirectResults) is (strategy == "direct")
        results[strategy] = list(answer)
    assert results["direct"] == results["get-batch"]
    other.delete()


def test_ranges_out_of_bounds_are_entries_that_failed(client, bucket):
    bucket.object("ten").get_writer().put_content(b"0123456789")
    batch = client.batch(bucket=bucket)
    for start, length in ((8, 5), (10, 5), (20, 1), (20, -1), (8, 2), (8, -1)):
        batch.add("ten", start=start, length=length)
    results = list(batch.get())
    assert [bool(info.err_msg) for info, _ in results] == [True] * 4 + [False] * 2
    assert [data for _, data in results] == [b""] * 4 + [b"89"] * 2


def test_a_bucket_that_does_not_exist(client, bucket):
    bucket.object("a").get_writer().put_content(b"a")
    batch = client.batch("a", bucket=bucket)
    batch.add("a", bck="nowhere-to-be-found", provider="ais")
    with pytest.raises(ErrBckNotFound):
        batch.get()
    assert len(batch) == 2


def test_a_shard_that_is_none_fails(client, bucket):
    bucket.object("text").get_writer().put_content(b"no archive")
    batch = client.batch(bucket=bucket)
    batch.add("text", archpath="member")
    with pytest.raises(Exception, match=r"archive|format|not"):
        list(batch.get())


def test_a_permit_that_ends_midway_is_renewed(client, bucket, monkeypatch):
    names = [f"{n}" for n in range(600)]
    bucket.object("0").get_writer().put_content(b"0")
    for name in names[::7]:
        bucket.object(name).get_writer().put_content(name.encode())
    router = client._request_client.router
    got = []
    for number, (info, data) in enumerate(client.batch(names, bucket).get()):
        got.append(data)
        assert bool(info.err_msg) is bool(number % 7)
        if number in (100, 400):
            router._permits.clear()
    assert got == [b"" if n % 7 else str(n).encode() for n in range(600)]


def test_missing_entries_end_a_strict_batch(client, bucket):
    bucket.object("a").get_writer().put_content(b"a")
    results = client.batch(["a", "none", "a"], bucket, cont_on_err=False).get()
    assert next(results)[1] == b"a"
    with pytest.raises(ErrObjNotFound, match="none"):
        next(results)


def test_closing_midway_leaves_the_client_usable(client, bucket):
    bucket.object("a").get_writer().put_content(b"a" * 100_000)
    for _ in range(3):
        with client.batch(["a"] * 500, bucket).get() as results:
            assert next(results)[1] == b"a" * 100_000
    assert bucket.object("a").get_reader().read_all() == b"a" * 100_000
