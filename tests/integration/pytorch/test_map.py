"""Map-style datasets, the batch sampler, and streams of several sources."""

import os
import pickle
import threading
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
    AISBaseMapDataset,
    AISMapDataset,
    AISMultiShardStream,
    AISParallelMapDataset,
    DynamicBatchSampler,
)
from aistore.sdk import DataShard  # noqa: E402
from aistore.sdk.bucket import Bucket  # noqa: E402

SIZES = {"a/0": 10, "a/1": 0, "a/2": 40, "b/3": 100, "b/4": 30, "b/5": 30}
KEPT = [10, 40, 30, 30]  # that fit into a batch of 60


@pytest.fixture
def objects(bucket):
    for name, size in SIZES.items():
        bucket.object(name).get_writer().put_content(name[-1:].encode() * size)
    return bucket


def content(name):
    return name[-1:].encode() * SIZES[name]


def test_items(objects):
    dataset = AISMapDataset(objects)
    assert len(dataset) == len(SIZES)
    assert [dataset[index] for index in range(len(SIZES))] == [(name, content(name)) for name in SIZES]
    assert dataset[-1][0] == "b/5"
    assert dataset.__getitems__([4, 0]) == [("b/4", content("b/4")), ("a/0", content("a/0"))]
    with pytest.raises(IndexError, match="6 objects"):
        dataset[6]


class Lengths(AISBaseMapDataset):
    def __len__(self):
        return len(self._obj_list)

    def __getitem__(self, index):
        return threading.get_ident(), len(self._obj_list[index].get_reader().read_all())


class Upper(AISMapDataset):
    def __getitem__(self, index):
        return threading.get_ident(), super().__getitem__(index)[0].upper()


@pytest.mark.parametrize(("kind", "expected"), [(Lengths, [100, 10, 40]), (Upper, ["B/3", "A/0", "A/2"])])
def test_samples_of_a_programs_own_class_are_made_in_the_thread_that_asks(objects, kind, expected):
    # Its `__getitem__` may use random numbers, or libraries that are not thread-safe.
    assert kind(objects).__getitems__([3, 0, 2]) == [(threading.get_ident(), sample) for sample in expected]


def test_a_programs_test_puts_objects_in_the_place_of_the_listing():
    obj = Mock()
    obj.name = "a"
    obj.get_reader.return_value.read_all.return_value = b"data"
    with patch(
        "aistore.pytorch.base_map_dataset.AISBaseMapDataset._create_objects_list", return_value=[obj] * 3
    ):
        dataset = AISMapDataset(ais_source_list=Mock(Bucket))
    assert list(DataLoader(dataset, batch_size=2, collate_fn=list)) == [
        [("a", b"data")] * 2,
        [("a", b"data")],
    ]


def test_prefixes_and_several_sources(objects):
    group = objects.objects(obj_names=["b/3"])
    dataset = AISMapDataset([objects, group], {objects: ["a/2", "a/0"]})
    assert [obj.name for obj in dataset.get_obj_list()] == ["a/2", "a/0", "b/3"]
    assert len(AISMapDataset(objects, {objects: None})) == len(SIZES)


@pytest.mark.parametrize("kind", [AISMapDataset, AISParallelMapDataset])
def test_no_source_is_refused(kind):
    with pytest.raises(ValueError, match="ais_source_list"):
        kind()


@pytest.mark.parametrize("context", ["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.full)])
def test_workers(objects, context):
    dataset = AISMapDataset(objects)
    loader = DataLoader(dataset, batch_size=2, num_workers=2, multiprocessing_context=context, timeout=60)
    assert [name for names, _ in loader for name in names] == list(SIZES)


def collate(samples):
    return [(name, bytes(buffer.buf)) for name, buffer in samples]


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.full)])
def test_parallel_reads_work_in_daemonic_workers_and_for_empty_objects(objects, context):  # defect 28
    dataset = AISParallelMapDataset(objects, num_workers=2)
    assert dataset.num_workers == 2
    loader = DataLoader(
        dataset, 3, num_workers=2, multiprocessing_context=context, timeout=60, collate_fn=collate
    )
    assert [sample for batch in loader for sample in batch] == [(name, content(name)) for name in SIZES]


