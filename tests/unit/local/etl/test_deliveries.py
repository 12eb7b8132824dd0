"""Results on their way from an ETL's server to the job that waits for them."""

from __future__ import annotations

from pathlib import Path

from aistore.local.catalog import Bucket
from aistore.local.etl.deliveries import Deliveries
from aistore.local.store import ObjectWriter, Store

KEY = ("job", "ais/@#/b/o")


def written(store: Store, bucket: Bucket, data: bytes) -> ObjectWriter:
    """Write a result that is not published."""
    writer = store.writer(bucket, "o")
    writer.write(data)
    return writer


def content(root: Path) -> list[bytes]:
    """Read every content file."""
    return [path.read_bytes() for path in root.glob("t*/*/*/*")]


def test_what_is_brought_is_taken_and_then_published(store: Store, bucket: Bucket) -> None:
    deliveries = Deliveries()
    deliveries.expect(KEY)
    assert deliveries.take(KEY) is None
    assert deliveries.bring(KEY, written(store, bucket, b"result"))
    taken = deliveries.take(KEY)
    deliveries.forget(KEY)
    assert taken is not None
    assert not store.exists(bucket, "o")
    assert taken.commit().size == 6


def test_what_nobody_waits_for_stays_the_callers(store: Store, bucket: Bucket) -> None:
    deliveries = Deliveries()
    with written(store, bucket, b"result") as writer:
        assert not deliveries.bring(KEY, writer)
        deliveries.expect(KEY)
        deliveries.forget(KEY)
        assert not deliveries.bring(KEY, writer)
        writer.commit()
    assert store.exists(bucket, "o")


def test_what_nobody_took_is_discarded(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    deliveries = Deliveries()
    deliveries.expect(KEY)
    for data in (b"of an attempt before", b"of the last"):
        assert deliveries.bring(KEY, written(store, bucket, data))
    taken = deliveries.take(KEY)
    assert taken is not None
    taken.commit()
    deliveries.forget(KEY)
    assert content(tmp_path) == [b"of the last"]
    assert not store.open_writers


def test_two_objects_may_have_results_of_one_name(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    deliveries = Deliveries()
    deliveries.expect(KEY)
    deliveries.expect(KEY)
    assert deliveries.bring(KEY, written(store, bucket, b"1"))
    first = deliveries.take(KEY)
    deliveries.forget(KEY)
    assert deliveries.bring(KEY, written(store, bucket, b"2"))
    second = deliveries.take(KEY)
    deliveries.forget(KEY)
    assert first is not None
    assert second is not None
    for writer in (first, second):
        writer.abort()
    assert content(tmp_path) == []
