"""The catalog's file: transactions, buckets, documents, uploads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aistore.local import bucket_props
from aistore.local.catalog import Catalog, Part
from aistore.local.catalog.objects import prefix_end
from aistore.local.errors import BucketExists, BucketNotFound
from aistore.local.names import Bck


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    yield catalog
    catalog.close()


def _create(catalog: Catalog, name: str, namespace: str = "") -> Bck:
    bck = Bck(name, "ais", "", namespace)
    catalog.buckets.create(bck, bucket_props.new_props("ais"))
    return bck


def test_buckets_survive(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    bck = _create(catalog, "b", "ns")
    before = catalog.buckets.get(bck)
    catalog.close()
    catalog = Catalog(tmp_path / "catalog.sqlite")
    assert catalog.buckets.get(bck) == before
    catalog.close()


def test_bucket_life(catalog: Catalog) -> None:
    bck = _create(catalog, "b")
    with pytest.raises(BucketExists):
        _create(catalog, "b")
    other = _create(catalog, "c")
    with pytest.raises(BucketExists) as caught:
        catalog.buckets.rename(bck, other)
    assert caught.value.status == 400
    renamed = catalog.buckets.rename(bck, Bck("d"))
    with catalog.db.write() as conn:
        catalog.buckets.check_current(conn, renamed)
    with pytest.raises(BucketNotFound):
        catalog.buckets.get(bck)
    dropped = catalog.buckets.drop(Bck("d"))
    with catalog.db.write() as conn, pytest.raises(BucketNotFound):
        catalog.buckets.check_current(conn, dropped)
    again = catalog.buckets.create(Bck("d"), dropped.props)
    assert again.id != dropped.id
    assert [bucket.bck.name for bucket in catalog.buckets.all()] == ["c", "d"]


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.db.write() as conn:
            conn.execute("INSERT INTO meta VALUES ('k', 'v')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert catalog.meta("k", "other") == "other"


def test_a_transaction_within_a_transaction_is_part_of_it(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.db.write():
            catalog.documents.put("kind", "key", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert catalog.documents.get("kind", "key") is None


def test_readers_do_not_wait_for_the_writer(catalog: Catalog) -> None:
    found = []
    with catalog.db.write() as conn:
        conn.execute("INSERT INTO meta VALUES ('k', 'v')")
        query = "SELECT * FROM meta WHERE key = 'k'"
        thread = threading.Thread(target=lambda: found.append(catalog.db.query(query)))
        thread.start()
        thread.join(10)
    assert found == [[]]


def test_documents(catalog: Catalog) -> None:
    catalog.documents.put("etl", "b", {"x": [1]})
    catalog.documents.put("etl", "a", "text")
    catalog.documents.put("job", "a", None)
    assert catalog.documents.items("etl") == [("a", "text"), ("b", {"x": [1]})]
    catalog.documents.delete("etl", "a")
    assert catalog.documents.get("etl", "a") is None


def test_uploads(catalog: Catalog) -> None:
    uploads = catalog.uploads
    bucket = catalog.buckets.get(_create(catalog, "b"))
    uploads.create("id", bucket, "o")
    assert uploads.find("id") == (bucket.id, "o")
    assert uploads.put_part("id", Part(2, "f2", 5, "md5", "x"))
    assert uploads.put_part("id", Part(1, "f1", 5, "md5", "x"))
    assert uploads.put_part("id", Part(2, "f3", 6, "md5", "y"))
    assert [part.file for part in uploads.parts("id")] == ["f1", "f3"]
    assert not uploads.put_part("nosuch", Part(1, "f", 1, "md5", "x"))
    assert uploads.remove("id", keep="f1")
    assert not uploads.remove("id")
    assert [row[0] for row in catalog.db.query("SELECT file FROM trash")] == ["f2", "f3"]
    uploads.create("old", bucket, "o")
    uploads.remove_older_than(1 << 62)
    assert uploads.find("old") is None


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"a", b"b"), (b"a\xff", b"b"), (b"a/", b"a0"), (b"", b"\xff" * 16), (b"\xff", b"\xff" * 16)],
)
def test_prefix_end(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end


def test_a_folder_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    with sqlite3.connect(path) as conn:
        for table, column in (("objects", "etag"), ("uploads", "custom"), ("parts", "md5")):
            conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        conn.execute("INSERT INTO objects VALUES (1, x'6f', 'f', 3, 'md5', 'x', 1, 2, 3, NULL, 0, 0)")
        conn.execute("INSERT INTO uploads VALUES ('id', 1, x'6f', 0)")
        conn.execute("PRAGMA user_version = 1")
    conn.close()
    catalog = Catalog(path)
    assert catalog.objects.get(1, "o").etag == ""
    assert catalog.uploads.custom("id") is None
    assert catalog.uploads.put_part("id", Part(1, "f", 5, "md5", "x", "y"))
    assert catalog.uploads.parts("id") == [Part(1, "f", 5, "md5", "x", "y")]
    catalog.close()