def test_parallel_buffer_closes(objects):
    name, buffer = AISParallelMapDataset(objects)[3]
    with buffer:
        assert (name, buffer.tobytes()) == ("b/3", content("b/3"))


def test_parallel_needs_two_workers(objects):
    with pytest.raises(ValueError, match="num_workers"):
        AISParallelMapDataset(objects, num_workers=1)


def test_datasets_pickle(objects):
    assert pickle.loads(pickle.dumps(AISMapDataset(objects)))[0] == ("a/0", content("a/0"))


# ---------------------------------------------------------------- sampler


def test_batches_fill_up_to_the_size(objects):
    dataset = AISMapDataset(objects)
    assert list(DynamicBatchSampler(dataset, 60)) == [[0, 2], [4, 5]]
    oversized = DynamicBatchSampler(dataset, 45, allow_oversized_samples=True)
    assert list(oversized) == [[0], [3], [2], [4], [5]]
    assert [3] not in list(DynamicBatchSampler(dataset, 45))


def test_len_of_the_sampler_counts_batches(objects):  # defect 8
    dataset = AISMapDataset(objects)
    sampler = DynamicBatchSampler(dataset, 60)
    assert len(sampler) == len(list(sampler)) == 2
    shuffled = DynamicBatchSampler(dataset, 60, shuffle=True)
    for _ in range(5):
        batches = list(shuffled)
        assert len(shuffled) == len(batches)
    loader = DataLoader(dataset, batch_sampler=sampler)
    assert len(loader) == 2
    assert [list(names) for names, _ in loader] == [["a/0", "a/2"], ["b/4", "b/5"]]


def test_shuffling_follows_the_seed_of_torch(objects):
    dataset = AISMapDataset(objects)
    passes = []
    for _ in range(2):
        torch.manual_seed(5)
        sampler = DynamicBatchSampler(dataset, 60, shuffle=True)
        passes.append([list(sampler) for _ in range(3)])
    assert passes[0] == passes[1]
    assert all(sorted(index for batch in batches for index in batch) == [0, 2, 4, 5] for batches in passes[0])


def test_the_last_batch_is_dropped_unless_filled_well(objects):
    dataset = AISMapDataset(objects, {objects: ["a/0", "a/2", "b/4"]})
    assert list(DynamicBatchSampler(dataset, 60)) == [[0, 1], [2]]
    assert list(DynamicBatchSampler(dataset, 60, drop_last=True)) == [[0, 1]]
    assert list(DynamicBatchSampler(dataset, 60, drop_last=True, saturation_factor=0.4)) == [[0, 1], [2]]


@pytest.mark.parametrize("options", [{"saturation_factor": 1.1}, {"saturation_factor": -1}])
def test_sampler_refuses_what_cannot_be(objects, options):
    dataset = AISMapDataset(objects)
    with pytest.raises(ValueError, match="saturation_factor"):
        DynamicBatchSampler(dataset, 60, **options)
    with pytest.raises(ValueError, match="max_batch_size"):
        DynamicBatchSampler(dataset, 0)


# ---------------------------------------------------------------- several sources


def test_streams_of_several_sources_end_with_the_shortest(bucket, endpoint):
    images = [("0.jpg", b"j0"), ("1.jpg", b"j1"), ("2.jpg", b"j2")]
    for name, members in {
        "images/a.tar": images[:2],
        "images/b.tar": images[2:],
        "labels/a.tar": [("0.cls", b"c0"), ("1.cls", b"c1")],
    }.items():
        bucket.object(name).get_writer().put_content(make_shard(".tar", members))
    sources = [DataShard(endpoint, bucket.name, prefix=prefix) for prefix in ("images/", "labels/")]
    stream = AISMultiShardStream(sources)
    assert list(stream) == [(b"j0", b"c0"), (b"j1", b"c1")]
    loader = DataLoader(stream, batch_size=None, num_workers=2, timeout=60)
    assert sorted(map(tuple, loader)) == [(b"j0", b"c0"), (b"j1", b"c1")]
    for source in sources:
        source.client.close()


