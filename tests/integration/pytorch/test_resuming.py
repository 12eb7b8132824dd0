"""Resuming at the exact sample with torchdata's loader: every dataset and kind of worker, within batches."""

import json

import pytest
from shards import make_shard

pytest.importorskip("torch")
loaders = pytest.importorskip("torchdata.stateful_dataloader")

from aistore.pytorch import (  # noqa: E402
    AISBatchIterDataset,
    AISIterDataset,
    AISMultiShardStream,
    AISShardReader,
)
from aistore.sdk.dataset.data_shard import DataShard  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than CPUs
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),  # the test's own threads
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata calls it
    pytest.mark.filterwarnings("ignore:Length of IterableDataset"),
]

COUNT = 29


@pytest.fixture
def samples(bucket):
    for number in range(COUNT):
        bucket.object(f"objects/{number:02}").get_writer().put_content(b"-" * number)
    for shard in range(6):
        members = [(f"{shard}{number}.bin", f"{shard}{number}".encode()) for number in range(5)]
        bucket.object(f"shards/{shard}.tar").get_writer().put_content(make_shard(".tar", members))
    return bucket


class Make:
    """Makes a dataset by name, with the same source and options each time."""

    def __init__(self, name, client, bucket):
        self.name, self.client, self.bucket = name, client, bucket

    def __call__(self, **options):
        objects, shards = {self.bucket: "objects/"}, {self.bucket: "shards/"}
        if self.name == "iter":
            return AISIterDataset(self.bucket, objects, max_batch_size=4, **options)
        if self.name == "batch":
            return AISBatchIterDataset(self.bucket, self.client, objects, max_batch_size=4, **options)
        if self.name == "shards":
            return AISShardReader(self.bucket, shards, **options)
        url = self.client._request_client.base_url.removesuffix("/v1")
        sources = [DataShard(url, self.bucket.name, prefix="shards/") for _ in range(2)]
        return AISMultiShardStream(sources, max_batch_size=4, **options)


def key(sample):
    first = sample[0]
    return first if isinstance(first, str) else first.decode()


def keys(batches):
    return [[key(sample) for sample in batch] for batch in batches]


@pytest.fixture(params=["iter", "batch", "shards", "streams"])
def make(request, client, samples):
    return Make(request.param, client, samples)


def loader(dataset, workers, context=None, **options):
    return loaders.StatefulDataLoader(
        dataset,
        batch_size=3,
        collate_fn=list,
        num_workers=workers,
        multiprocessing_context=context,
        timeout=60 if workers else 0,
        **options,
    )


def resume(make, workers, context, stop, **options):
    """Return what one run gives, and what a run stopped after so many batches and a resumed one do."""
    whole = keys(loader(make(**options), workers, "fork" if context else None))
    running = loader(make(**options), workers, context)
    iterator = iter(running)
    first = keys(next(iterator) for _ in range(stop))
    state = running.state_dict()
    json.dumps(state["_snapshot"]["_worker_snapshots"] if workers else state["dataset_state"])
    del iterator, running
    resumed = loader(make(**options), workers, context)
    resumed.load_state_dict(state)
    return whole, first + keys(resumed)


@pytest.mark.parametrize("shuffle", [False, True])
def test_one_process_resumes(make, shuffle):
    whole, parts = resume(make, 0, None, 4, shuffle=shuffle, seed=5)
    assert parts == whole
    assert len({name for batch in whole for name in batch}) == sum(map(len, whole)) >= COUNT


def check_workers(make, context):
    whole, parts = resume(make, 2, context, 4, shuffle=True)
    assert parts == whole
    assert len({name for batch in whole for name in batch}) == sum(map(len, whole)) >= COUNT


def test_forked_workers_resume(make):
    check_workers(make, "fork")


@pytest.mark.parametrize("context", ["spawn", pytest.param("forkserver", marks=pytest.mark.full)])
def test_other_workers_resume(client, samples, context):
    check_workers(Make("batch", client, samples), context)


def test_each_worker_stops_within_a_batch_of_its_own(client, samples):
    # Batches of 3 of requests of 4: every stop is at another place of a request.
    make = Make("batch", client, samples)
    for stop in (1, 2, 3, 7):
        whole, parts = resume(make, 2, "fork", stop)
        assert parts == whole


def test_epochs_go_on_after_the_resumed_one(client, samples):
    make = Make("batch", client, samples)

    def epochs(count, stop=None):
        dataset = make(shuffle=True, seed=1)
        running = loader(dataset, 2, "fork", persistent_workers=True)
        for epoch in range(count):
            dataset.set_epoch(epoch)
            for number, batch in enumerate(running):
                yield epoch, [key(sample) for sample in batch]
                if (epoch, number) == stop:
                    yield running.state_dict()
                    return

    whole = list(epochs(3))
    *first, state = epochs(2, stop=(1, 3))
    dataset = make(shuffle=True, seed=1)
    running = loader(dataset, 2, "fork", persistent_workers=True)
    running.load_state_dict(state)
    rest = []
    for epoch in (1, 2):
        dataset.set_epoch(epoch)
        rest += [(epoch, [key(sample) for sample in batch]) for batch in running]
    assert first + rest == whole
    assert {name for epoch, batch in whole if epoch == 1 for name in batch} == {
        f"objects/{number:02}" for number in range(COUNT)
    }


def test_a_state_at_the_end_of_an_epoch_begins_the_next(client, samples):
    make = Make("batch", client, samples)
    for workers in (0, 2):
        running = loader(make(), workers, "fork" if workers else None)
        whole = keys(running)
        resumed = loader(make(), workers, "fork" if workers else None)
        resumed.load_state_dict(running.state_dict())
        assert keys(resumed) in ([], whole)
        assert keys(resumed) == whole
