"""Results that are published together."""

from __future__ import annotations

import functools

import pytest

from aistore.local.catalog import Bucket
from aistore.local.errors import LocalError
from aistore.local.jobs import results
from aistore.local.jobs.results import Results
from aistore.local.store import Store


@pytest.fixture
def told() -> dict[str, LocalError | None]:
    return {}


def _add(made: Results, store: Store, bucket: Bucket, name: str, told: dict[str, LocalError | None]) -> None:
    writer = store.writer(bucket, name)
    writer.write(name.encode())
    made.add(writer, functools.partial(told.__setitem__, name))


def test_the_first_is_there_at_once(store: Store, bucket: Bucket, told: dict[str, LocalError | None]) -> None:
    made = Results(store, bucket)
    _add(made, store, bucket, "a", told)
    assert told == {"a": None}
    assert store.head(bucket, "a").size == 1


def test_what_comes_fast_is_there_together(
    store: Store, bucket: Bucket, told: dict[str, LocalError | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_SECONDS", 1000.0)
    monkeypatch.setattr(results, "_MOST", 4)
    made = Results(store, bucket)
    made.flush()
    names = [f"o{n}" for n in range(6)]
    for name in names[:3]:
        _add(made, store, bucket, name, told)
    assert not told
    assert not store.exists(bucket, "o0")
    for name in names[3:]:
        _add(made, store, bucket, name, told)
    assert list(told) == names[:4]
    made.flush()
    assert [meta.name for meta in store.walk(bucket)] == names
    assert not store.open_writers


def test_all_that_waited_is_told_of_a_failure(
    store: Store, bucket: Bucket, told: dict[str, LocalError | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_SECONDS", 1000.0)
    made = Results(store, bucket)
    made.flush()
    for name in ("a", "b"):
        _add(made, store, bucket, name, told)
    store.catalog.buckets.drop(bucket.bck)
    made.flush()
    assert [error.status for error in told.values() if error is not None] == [404, 404]
    assert not store.open_writers
