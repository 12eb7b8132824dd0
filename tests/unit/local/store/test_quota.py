"""The quota counts the bytes on the disk: over restarts and crashes, and for temporary bytes as well."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistore.local import bucket_props
from aistore.local.catalog import Bucket, Catalog, Completion, Part
from aistore.local.errors import LocalError, OutOfSpace
from aistore.local.names import Bck
from aistore.local.store import ContentWriter, Store
from aistore.local.store.assembly import assemble
from aistore.local.store.files import Files
from aistore.local.store.janitor import Janitor
from aistore.local.store.spool import Reservation, Spool

LIMIT = 100_000


def open_store(root: Path) -> Store:
    return Store(root, Catalog(root / "catalog.sqlite"), quota=LIMIT)


def on_disk(root: Path) -> int:
    """Bytes of all content files; a copy counts, whether or not it shares them."""
    return sum(path.stat().st_size for path in root.glob("t*/*/*/*"))


def used(store: Store) -> int:
    left = store.quota.room()
    assert left is not None
    return LIMIT - left


def tidy(store: Store) -> None:
    """Remove now what the background would remove."""
    while store._janitor.remove_some():
        pass


class Changes:
    """Changes of all kinds in one bucket after another, some of them never finished."""

    def __init__(self, store: Store, moves: random.Random) -> None:
        self.store = store
        self.random = moves
        self.open: list[ContentWriter] = []
        self.bucket = self.made_bucket()

    def made_bucket(self) -> Bucket:
        found = self.store.catalog.buckets.find(Bck("b"))
        return found or self.store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))

    def name(self) -> str:
        return f"o{self.random.randrange(5)}"

    def data(self) -> bytes:
        return b"x" * self.random.choice([0, 1, 500, 3000])

    def put(self) -> None:
        self.store.put(self.bucket, self.name(), self.data())

    def delete(self) -> None:
        self.store.delete(self.bucket, self.name())

    def copy(self) -> None:
        self.store.copy(self.bucket, self.name(), self.bucket, self.name())

    def rename(self) -> None:
        self.store.rename(self.bucket, self.name(), self.name())

    def abandon(self) -> None:
        writer = self.store.writer(self.bucket, self.name())
        writer.write(self.data())
        self.open.append(writer)

    def upload(self) -> None:
        self.store.catalog.uploads.create(upload := uuid4().hex, self.bucket, name := "o1")
        parts = []
        for number in (1, 2, 2)[: self.random.randrange(4)]:
            writer = ContentWriter(self.store, name, 0, self.bucket.checksum_type)
            writer.write(self.data())
            kind = self.bucket.checksum_type
            parts.append(Part(number, writer.finish(), writer.size, kind, writer.digest(kind)))
            assert self.store.catalog.uploads.put_part(upload, parts[-1])
            writer.keep()
        current = {part.number: part for part in parts}
        if current and self.random.random() < 0.5:
            assemble(self.store, self.bucket, name, Completion(upload, list(current.values())))

    def destroy(self) -> None:
        self.store.catalog.buckets.drop(self.bucket.bck)
        self.bucket = self.made_bucket()


@settings(max_examples=25, deadline=None)
@given(moves=st.randoms(use_true_random=False))
def test_it_is_exact_after_changes_restarts_and_crashes(
    moves: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("quota")
    for _ in range(3):
        store = open_store(root)
        # At once: before anything that a crash left, or that is to be removed, is gone.
        changes = Changes(store, moves)
        ways = (
            *(changes.put, changes.put, changes.delete, changes.copy, changes.rename),
            *(changes.abandon, changes.upload, changes.destroy),
        )
        for _ in range(moves.randrange(20)):
            try:
                moves.choice(ways)()
            except OutOfSpace:
                assert used(store) <= LIMIT
            except LocalError:
                continue
        with store._janitor._removing:
            assert used(store) >= on_disk(root)
        tidy(store)
        store._janitor.await_sweep(20)
        assert used(store) == on_disk(root)
        store.close()  # with writers open it counts as a crash


def test_what_is_left_to_remove_counts_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Janitor, "remove_some", lambda _: False)
        store = open_store(tmp_path)
        bucket = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
        for _ in range(3):
            store.put(bucket, "o", b"x" * 30_000)
        store.close()
        store = open_store(tmp_path)
        assert used(store) == on_disk(tmp_path) == 90_000
    tidy(store)
    assert used(store) == on_disk(tmp_path) == 30_000
    store.close()


def test_what_a_crash_left_counts_until_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    bucket = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    writer = store.writer(bucket, "o")
    writer.write(b"x" * 60_000)
    store.close()
    go_on = threading.Event()
    sweep = Files.sweep
    with monkeypatch.context() as patch:
        patch.setattr(Files, "sweep", lambda *args: (go_on.wait(20), sweep(*args)))
        store = open_store(tmp_path)
        bucket = store.catalog.buckets.get(Bck("b"))
        with pytest.raises(OutOfSpace):
            store.put(bucket, "other", b"x" * 60_000)
        go_on.set()
        store._janitor.await_sweep(20)
    store.put(bucket, "other", b"x" * 60_000)
    assert used(store) == on_disk(tmp_path) == 60_000
    store.close()


def test_what_was_deleted_makes_room_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    bucket = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    for number in range(20):
        store.put(bucket, f"{number}", b"x" * 90_000)
        store.delete(bucket, f"{number}")
    store.put(bucket, "o", b"x" * 90_000)
    store.catalog.buckets.drop(bucket.bck)
    again = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    store.put(again, "o", b"x" * 90_000)
    store.close()


def test_temporary_bytes_count_while_they_are_on_the_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    spool = Spool(store, 1000)
    spool.write(b"m" * 1000)
    assert used(store) == 0
    spool.write(b"d" * 80_000)
    assert used(store) == 81_000
    with pytest.raises(OutOfSpace):
        spool.write(b"d" * 80_000)
    assert b"".join(spool.read(990, 20)) == b"m" * 10 + b"d" * 10
    spool.close()
    assert used(store) == 0
    spool = Spool(store, 0)
    spool.write(b"d" * 80_000)
    del spool  # as when a client is gone before the first byte
    assert used(store) == 0
    store.close()


@given(pieces=st.lists(st.binary(max_size=30), max_size=20), limit=st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_a_spool_is_on_disk_beyond_its_limit(
    pieces: list[bytes], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("spool")
    store = open_store(root)
    spool = Spool(store, limit)
    offsets = []
    for piece in pieces:
        offsets.append(spool.size)
        spool.write(piece)
    assert spool.is_on_disk == (sum(map(len, pieces)) > limit)
    for piece, offset in zip(pieces, offsets, strict=True):
        assert b"".join(spool.read(offset, len(piece))) == piece
    spool.close()
    store.close()


def test_no_write_takes_what_is_kept_for_the_catalog(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "_free", lambda _: (10_000, 4_000))
    store.put(bucket, "fits", b"x" * 6_000)
    with pytest.raises(OutOfSpace, match="are kept for the catalog"):
        store.put(bucket, "o", b"x" * 6_001)
    spool = Spool(store, 0)
    with pytest.raises(OutOfSpace, match="are kept for the catalog"):
        spool.write(b"x" * 6_001)
    assert Reservation(store).room() == 6_000
