"""Objects as rows and content files."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import xxhash

from aistore.local import bucket_props
from aistore.local.catalog import Bucket, Catalog
from aistore.local.data_folder import DataFolder
from aistore.local.errors import BucketNotFound, ChecksumMismatch, ObjectNotFound, OutOfSpace
from aistore.local.names import Bck
from aistore.local.store import Store, files


def _files(root: Path) -> list[Path]:
    return [path for path in root.glob("t*/*/*/*") if path.is_file()]


def _wait(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_put_and_read(store: Store, bucket: Bucket) -> None:
    meta = store.put(bucket, "a/b.txt", b"hello", custom={"k": "v"})
    assert (meta.size, meta.version, meta.custom) == (5, 1, {"k": "v"})
    assert (meta.cksum_type, meta.cksum) == ("xxhash2", xxhash.xxh64_hexdigest(b"hello"))
    assert store.path(meta).endswith("~b.txt")
    with store.open(bucket, "a/b.txt") as reader:
        assert reader.read_all() == b"hello"
        assert list(reader.chunks(1, 3, size=2)) == [b"el", b"l"]


def test_overwrite_counts_versions_and_keeps_custom_metadata(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "o", b"1", custom={"k": "v"})
    assert store.put(bucket, "o", b"2").custom == {"k": "v"}
    assert store.head(bucket, "o").version == 2
    with store.writer(bucket, "o") as writer:
        writer.write(b"3")
        meta = writer.commit(fresh=True)
    assert (meta.version, meta.custom) == (1, {})


def test_a_reader_is_not_disturbed(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    store.put(bucket, "o", b"old")
    with store.open(bucket, "o") as reader:
        store.put(bucket, "o", b"new")
        store.delete(bucket, "o")
        _wait(lambda: not _files(tmp_path))
        assert reader.read_all() == b"old"


def test_what_is_not_committed_leaves_nothing(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    with store.writer(bucket, "o") as writer:
        writer.write(b"x" * 1000)
    assert not store.exists(bucket, "o")
    assert not _files(tmp_path)


def test_checksum_mismatch_changes_nothing(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    store.put(bucket, "o", b"old")
    with store.writer(bucket, "o", check=("md5", "0" * 32)) as writer:
        writer.write(b"new")
        with pytest.raises(ChecksumMismatch, match=r"md5\(0{32} != "):
            writer.commit()
    with store.open(bucket, "o") as reader:
        assert reader.read_all() == b"old"
    assert len(_files(tmp_path)) == 1


def test_empty_object(store: Store, bucket: Bucket) -> None:
    with store.writer(bucket, "e") as writer:
        meta = writer.commit()
    assert (meta.size, meta.cksum) == (0, "ef46db3751d8e999")
    with store.open(bucket, "e") as reader:
        assert reader.read_all() == b""


def test_delete_and_missing(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "o", b"x")
    store.delete(bucket, "o")
    for call in (store.head, store.open, store.delete):
        with pytest.raises(ObjectNotFound):
            call(bucket, "o")


def test_name_and_directory_of_that_name(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "d/x", b"1")
    store.put(bucket, "d", b"2")
    assert [meta.name for meta in store.walk(bucket)] == ["d", "d/x"]


@pytest.mark.parametrize(
    "name", ["日本語", "a\nb", "x//y", "/lead", "n" * 4096, "\udcff\udcfe", "semi;colon"]
)
def test_names_are_bytes(store: Store, bucket: Bucket, name: str) -> None:
    store.put(bucket, name, b"x")
    assert [meta.name for meta in store.walk(bucket)] == [name]
    with store.open(bucket, name) as reader:
        assert reader.read_all() == b"x"


def test_walk_is_in_byte_order_with_prefix_and_start(store: Store, bucket: Bucket) -> None:
    for name in ("b", "B", "a/1", "a/2", "a-", "ä"):
        store.put(bucket, name, b"")
    assert [m.name for m in store.walk(bucket)] == ["B", "a-", "a/1", "a/2", "b", "ä"]
    assert [m.name for m in store.walk(bucket, "a/")] == ["a/1", "a/2"]
    assert [m.name for m in store.walk(bucket, "a", after="a/1")] == ["a/2"]


def test_copy_is_independent(store: Store, bucket: Bucket) -> None:
    other = store.catalog.buckets.create(Bck("c"), bucket_props.new_props("ais"))
    store.put(bucket, "o", b"bytes", custom={"k": "v"})
    store.put(bucket, "o", b"bytes2")
    meta = store.copy(bucket, "o", other, "p/q")
    assert (meta.version, meta.custom) == (2, {"k": "v"})
    store.delete(bucket, "o")
    with store.open(other, "p/q") as reader:
        assert reader.read_all() == b"bytes2"


def test_copy_computes_the_other_buckets_checksum(store: Store, bucket: Bucket) -> None:
    props = bucket_props.merge_props(bucket_props.new_props("ais"), {"checksum": {"type": "md5"}}, 1)
    other = store.catalog.buckets.create(Bck("c"), props)
    store.put(bucket, "o", b"abc")
    meta = store.copy(bucket, "o", other, "o")
    assert (meta.cksum_type, meta.cksum) == ("md5", "900150983cd24fb0d6963f7d28e17f72")


def test_rename_replaces(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    store.put(bucket, "a", b"1")
    store.put(bucket, "b", b"2")
    store.rename(bucket, "a", "b")
    assert [meta.name for meta in store.walk(bucket)] == ["b"]
    _wait(lambda: len(_files(tmp_path)) == 1)


def test_bucket_removed_while_writing(store: Store, bucket: Bucket) -> None:
    with store.writer(bucket, "o") as writer:
        writer.write(b"x")
        store.catalog.buckets.drop(bucket.bck)
        store.catalog.buckets.create(bucket.bck, bucket_props.new_props("ais"))
        with pytest.raises(BucketNotFound):
            writer.commit()


def test_dropped_bucket_is_cleared_up(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    for number in range(50):
        store.put(bucket, f"o{number}", b"x")
    store.catalog.buckets.drop(bucket.bck)
    again = store.catalog.buckets.create(bucket.bck, bucket_props.new_props("ais"))
    assert list(store.walk(again)) == []
    _wait(lambda: not _files(tmp_path))


def test_quota_counts_what_is_stored_and_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path, Catalog(tmp_path / "catalog.sqlite"), quota=100)
    try:
        bucket = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
        store.put(bucket, "a", b"x" * 60)
        with pytest.raises(OutOfSpace):
            store.put(bucket, "b", b"x" * 60)
        store.put(bucket, "b", b"x" * 40)
        store.delete(bucket, "a")
        _wait(lambda: store.catalog.db.query("SELECT count(*) FROM trash")[0][0] == 0)
        store.put(bucket, "c", b"x" * 60)
    finally:
        store.close()


def test_access_times_are_stored_in_the_background(store: Store, bucket: Bucket) -> None:
    meta = store.put(bucket, "o", b"x")
    store.accessed(bucket, meta)
    seen = store.head(bucket, "o").atime
    assert seen > meta.atime
    _wait(lambda: store.catalog.objects.get(bucket.id, "o").atime == seen)


def test_files_that_no_row_names_are_swept_after_a_crash(tmp_path: Path) -> None:
    first = Store(tmp_path, Catalog(tmp_path / "catalog.sqlite"))
    bucket = first.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    first.put(bucket, "kept", b"x")
    writer = first.writer(bucket, "torn")
    writer.write(b"half")
    first.close()  # with the writer open it counts as a crash
    assert len(_files(tmp_path)) == 2
    second = Store(tmp_path, Catalog(tmp_path / "catalog.sqlite"))
    try:
        _wait(lambda: len(_files(tmp_path)) == 1)
        with second.open(second.catalog.buckets.get(Bck("b")), "kept") as reader:
            assert reader.read_all() == b"x"
        _wait(lambda: len(second.catalog.db.query("SELECT boot FROM boots")) == 1)
    finally:
        second.close()
        writer.abort()


def test_many_threads_write_one_object(store: Store, bucket: Bucket) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            store.put(bucket, "o", b"%d" % number * 1000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.head(bucket, "o").version == 80
    with store.open(bucket, "o") as reader:
        assert len(set(reader.read_all())) == 1


def test_full_disk(store: Store, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.put(bucket, "o", b"old")
    with monkeypatch.context() as patch:
        patch.setattr("os.write", write)
        with pytest.raises(OutOfSpace, match="No space left on device"):
            store.put(bucket, "o", b"new")
    with store.open(bucket, "o") as reader:
        assert reader.read_all() == b"old"
    assert len(_files(tmp_path)) == 1


def test_a_disk_is_not_filled_to_its_last_byte(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(bucket, "o", b"bytes")
    monkeypatch.setattr(files, "_KEPT_FREE", (1 << 60, 1 << 60))
    with pytest.raises(OutOfSpace, match="are kept for the catalog"):
        store.put(bucket, "p", b"bytes")
    store.delete(bucket, "o")
    assert not store.open_writers


def test_a_folder_is_filled_before_the_next(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    metas = [store.put(bucket, f"o{number}", b"") for number in range(300)]
    assert len({meta.file.rpartition("/")[0] for meta in metas}) == 2
    assert len(_files(tmp_path)) == 300


@pytest.mark.skipif(sys.platform != "linux", reason="ioctl numbers of Linux")
def test_folders_are_scattered_where_the_file_system_can(
    store: Store, bucket: Bucket, tmp_path: Path
) -> None:
    import fcntl

    def flags(folder: Path) -> int:
        fd = os.open(folder, os.O_RDONLY)
        try:
            found = bytearray(8)
            fcntl.ioctl(fd, 0x80086601, found)
        except OSError:
            pytest.skip("no flags on this file system")
        finally:
            os.close(fd)
        return int.from_bytes(found, sys.byteorder)

    probe = tmp_path / "probe"
    probe.mkdir()
    before = flags(probe)
    fd = os.open(probe, os.O_RDONLY)
    files._scatter(fd)
    os.close(fd)
    if flags(probe) == before:
        pytest.skip("the file system does not know the flag")
    run = Path(store.path(store.put(bucket, "o", b""))).parents[1]
    assert flags(run) & 0x00020000


def test_folders_of_runs_have_other_names(tmp_path: Path) -> None:
    names = {files.Files(DataFolder(tmp_path), 1, boot).new_name(0, "o").split("/")[2] for boot in range(8)}
    assert len(names) > 1


def test_a_sweep_does_not_take_a_folder_for_a_run(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    kept = store.put(bucket, "o", b"")
    number = kept.file.rpartition("/")[2].partition("~")[0]
    folder = kept.file.split("/")[2]
    left = tmp_path / "t0" / folder / "0" / f"{number}~left"
    left.parent.mkdir(parents=True)
    left.touch()
    store.files.sweep(store.catalog, [int(folder, 16)], threading.Event(), store.quota)
    assert not left.exists()
    assert Path(store.path(kept)).exists()
