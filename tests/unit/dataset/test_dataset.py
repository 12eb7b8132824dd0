"""Datasets: samples from files, shards, uploads."""

import sys
import tarfile
import types

import pytest
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.sdk.dataset.data_attribute import DataAttribute
from aistore.sdk.dataset.data_shard import DataShard
from aistore.sdk.dataset.dataset_config import DatasetConfig
from aistore.sdk.dataset.label_attribute import LabelAttribute
from aistore.sdk.errors import InvalidArgument


@pytest.fixture
def images(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    (tmp_path / "a.txt").write_bytes(b"text of a")
    return tmp_path


@pytest.fixture
def config(images):
    return DatasetConfig(
        DataAttribute(images, "image", "jpg"),
        [LabelAttribute("cls", "abc".index), DataAttribute(images, "note", "txt")],
    )


def test_samples_are_in_the_order_of_their_names(config):
    samples = list(config.generate_dataset(1000))
    assert [sample["__key__"] for sample, _ in samples] == ["sample_0000", "sample_0001", "sample_0002"]
    assert samples[0] == (
        {"__key__": "sample_0000", "image.jpg": b"a", "cls": 0, "note.txt": b"text of a"},
        [],
    )
    assert samples[1][1] == ["b - note.txt"]


@pytest.mark.parametrize("count", [0, -1, "9", True])
def test_number_of_samples_is_checked(config, count):
    with pytest.raises(InvalidArgument):
        next(config.generate_dataset(count))


class TarWriter:
    """What is used of `webdataset.ShardWriter`: files of `maxcount` samples, each reported to `post`."""

    def __init__(self, pattern, maxcount, post=None):
        self.pattern, self.maxcount, self.post, self.samples = pattern, maxcount, post, []
        self.shard = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.flush()

    def write(self, sample):
        self.samples.append(sample)
        if len(self.samples) == self.maxcount:
            self.flush()

    def flush(self):
        if not self.samples:
            return
        path = self.pattern % self.shard
        with tarfile.open(path, "w") as tar:
            for sample in self.samples:
                tar.addfile(tarfile.TarInfo(sample["__key__"]))
        self.shard, self.samples = self.shard + 1, []
        if self.post:
            self.post(path)


@pytest.fixture
def webdataset(monkeypatch):
    module = types.ModuleType("webdataset")
    module.ShardWriter = TarWriter
    monkeypatch.setitem(sys.modules, "webdataset", module)


@pytest.mark.usefixtures("webdataset")
@pytest.mark.parametrize(("skip_missing", "shards"), [(True, 1), (False, 3)])
def test_shards_are_uploaded_and_removed(config, tmp_path, monkeypatch, skip_missing, shards):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    posted, told = [], []
    with scripted(lambda request: Answer()) as (server, client):
        Bucket("bck", client).write_dataset(
            config,
            skip_missing=skip_missing,
            pattern="train",
            maxcount=1,
            post=posted.append,
            progress=told.append,
        )
    names = [f"train-{index}.tar" for index in range(shards)]
    assert posted == names
    assert [(update.name, update.objects, update.total_objects) for update in told] == [
        (name, number, None) for number, name in enumerate(names, 1)
    ]
    assert told[-1].bytes == sum(len(request.body) for request in server.requests)
    assert [request.path for request in server.requests if request.body] == [
        f"/v1/objects/bck/{n}" for n in names
    ]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.usefixtures("webdataset")
def test_nobody_need_be_told_of_a_shard(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with scripted(lambda request: Answer()) as (server, client):
        Bucket("bck", client).write_dataset(config, pattern="train")
    assert [request.path for request in server.requests if request.body] == [
        "/v1/objects/bck/train-000000.tar"
    ]


@pytest.mark.usefixtures("webdataset")
def test_shards_stay_without_a_bucket(config, tmp_path):
    config.write_shards(skip_missing=False, pattern=str(tmp_path / "ds"))
    assert (tmp_path / "ds-000000.tar").exists()


def test_says_what_is_missing_for_shards(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(ImportError, match="pip install webdataset"):
        config.write_shards(skip_missing=True)


def test_data_shard_names_a_bucket():
    shard = DataShard("http://localhost:8080", "bck", provider="s3", prefix="a")
    assert (shard.bucket.name, shard.bucket.provider.value, shard.etl_name) == ("bck", "aws", None)
    shard.client.close()
