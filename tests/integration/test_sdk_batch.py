"""Get-Batch end to end: every format, in order, with what is missing in its place."""

import random
import threading

import pytest

from aistore.sdk.errors import ErrObjNotFound

FORMATS = (".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4")
CONTENT = {f"train/{n:03}.bin": bytes([n]) * n * 100 for n in range(60)}


@pytest.fixture
def filled(bucket):
    for name, data in CONTENT.items():
        bucket.object(name).get_writer().put_content(data)
    return bucket


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("only_obj_name", [True, False])
def test_shuffled_names_come_in_order(client, filled, format, streaming, only_obj_name):
    names = random.Random(7).sample(list(CONTENT), len(CONTENT))
    batch = client.batch(
        names, filled, output_format=format, streaming_get=streaming, only_obj_name=only_obj_name
    )
    assert [(info.obj_name, data) for info, data in batch.get()] == [(name, CONTENT[name]) for name in names]


@pytest.mark.parametrize("streaming", [True, False])
def test_missing_entries_are_in_their_place(client, filled, streaming):
    names = ["train/001.bin", "nope", "train/002.bin", "nope/either", "train/003.bin"]
    results = list(client.batch(names, filled, streaming_get=streaming).get())
    assert [bool(info.err_msg) for info, _ in results] == [False, True, False, True, False]
    assert [data for _, data in results] == [CONTENT.get(name, b"") for name in names]


@pytest.mark.parametrize("streaming", [True, False])
def test_missing_entry_ends_a_batch_that_must_not_miss_any(client, filled, streaming):
    batch = client.batch(["train/001.bin", "nope"], filled, cont_on_err=False, streaming_get=streaming)
    with pytest.raises(ErrObjNotFound):
        list(batch.get())


def test_ranges_and_opaque(client, filled):
    batch = client.batch(bucket=filled)
    batch.add("train/050.bin", start=10, length=20, opaque=b"\xfe\xff?")
    batch.add(filled.object("train/050.bin"), start=4990, length=-1)
    batch.add("train/000.bin")
    (one, first), (_, second), (_, empty) = batch.get()
    assert (first, second, empty) == (bytes([50]) * 20, bytes([50]) * 10, b"")
    assert (one.opaque, one.size) == (b"\xfe\xff?", 20)


def test_empty_batch(client, bucket):
    assert list(client.batch(bucket=bucket).get()) == []


def test_raw_is_an_archive(client, filled):
    import io
    import tarfile

    body = client.batch(["train/005.bin"], filled).get(raw=True)
    with tarfile.open(fileobj=io.BytesIO(body.read())) as tar:
        assert tar.getnames() == [f"{filled.name}/train/005.bin"]
    body.close()


def test_batches_from_many_threads(client, filled):
    names = list(CONTENT)
    failed = []

    def read(seed: int) -> None:
        for turn in range(5):
            chosen = random.Random(seed * 100 + turn).sample(names, 20)
            found = [(info.obj_name, data) for info, data in client.batch(chosen, filled).get()]
            if found != [(name, CONTENT[name]) for name in chosen]:
                failed.append(chosen)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


@pytest.mark.parametrize("streaming", [True, False])
def test_views_of_entries(client, filled, streaming):
    names = [*CONTENT, "nope"]
    batch = client.batch(names, filled, streaming_get=streaming)
    for (info, view), name in zip(batch.get(views=True), names, strict=True):
        assert (info.obj_name, bytes(view)) == (name, CONTENT.get(name, b""))
    with pytest.raises(ValueError, match="views"):
        client.batch(names, filled, output_format=".zip").get(views=True)