@pytest.fixture
def streams(bucket, endpoint):
    """Give two sources of the same 20 members in 4 shards each."""
    for prefix in ("a", "b"):
        for shard in range(4):
            members = [(f"{number}.bin", f"{prefix}{shard}{number}".encode()) for number in range(5)]
            bucket.object(f"{prefix}/{shard}.tar").get_writer().put_content(make_shard(".tar", members))
    sources = [DataShard(endpoint, bucket.name, prefix=f"{prefix}/") for prefix in ("a", "b")]
    yield sources
    for source in sources:
        source.client.close()


EXPECTED = [
    tuple(f"{prefix}{index // 5}{index % 5}".encode() for prefix in ("a", "b")) for index in range(20)
]


@pytest.mark.parametrize("max_batch_size", [1, 3, 32])
def test_streams_are_read_many_at_a_time(streams, max_batch_size):
    assert list(AISMultiShardStream(streams, max_batch_size=max_batch_size)) == EXPECTED


def test_workers_of_a_stream_share_one_listing(streams, tmp_path, monkeypatch):
    log = tmp_path / "log"
    original = Bucket.list_archive

    def logged(self, name, *args, **options):
        with log.open("a") as file:
            file.write(f"{name}\n")
        return original(self, name, *args, **options)

    monkeypatch.setattr(Bucket, "list_archive", logged)
    loader = DataLoader(
        AISMultiShardStream(streams),
        batch_size=None,
        num_workers=3,
        multiprocessing_context="fork",
        timeout=60,
    )
    for _ in range(2):
        assert sorted(map(tuple, loader)) == EXPECTED
    assert sorted(log.read_text().split()) == sorted(f"{p}/{n}.tar" for p in ("a", "b") for n in range(4))


def test_ranks_of_a_stream_share_a_manifest_and_shuffle(streams, tmp_path):
    options = {"manifest": tmp_path / "m.json", "shuffle": True, "seed": 4}
    shares = [list(AISMultiShardStream(streams, rank=rank, world_size=2, **options)) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == EXPECTED
    assert sorted(shares[0]) != shares[0]
    with pytest.raises(ValueError, match=r"m\.json"):
        list(AISMultiShardStream(streams[:1], manifest=tmp_path / "m.json"))


def test_a_member_that_is_gone_is_named(streams, bucket, tmp_path):
    manifest = tmp_path / "m.json"
    list(AISMultiShardStream(streams, manifest=manifest))
    bucket.object("b/2.tar").get_writer().put_content(make_shard(".tar", [("0.bin", b"b20")]))
    with pytest.raises(FileNotFoundError, match=r"b/2\.tar"):
        list(AISMultiShardStream(streams, manifest=manifest))


def test_streams_need_a_source():
    with pytest.raises(ValueError, match="DataShard"):
        AISMultiShardStream([])


LARGE = {f"large/{number}": bytes([number]) * (200_000 + number) for number in range(6)}


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_buffers_come_from_workers(bucket, context):
    """In shared memory, or as bytes when they are small."""
    contents = {**LARGE, "small": b"small", "small/empty": b""}
    for name, data in contents.items():
        bucket.object(name).get_writer().put_content(data)
    dataset = AISParallelMapDataset(bucket, num_workers=2)
    loader = DataLoader(
        dataset, batch_size=2, num_workers=2, collate_fn=list, multiprocessing_context=context, timeout=100
    )
    got = {}
    for batch in loader:
        for name, buffer in batch:
            with buffer:
                got[name] = buffer.tobytes()
    assert got == contents


def test_buffers_that_are_not_taken_leave_nothing(bucket):
    for name, data in LARGE.items():
        bucket.object(name).get_writer().put_content(data)
    before = set(os.listdir("/dev/shm"))
    loader = DataLoader(AISParallelMapDataset(bucket), batch_size=None, num_workers=2, timeout=100)
    name, buffer = next(iter(loader))
    assert buffer.tobytes() == LARGE[name]
    assert {one for one in os.listdir("/dev/shm") if "aistore" in one} <= before
