"""Iterable datasets: each object once, split, shuffled, resumed; in every kind of worker."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
import time
from unittest.mock import Mock, patch

import pytest
from shards import make_shard

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than CPUs
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),  # the test's own threads
]

from torch.utils.data import DataLoader  # noqa: E402

from aistore.pytorch import (  # noqa: E402
    AISBaseIterDataset,
    AISBatchIterDataset,
    AISIterDataset,
    AISShardReader,
)
from aistore.pytorch.errors import ErrCannotResume, ErrSampleClash, ErrSampleUnreadable  # noqa: E402
from aistore.sdk.ais_source import AISSource  # noqa: E402
from aistore.sdk.bucket import Bucket  # noqa: E402
from aistore.sdk.errors import InvalidArgument, SDKError  # noqa: E402

NAMES = [f"{number:02}" for number in range(23)]


@pytest.fixture
def samples(bucket):
    for name in NAMES:
        bucket.object(name).get_writer().put_content(name.encode() * 10)
    return bucket


def make(kind, client, bucket, **options):
    if kind is AISBatchIterDataset:
        return kind(bucket, client, max_batch_size=4, **options)
    return kind(bucket, **options)


KINDS = pytest.mark.parametrize("kind", [AISIterDataset, AISBatchIterDataset])


def names(dataset):
    return [name for name, _ in dataset]


def read(dataset, workers, context=None):
    loader = DataLoader(
        dataset, batch_size=None, num_workers=workers, multiprocessing_context=context, timeout=60
    )
    return [name for name, _ in loader]


@pytest.fixture
def listings(monkeypatch):
    """Count the listings of buckets in this process."""
    calls = []
    original = Bucket.list_all_objects_iter

    def counted(self, prefix="", **options):
        calls.append(prefix)
        return original(self, prefix, **options)

    monkeypatch.setattr(Bucket, "list_all_objects_iter", counted)
    return calls


@KINDS
def test_samples_are_names_and_contents(kind, client, samples):
    assert list(make(kind, client, samples)) == [(name, name.encode() * 10) for name in NAMES]


@KINDS
def test_len_does_not_list_again(kind, client, samples, listings):  # defect 40
    dataset = make(kind, client, samples)
    assert len(dataset) == len(NAMES)
    assert names(dataset) == names(dataset) == NAMES
    assert len(dataset) == len(NAMES)
    assert len(listings) == 1
    samples.object("99").get_writer().put_content(b"new")
    dataset.refresh()
    assert names(dataset) == [*NAMES, "99"]


@pytest.mark.parametrize(
    ("kind", "context"),
    [
        (AISIterDataset, "fork"),
        (AISBatchIterDataset, "fork"),
        (AISIterDataset, "spawn"),
        # Each worker imports torch anew, which takes seconds.
        pytest.param(AISBatchIterDataset, "spawn", marks=pytest.mark.full),
        pytest.param(AISIterDataset, "forkserver", marks=pytest.mark.full),
        pytest.param(AISBatchIterDataset, "forkserver", marks=pytest.mark.full),
    ],
)
def test_workers_read_each_object_once(kind, context, client, samples):
    dataset = make(kind, client, samples)
    assert sorted(read(dataset, 2, context)) == NAMES


def test_workers_share_one_listing(samples, tmp_path, monkeypatch):
    log = tmp_path / "log"
    original = Bucket.list_all_objects_iter

    def logged(self, prefix="", **options):
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return original(self, prefix, **options)

    monkeypatch.setattr(Bucket, "list_all_objects_iter", logged)
    dataset = AISIterDataset(samples)
    loader = DataLoader(dataset, batch_size=None, num_workers=3, multiprocessing_context="fork", timeout=60)
    for _ in range(2):
        assert sorted(name for name, _ in loader) == NAMES
    assert len(log.read_text().split()) == 1


def test_the_shared_listing_is_removed_with_its_dataset(samples):
    dataset = AISIterDataset(samples)
    read(dataset, 2)
    path = dataset._shared.path
    assert os.path.exists(path)
    del dataset
    assert not os.path.exists(path)


@KINDS
@pytest.mark.parametrize("partition", [False, True])
def test_ranks_and_workers_split_the_objects(kind, partition, client, samples):
    sources = [samples, client.bucket(samples.name)]
    prefixes = {"prefix_map": {samples: ["0", "1"]}}
    seen = []
    for rank in range(2):
        options = {"partition_sources_by_worker": partition, "rank": rank, "world_size": 2, **prefixes}
        if kind is AISBatchIterDataset:
            dataset = kind(sources, client, max_batch_size=3, **options)
        else:
            dataset = kind(sources, **options)
        share = read(dataset, 2)
        assert len(dataset) == len(share)
        seen += share
    assert sorted(seen) == sorted(NAMES[:20] * 2)


def test_ranks_come_from_the_environment(samples, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    dataset = AISIterDataset(samples)
    assert names(dataset) == NAMES[1::4]
    assert len(dataset) == len(NAMES[1::4])
    assert pickle.loads(pickle.dumps(dataset))._rank() == (1, 4)


def test_order_depends_on_seed_and_epoch_only(samples):
    def order(seed, epoch):
        dataset = AISIterDataset(samples, shuffle=True, seed=seed)
        dataset.set_epoch(epoch)
        return names(dataset)

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(found) == NAMES for found in orders)
    assert len({tuple(found) for found in orders}) == 4
    assert order(1, 1) == orders[3]


def test_set_epoch_reaches_living_workers(samples):
    dataset = AISIterDataset(samples, shuffle=True)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=True, timeout=60)
    orders = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        orders.append([name for name, _ in loader])
    assert sorted(orders[0]) == sorted(orders[1]) == NAMES
    assert orders[0] != orders[1]


@KINDS
@pytest.mark.parametrize("shuffle", [False, True])
def test_resumes_after_every_sample(kind, shuffle, client, samples):
    whole = names(make(kind, client, samples, shuffle=shuffle))
    for stop in (0, 1, 4, 5, len(NAMES)):
        dataset = make(kind, client, samples, shuffle=shuffle)
        iterator = iter(dataset)
        first = [next(iterator)[0] for _ in range(stop)]
        state = json.loads(json.dumps(dataset.state_dict()))
        iterator.close()
        resumed = make(kind, client, samples, shuffle=shuffle)
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert first + names(resumed) == whole
        assert names(resumed) == whole


def test_a_state_of_other_objects_or_another_split_is_refused(samples):
    dataset = AISIterDataset(samples)
    iterator = iter(dataset)
    for _ in range(3):
        next(iterator)
    state = dataset.state_dict()
    iterator.close()
    other = AISIterDataset(samples, rank=0, world_size=2)
    other.load_state_dict(state)
    with pytest.raises(ErrCannotResume, match="stride 1, now 2"):
        next(iter(other))
    samples.object("00").delete()
    changed = AISIterDataset(samples)
    changed.load_state_dict(state)
    with pytest.raises(ErrCannotResume, match="objects changed"):
        next(iter(changed))


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata calls it
@pytest.mark.parametrize("workers", [0, 2])
def test_stateful_data_loader_resumes_at_the_sample(samples, workers):
    loaders = pytest.importorskip("torchdata.stateful_dataloader")

    def loader():
        dataset = AISIterDataset(samples, shuffle=True, seed=3)
        return loaders.StatefulDataLoader(
            dataset, batch_size=None, num_workers=workers, timeout=60 if workers else 0
        )

    whole = [name for name, _ in loader()]
    assert sorted(whole) == NAMES
    running = loader()
    iterator = iter(running)
    first = [next(iterator)[0] for _ in range(9)]
    state = running.state_dict()
    del iterator
    resumed = loader()
    resumed.load_state_dict(state)
    assert first + [name for name, _ in resumed] == whole


def test_a_manifest_is_listed_once_for_all(samples, tmp_path, listings):
    path = tmp_path / "listing.json"
    assert names(AISIterDataset(samples, manifest=path, rank=0, world_size=2)) == NAMES[::2]
    samples.object("999").get_writer().put_content(b"late")
    assert names(AISIterDataset(samples, manifest=path, rank=1, world_size=2)) == NAMES[1::2]
    assert len(listings) == 1
    with pytest.raises(InvalidArgument, match=r"listing\.json"):
        names(AISIterDataset(samples, {samples: "0"}, manifest=path))


def test_a_manifest_in_a_bucket_is_written_by_rank_0(client, samples, listings):
    where = f"ais://{samples.name}/listings/1.json"
    shares = {}

    def share(rank):
        shares[rank] = names(AISIterDataset(samples, rank=rank, world_size=3, manifest=where))

    others = [threading.Thread(target=share, args=(rank,)) for rank in (1, 2)]
    for thread in others:
        thread.start()
    assert not listings
    share(0)
    for thread in others:
        thread.join(60)
    assert shares == {rank: NAMES[rank::3] for rank in range(3)}
    assert len(listings) == 1
    dataset = AISIterDataset(samples, {samples: "0"}, manifest=where)
    with pytest.raises(InvalidArgument, match=r"1\.json"):
        names(dataset)
    dataset.refresh()
    assert names(dataset) == NAMES[:10]


@pytest.mark.parametrize("place", ["file", "object"])
def test_a_saved_manifest_keeps_the_listing(client, samples, tmp_path, listings, place):
    where = tmp_path / "listing.json" if place == "file" else f"ais://{samples.name}-meta/listing.json"
    meta = client.bucket(f"{samples.name}-meta").create()
    AISIterDataset(samples).save_manifest(where)
    assert len(listings) == 1
    samples.object("99").get_writer().put_content(b"late")
    dataset = AISBatchIterDataset(samples, client, manifest=where)
    assert len(dataset) == len(NAMES)
    assert sorted(read(dataset, 2, "fork")) == NAMES
    assert [obj.size_cached for obj in dataset._all_items()][:2] == [20, 20]
    assert len(listings) == 1
    AISIterDataset(samples).save_manifest(where)
    assert len(AISIterDataset(samples, manifest=where)) == len(NAMES) + 1
    meta.delete()


def test_what_is_no_manifest_is_refused(samples):
    samples.object("listing").get_writer().put_content(b"something else")
    with pytest.raises(InvalidArgument, match="no manifest"):
        names(AISIterDataset(samples, manifest=f"ais://{samples.name}/listing"))
    with pytest.raises(InvalidArgument, match="ais://bucket"):
        AISIterDataset(samples, manifest="ais://bucket")
    with pytest.raises(NotImplementedError, match="buckets"):
        AISIterDataset(OwnSource()).save_manifest("nowhere")


class OwnSource(AISSource):
    client = None

    def list_all_objects_iter(self, prefix="", props="name,size"):
        return iter(())

    def list_urls(self, prefix="", etl=None):
        return iter(())


def test_a_manifest_that_was_not_written_to_its_end_is_written_again(samples, tmp_path):
    path = tmp_path / "listing.json"
    assert names(AISIterDataset(samples, manifest=path)) == NAMES
    path.write_bytes(path.read_bytes()[:50])
    assert names(AISIterDataset(samples, manifest=path)) == NAMES


def test_a_missing_object_is_named_or_left_out(client, samples, caplog):
    group = gone_one(samples)
    dataset = AISBatchIterDataset(group, client)
    with pytest.raises(RuntimeError, match="gone") as caught:
        list(dataset)
    assert isinstance(caught.value, ErrSampleUnreadable)
    assert isinstance(caught.value, SDKError)
    assert names(AISBatchIterDataset(group, client, cont_on_err=True)) == ["00", "01"]
    assert "gone" in caplog.text


def gone_one(bucket):
    """Give a source that names an object which is not there."""
    group = bucket.objects(obj_names=["00", "gone", "01"])
    group.list_all_objects_iter = lambda prefix="": (bucket.object(name) for name in ("00", "gone", "01"))
    return group


@pytest.mark.parametrize("max_batch_size", [1, 32])
def test_a_missing_object_is_an_error_or_left_out(samples, caplog, max_batch_size):
    options = {"max_batch_size": max_batch_size}
    with pytest.raises(FileNotFoundError, match="gone"):
        list(AISIterDataset(gone_one(samples), **options))
    assert names(AISIterDataset(gone_one(samples), cont_on_err=True, **options)) == ["00", "01"]
    assert "gone" in caplog.text


@pytest.mark.parametrize("kind", [AISIterDataset, AISBatchIterDataset])
def test_an_error_in_a_worker_names_the_object(kind, client, samples):
    dataset = make(kind, client, gone_one(samples))
    iterator = iter(DataLoader(dataset, batch_size=None, num_workers=1, timeout=60))
    with pytest.raises(RuntimeError, match="gone"):
        list(iterator)
    iterator._shutdown_workers()  # else when the traceback is collected, by whichever thread, for seconds


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name == "ais-prefetch"]


def test_dropping_an_iterator_ends_its_threads(client, samples):
    iterator = iter(AISBatchIterDataset(samples, client, max_batch_size=2, read_ahead=4))
    next(iterator)
    assert len(reading_threads()) == 4
    del iterator
    assert not reading_threads()


def test_what_is_read_ahead_is_bounded(client, bucket):
    for number in range(40):
        bucket.object(f"{number:02}").get_writer().put_content(bytes(100_000))
    dataset = AISBatchIterDataset(bucket, client, max_batch_size=40, max_buffer=300_000)
    iterator = iter(dataset)
    next(iterator)
    (buffered,) = [
        value for value in iterator.gi_frame.f_locals.values() if getattr(value, "__name__", "") == "prefetch"
    ]
    readers = buffered.gi_frame.f_locals["readers"]
    for _ in range(200):
        assert readers._held <= 300_000 + 2 * 100_000
        time.sleep(0.001)
    assert sum(1 for _ in iterator) == 39


@pytest.mark.parametrize("options", [{"output_format": ".zip"}, {"streaming": False}])
def test_batch_options(client, samples, options):
    dataset = AISBatchIterDataset(samples, client, max_batch_size=10, **options)
    assert names(dataset) == NAMES


def test_bad_options_are_refused(client, samples):
    for options in (
        {"max_batch_size": 0},
        {"read_ahead": 0},
        {"output_format": ".rar"},
        {"rank": 2, "world_size": 2},
    ):
        with pytest.raises(
            ValueError, match=next(iter(options)) if "output_format" not in options else "rar"
        ):
            AISBatchIterDataset(samples, client, **options)
    for kind in (AISIterDataset, AISShardReader):
        with pytest.raises(ValueError, match="ais_source_list"):
            kind([])


# ---------------------------------------------------------------- shards

SHARDS = {
    "a.tar": [("x/0.jpg", b"j0"), ("x/0.cls", b"c0"), ("x/1.jpg", b"j1"), ("README", b"-")],
    "b.tar": [("2.cls", b"c2"), ("3.seg.png", b"p3")],
}
SAMPLES = [
    ("x/0", {"jpg": b"j0", "cls": b"c0"}),
    ("x/1", {"jpg": b"j1", "cls": b""}),
    ("2", {"cls": b"c2", "jpg": b"", "png": b""}),
    ("3", {"png": b"p3", "jpg": b"", "cls": b""}),
]


@pytest.fixture
def shards(bucket):
    for name, members in SHARDS.items():
        bucket.object(name).get_writer().put_content(make_shard(".tar", members))
    return bucket


@pytest.mark.parametrize("read_ahead", [0, 1, 3])
def test_shards_are_read_as_samples(shards, read_ahead):
    assert list(AISShardReader(shards, read_ahead=read_ahead)) == SAMPLES
    assert [name for name, _ in AISShardReader(shards, {shards: "b"})] == ["2", "3"]


MEMBERS = [(f"{shard}/{path}", content) for shard, members in SHARDS.items() for path, content in members]


def test_members_of_archives_are_samples(client, shards, tmp_path):
    shards.object("plain").get_writer().put_content(b"no archive")
    dataset = AISBatchIterDataset(shards, client, archive_members=True, max_batch_size=3)
    assert sorted(dataset) == sorted(MEMBERS)
    assert len(dataset) == len(MEMBERS)
    assert sorted(read(dataset, 2, "fork")) == sorted(name for name, _ in MEMBERS)
    options = {"archive_members": True, "shuffle": True, "manifest": tmp_path / "m"}
    shares = [AISBatchIterDataset(shards, client, rank=rank, world_size=2, **options) for rank in (0, 1)]
    assert sorted(shares[0]) + sorted(shares[1]) != sorted(MEMBERS)
    assert sorted([*shares[0], *shares[1]]) == sorted(MEMBERS)
    group = AISBatchIterDataset(shards.objects(obj_names=["b.tar"]), client, archive_members=True)
    assert list(group) == MEMBERS[4:]
    with pytest.raises(InvalidArgument, match="members"):
        names(AISBatchIterDataset(shards, client, manifest=tmp_path / "m"))
    with pytest.raises(NotImplementedError, match="members"):
        AISBatchIterDataset(OwnSource(), client, archive_members=True)


def test_members_are_resumed_and_missed_by_name(client, shards):
    def make():
        return AISBatchIterDataset(shards, client, archive_members=True, shuffle=True, max_batch_size=2)

    whole = names(make())
    dataset = make()
    iterator = iter(dataset)
    first = [next(iterator)[0] for _ in range(3)]
    resumed = make()
    resumed.load_state_dict(dataset.state_dict())
    assert first + names(resumed) == whole
    dataset = make()
    assert len(dataset) == len(MEMBERS)  # lists
    shards.object("b.tar").get_writer().put_content(make_shard(".tar", [("2.cls", b"c2")]))
    with pytest.raises(ErrSampleUnreadable, match=r"b\.tar/3\.seg\.png"):
        list(dataset)


def test_len_of_shard_reader_counts_samples(shards):  # defect 8
    assert len(AISShardReader(shards)) == 4
    assert [len(AISShardReader(shards, rank=rank, world_size=2)) for rank in range(2)] == [2, 2]
    assert len(list(AISShardReader(shards, rank=1, world_size=2))) == 2


def test_shard_workers_read_each_sample_once(shards):
    assert sorted(read(AISShardReader(shards), 2)) == ["2", "3", "x/0", "x/1"]


def test_shards_resume_within_a_shard(shards):
    for stop in range(5):
        dataset = AISShardReader(shards)
        iterator = iter(dataset)
        first = [next(iterator)[0] for _ in range(stop)]
        state = dataset.state_dict()
        iterator.close()
        resumed = AISShardReader(shards)
        resumed.load_state_dict(state)
        assert first + names(resumed) == ["x/0", "x/1", "2", "3"]


FOLDERS = [
    ("./cat/0001.png", b"cat"),
    ("cat/0001.cls", b"0"),
    ("dog/0001.png", b"dog"),
    ("dog/0001.seg.png", b"dog's"),
    ("dog/0001.depth.png", b"far"),
    ("dog/._0001.png", b"apple"),
    (".DS_Store", b"apple"),
    ("README", b"read"),
    ("dog/0001.", b"dot"),
]


def test_folders_of_a_shard_are_told_apart(bucket):
    bucket.object("s.tar").get_writer().put_content(make_shard(".tar", FOLDERS))
    dataset = AISShardReader(bucket)
    for _ in range(2):
        samples = {key: {name: data for name, data in sample.items() if data} for key, sample in dataset}
        assert samples == {
            "cat/0001": {"png": b"cat", "cls": b"0"},
            "dog/0001": {"png": b"dog", "seg.png": b"dog's", "depth.png": b"far"},
        }
        assert dataset.left_out == 4
    assert len(dataset) == 2
    assert len(AISShardReader(bucket, keys="basename")) == 1


@pytest.mark.parametrize(
    ("members", "arguments", "words"),
    [
        ([("a/1.x", b"1"), ("a/1.x", b"2")], {}, "s.tar: 'a/1.x' is another 'x' of the sample 'a/1'"),
        ([("./1.x", b"1"), ("1.x", b"2")], {}, "'1.x' is another 'x' of the sample '1'"),
        ([("1.a.x", b"1"), ("1.x", b"2"), ("1.a.x", b"3")], {}, "'1.a.x' is another"),
        ([("a/1.x", b"1"), ("b/1.x", b"2")], {"keys": "basename"}, "keys='path' tells folders apart"),
        ([("1.a.x", b"1"), ("1.x", b"2")], {"keys": "basename"}, "'1.x' is another 'x'"),
    ],
)
def test_two_files_for_one_part_of_a_sample_are_an_error(bucket, members, arguments, words):
    bucket.object("s.tar").get_writer().put_content(make_shard(".tar", members))
    with pytest.raises(ErrSampleClash, match=re.escape(words)) as caught:
        list(AISShardReader(bucket, **arguments))
    assert isinstance(caught.value, ValueError)


def test_keys_of_2_0_0_where_they_are_unique(shards):
    samples = list(AISShardReader(shards, keys="basename"))
    assert samples == [(key.removeprefix("x/"), sample) for key, sample in SAMPLES]
    with pytest.raises(InvalidArgument, match="keys must be 'path' or 'basename', not 'name'"):
        AISShardReader(shards, keys="name")


def test_what_is_no_tar_is_a_tar_error(shards):
    shards.object("c.tar").get_writer().put_content(b"no tar at all" * 100)
    with pytest.raises(tarfile.TarError, match=r"c\.tar") as caught:
        list(AISShardReader(shards))
    assert isinstance(caught.value, SDKError)


# ---------------------------------------------------------------- without libraries


@pytest.mark.parametrize("missing", [["tqdm", "tqdm.auto"], ["tqdm", "tqdm.auto", "rich", "rich.progress"]])
def test_progress_library_is_optional(samples, monkeypatch, missing):  # defect 40
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert names(AISIterDataset(samples, show_progress=True)) == NAMES


def test_missing_torch_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import aistore.pytorch, aistore.pytorch.utils as u\n"
    code += "try: aistore.pytorch.AISMapDataset\nexcept ImportError as err: print(err)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'aistore[pytorch]'" in done.stdout


def test_the_package_loads_nothing_at_import():
    code = "import sys, aistore.pytorch; print('torch' in sys.modules, 'requests' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]


class Halves(AISBaseIterDataset):
    """A program's own dataset, as the 2.0.0 package's pages show it: two samples of each object."""

    def __iter__(self):
        self._reset_iterator()
        objects, title = self._get_worker_iter_info()
        for obj in objects:
            yield obj.name, title
            yield obj.name, title


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_dataset_of_ones_own_is_split_between_workers(samples, workers):
    dataset = Halves(samples)
    assert names(dataset) == [name for name in NAMES for _ in range(2)]
    assert {title for _, title in dataset} == {""}
    found = list(DataLoader(dataset, batch_size=None, num_workers=workers, timeout=60 if workers else 0))
    assert sorted(name for name, _ in found) == names(dataset)
    titles = {f" (Worker {number})" for number in range(workers)} if workers > 1 else {""}
    assert {title for _, title in found} == titles


def test_a_dataset_of_ones_own_is_split_between_ranks_and_shuffled(samples):
    parts = [set(names(Halves(samples, rank=rank, world_size=2, shuffle=True))) for rank in range(2)]
    assert parts[0] | parts[1] == set(NAMES)
    assert not parts[0] & parts[1]
    sources = Halves([samples, samples], {samples: ["00", "01"]}, partition_sources_by_worker=True)
    assert len(read(sources, 2)) == 8


def test_a_dataset_of_ones_own_resumes_at_the_object_it_was_in(samples):
    dataset = Halves(samples)
    going = iter(dataset)
    assert [next(going)[0] for _ in range(3)] == ["00", "00", "01"]
    again = Halves(samples)
    again.load_state_dict(dataset.state_dict())
    assert names(again)[:3] == ["01", "01", "02"]


def stand_in(name, content):
    obj = Mock()
    obj.name = name
    obj.get_reader.return_value.read_all.return_value = content
    return obj


def bucket_of(*objects):
    bucket = Mock(Bucket)
    bucket.list_all_objects_iter.side_effect = lambda **_: iter(objects)
    return bucket


def test_programs_tests_put_mocks_in_the_place_of_buckets_and_objects():
    objects = [stand_in(name, name.encode()) for name in "abc"]
    assert list(AISIterDataset(ais_source_list=bucket_of(*objects))) == [
        ("a", b"a"),
        ("b", b"b"),
        ("c", b"c"),
    ]
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("1.jpg"))
        tar.addfile(tarfile.TarInfo("1.cls"))
    shards = AISShardReader(bucket_list=bucket_of(stand_in("t.tar", shard.getvalue())))
    assert list(shards) == [("1", {"jpg": b"", "cls": b""})]


@pytest.mark.parametrize("where", ["aistore.pytorch.base_iter_dataset.torch_utils", "torch.utils.data"])
def test_programs_tests_put_a_worker_in_the_place_of_this_one(where):
    objects = [stand_in(name, name.encode()) for name in "abc"]
    with patch(f"{where}.get_worker_info", return_value=Mock(id=1, num_workers=2)):
        assert names(AISIterDataset(ais_source_list=bucket_of(*objects))) == ["b"]
