"""What is published or removed is decided in the transaction that does it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aistore._files import Directory
from aistore.local import bucket_props
from aistore.local.api import promote
from aistore.local.catalog import Bucket, Completion, Part
from aistore.local.errors import (
    BucketNotFound,
    ChecksumMismatch,
    ObjectChanged,
    PartNotFound,
    UploadNotFound,
)
from aistore.local.names import Bck
from aistore.local.store import ContentWriter, ObjectReader, ObjectWriter, Store, unchanged
from aistore.local.store.assembly import assemble


def add_part(store: Store, bucket: Bucket, number: int, data: bytes) -> Part:
    writer = ContentWriter(store, "o", 0, bucket.checksum_type)
    writer.write(data)
    kind = bucket.checksum_type
    part = Part(number, writer.finish(), writer.size, kind, writer.digest(kind))
    assert store.catalog.uploads.put_part("id", part)
    writer.keep()
    return part


@pytest.fixture(params=[1, 2])
def completion(request: pytest.FixtureRequest, store: Store, bucket: Bucket) -> Completion:
    """Give an upload of one part, and of two, as a request has read it."""
    store.catalog.uploads.create("id", bucket, "o")
    parts = [add_part(store, bucket, number, b"part") for number in range(1, request.param + 1)]
    return Completion("id", parts, only_these=True)


def read(store: Store, bucket: Bucket, name: str = "o") -> bytes:
    with store.open(bucket, name) as reader:
        return reader.read_all()


def test_a_part_that_was_sent_again_is_not_published(
    store: Store, bucket: Bucket, completion: Completion
) -> None:
    again = add_part(store, bucket, 1, b"again")
    with pytest.raises(PartNotFound, match="part 1 was sent again meanwhile"):
        assemble(store, bucket, "o", completion)
    current = completion._replace(parts=[again, *completion.parts[1:]])
    assemble(store, bucket, "o", current)
    assert read(store, bucket).startswith(b"again")


def test_a_part_that_was_added_is_not_lost(store: Store, bucket: Bucket, completion: Completion) -> None:
    add_part(store, bucket, 3, b"more")
    with pytest.raises(PartNotFound, match="part 3 was sent meanwhile"):
        assemble(store, bucket, "o", completion)
    # S3 permits to leave parts out.
    assemble(store, bucket, "o", completion._replace(only_these=False))


def test_an_upload_that_is_over_is_not_published(
    store: Store, bucket: Bucket, completion: Completion
) -> None:
    assemble(store, bucket, "o", completion)
    store.put(bucket, "o", b"later")
    with pytest.raises((UploadNotFound, PartNotFound)):
        assemble(store, bucket, "o", completion)
    assert read(store, bucket) == b"later"


def test_bytes_of_a_part_that_changed_on_disk_are_not_published(store: Store, bucket: Bucket) -> None:
    store.catalog.uploads.create("id", bucket, "o")
    parts = [add_part(store, bucket, number, b"part") for number in (1, 2)]
    Path(store.files.path(parts[1].file)).write_bytes(b"tarp")
    with pytest.raises(ChecksumMismatch, match="part 2 of"):
        assemble(store, bucket, "o", Completion("id", parts))
    assert not store.exists(bucket, "o")


def test_an_object_that_is_rewritten_keeps_what_was_written_meanwhile(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "o", b"a")
    writes = iter([b"b", b"c"])

    def add(reader: ObjectReader | None, writer: ObjectWriter) -> None:
        writer.write((reader.read_all() if reader is not None else b"") + b"+")
        for data in writes:
            store.put(bucket, "o", data)
            break

    store.rewrite(bucket, "o", add)
    assert read(store, bucket) == b"c+"


def test_an_object_that_never_rests_is_not_rewritten(store: Store, bucket: Bucket) -> None:
    def overtaken(_: ObjectReader | None, writer: ObjectWriter) -> None:
        writer.write(b"based on an older one")
        store.put(bucket, "o", b"newest")

    with pytest.raises(ObjectChanged, match="was changed by another request"):
        store.rewrite(bucket, "o", overtaken)
    assert read(store, bucket) == b"newest"


def test_a_copy_takes_the_bytes_that_it_opened(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(bucket, "o", b"opened")
    link = ObjectWriter.link

    def replaced_before(self: ObjectWriter, meta: Any) -> bool:
        Path(store.path(meta)).unlink()
        return link(self, meta)

    monkeypatch.setattr(ObjectWriter, "link", replaced_before)
    store.copy(bucket, "o", bucket, "copy")
    assert read(store, bucket, "copy") == b"opened"


def test_a_copy_of_an_object_that_another_replaced_is_refused(store: Store, bucket: Bucket) -> None:
    checked = store.put(bucket, "o", b"checked")
    store.put(bucket, "o", b"other")
    with pytest.raises(ObjectChanged):
        store.copy(bucket, "o", bucket, "copy", source_if=unchanged(bucket, "o", checked))
    with pytest.raises(ObjectChanged):
        store.update(bucket, "o", custom={}, only_if=unchanged(bucket, "o", checked))


def test_a_promoted_file_does_not_replace_what_was_put_meanwhile(
    store: Store, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"promoted")
    state: Any = SimpleNamespace(store=store)
    monkeypatch.setattr(store, "exists", lambda *_: store.put(bucket, "o", b"put") is None)
    asked = promote._PromoteMsg(delete=True)
    with closing(Directory.open(str(tmp_path))) as folder:
        assert promote._promote_file(state, bucket, folder, "file", "o", asked) is None
    assert read(store, bucket) == b"put"
    assert file.exists()


@pytest.mark.parametrize("changed", [False, True])
def test_a_promoted_file_that_was_replaced_meanwhile_is_not_removed(
    store: Store, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"promoted")
    commit = ObjectWriter.commit

    def replace(self: ObjectWriter, *args: Any, **kwargs: Any) -> Any:
        if changed:
            (tmp_path / "newer").write_bytes(b"newer")
            (tmp_path / "newer").replace(file)
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(ObjectWriter, "commit", replace)
    state: Any = SimpleNamespace(store=store)
    with closing(Directory.open(str(tmp_path))) as folder:
        assert promote._promote_file(state, bucket, folder, "file", "o", promote._PromoteMsg(delete=True))
    assert read(store, bucket) == b"promoted"
    assert file.exists() == changed


def test_nothing_changes_in_a_bucket_that_was_removed(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "o", b"x")
    # Not yet out of the memory of buckets: what counts is what the transaction sees.
    store.catalog.buckets.drop(bucket.bck)
    store.catalog.buckets._by_bck[bucket.bck] = bucket
    for change in (
        lambda: store.put(bucket, "o", b"y"),
        lambda: store.delete(bucket, "o"),
        lambda: store.rename(bucket, "o", "p"),
        lambda: store.update(bucket, "o", custom={}),
        lambda: store.catalog.uploads.create("id", bucket, "o"),
    ):
        with pytest.raises(BucketNotFound):
            change()


def test_renaming_an_object_to_its_own_name_keeps_it(store: Store, bucket: Bucket) -> None:
    store.put(bucket, "o", b"x")
    store.rename(bucket, "o", "o")
    assert store.leftovers().files == 0
    assert read(store, bucket) == b"x"


def test_a_bucket_of_the_same_name_is_another(store: Store, bucket: Bucket) -> None:
    with store.writer(bucket, "o") as writer:
        writer.write(b"for the first")
        store.catalog.buckets.drop(bucket.bck)
        store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
        with pytest.raises(BucketNotFound):
            writer.commit()
