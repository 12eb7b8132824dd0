"""Checkpoints as objects: `torch.save` and `torch.load`, and `torch.distributed.checkpoint`."""

import os
import pickle
import random
import subprocess
import sys
import textwrap

import pytest

torch = pytest.importorskip("torch")

import torch.distributed.checkpoint as dcp  # noqa: E402

from aistore.pytorch import AISCheckpoint, AISStorageReader, AISStorageWriter  # noqa: E402
from aistore.pytorch.errors import ErrUnsafeCheckpoint  # noqa: E402
from aistore.sdk.errors import SDKError  # noqa: E402
from aistore.sdk.obj.multipart_upload import MultipartUpload  # noqa: E402

# torch's own, on every CPU-only machine or with one process
pytestmark = [
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
    pytest.mark.filterwarnings("ignore:Detected an existing checkpoint"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated"),
]


@pytest.fixture
def checkpoints(client, bucket):
    return AISCheckpoint(client, f"ais://{bucket.name}/runs/1")


def make_state(size=100):
    generator = torch.Generator().manual_seed(7)
    return {
        "model": {"weight": torch.rand(size, 5, generator=generator), "bias": torch.arange(5)},
        "step": 12,
        "lr": 0.1,
    }


def assert_same(left, right):
    assert left["step"] == right["step"]
    assert left["lr"] == right["lr"]
    for name, tensor in left["model"].items():
        assert torch.equal(tensor, right["model"][name])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_comes_back(checkpoints, bucket, zipped):
    state = make_state()
    with checkpoints.writer("a.pt") as file:
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
    with checkpoints.reader("a.pt") as file:
        assert_same(torch.load(file, weights_only=True), state)
    assert [entry.name for entry in bucket.list_all_objects()] == ["runs/1/a.pt"]
    assert checkpoints.names() == ["a.pt"]
    checkpoints.delete("a.pt")
    assert checkpoints.names() == []


def test_a_large_state_goes_and_comes_in_parts(checkpoints, monkeypatch):
    state = make_state(2_000_000)  # 40 MB
    created = []
    original = MultipartUpload.create
    monkeypatch.setattr(MultipartUpload, "create", lambda self: created.append(self) or original(self))
    with checkpoints.writer("large.pt") as file:
        torch.save(state, file)
        assert checkpoints.names() == []  # saved and flushed, and not visible before it is closed
    assert len(created) == 1
    assert len(created[0].parts) >= 4
    with checkpoints.reader("large.pt") as file:
        assert_same(torch.load(file, weights_only=True), state)


def test_a_block_that_raises_leaves_the_checkpoint_as_it_is(checkpoints):
    with checkpoints.writer("a.pt") as file:
        file.write(b"old")
    with pytest.raises(ZeroDivisionError), checkpoints.writer("a.pt") as file:
        print(file.write(b"new" * 10_000_000) / 0)
    with checkpoints.reader("a.pt") as file:
        assert file.read() == b"old"


def test_a_part_that_fails_fails_the_checkpoint(checkpoints, monkeypatch):
    original = MultipartUpload.begin_part

    def refuse(self, number):
        if number == 3:
            raise SDKError("no part 3 today")
        original(self, number)

    monkeypatch.setattr(MultipartUpload, "begin_part", refuse)
    with pytest.raises(SDKError, match="no part 3"), checkpoints.writer("a.pt") as file:
        file.write(bytes(50_000_000))
    assert checkpoints.names() == []


def test_a_missing_checkpoint_is_file_not_found(checkpoints):
    with pytest.raises(FileNotFoundError, match="none"):
        checkpoints.reader("none.pt")


def test_files_seek_like_files(checkpoints):
    data = random.Random(3).randbytes(20_000_000)
    with checkpoints.writer("a") as file:
        file.write(data)
        assert file.tell() == len(data)
    with checkpoints.reader("a") as file:
        assert file.seekable()
        assert file.seek(-5, os.SEEK_END) == len(data) - 5
        assert file.read() == data[-5:]
        assert file.read(1) == b""
        assert file.seek(100) == 100
        assert file.read(10) == data[100:110]
        assert file.seek(90, os.SEEK_CUR) == file.tell() == 200
        buffer = bytearray(19_000_000)
        assert file.readinto(buffer) == len(buffer)
        assert buffer == data[200 : 200 + len(buffer)]
        with pytest.raises(ValueError, match="before the first byte"):
            file.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_what_cannot_be_sought_in_is_refused(client, bucket):
    obj = bucket.object("a")
    obj.get_writer().put_content(b"content")
    with pytest.raises(ValueError, match="as it is stored"):
        obj.get_reader(byte_range="bytes=1-2").as_seekable_file()
    with pytest.raises(ValueError, match="num_workers"):
        obj.get_reader().as_seekable_file(num_workers=0)
    with pytest.raises(ValueError, match="num_workers"):
        obj.get_writer().as_upload(num_workers=0)
    for url in ("", "bucket/name", "ais://"):
        with pytest.raises(ValueError, match="URL"):
            AISCheckpoint(client, url)


# ---------------------------------------------------------------- torch.distributed.checkpoint


def test_one_process_saves_and_loads(client, bucket):
    state = make_state()
    url = f"ais://{bucket.name}/dcp/step-1"
    dcp.save(state, storage_writer=AISStorageWriter(client, url))
    names = [entry.name for entry in bucket.list_all_objects()]
    assert names == ["dcp/step-1/.metadata", "dcp/step-1/__0_0.distcp"]
    loaded = {
        "model": {"weight": torch.zeros(100, 5), "bias": torch.zeros(5, dtype=torch.int64)},
        "step": 0,
        "lr": 0,
    }
    dcp.load(loaded, storage_reader=AISStorageReader(client, url))
    assert_same(loaded, state)


def test_a_checkpoint_is_replaced_or_not(client, bucket):
    url = f"ais://{bucket.name}/dcp"
    for step in (1, 2):
        dcp.save({"step": step}, storage_writer=AISStorageWriter(client, url))
    loaded = {"step": 0}
    dcp.load(loaded, storage_reader=AISStorageReader(client, url))
    assert loaded == {"step": 2}
    with pytest.raises(dcp.CheckpointException, match="already exists"):
        dcp.save({"step": 3}, storage_writer=AISStorageWriter(client, url, overwrite=False))


def test_the_checkpoint_id_goes_before_the_path(client, bucket):
    url = f"ais://{bucket.name}/dcp"
    dcp.save({"step": 5}, checkpoint_id=f"{url}/5", storage_writer=AISStorageWriter(client, url))
    loaded = {"step": 0}
    dcp.load(loaded, checkpoint_id=f"{url}/5", storage_reader=AISStorageReader(client, url))
    assert loaded == {"step": 5}
    with pytest.raises(dcp.CheckpointException, match=r"\.metadata"):
        dcp.load(loaded, storage_reader=AISStorageReader(client, url))
    for path in ("ais://bucket", "dir/file"):
        with pytest.raises(ValueError, match="URL"):
            AISStorageWriter(client, path)


def test_files_of_torch_are_read(client, bucket, tmp_path):
    dcp.save(make_state(), checkpoint_id=tmp_path / "here")
    for path in (tmp_path / "here").iterdir():
        bucket.object(f"copied/{path.name}").get_writer().put_file(path)
    loaded = {
        "model": {"weight": torch.zeros(100, 5), "bias": torch.zeros(5, dtype=torch.int64)},
        "step": 0,
        "lr": 0,
    }
    dcp.load(loaded, storage_reader=AISStorageReader(client, f"ais://{bucket.name}/copied"))
    assert_same(loaded, make_state())


class Evil:
    def __reduce__(self):
        return os.system, ("false",)


def test_metadata_that_could_run_code_is_refused(client, bucket):
    bucket.object("evil/.metadata").get_writer().put_content(pickle.dumps(Evil()))
    reader = AISStorageReader(client, f"ais://{bucket.name}/evil")
    with pytest.raises(ErrUnsafeCheckpoint, match=r"posix\.system"):
        reader.read_metadata()


def test_values_that_could_run_code_are_refused(client, bucket):
    url = f"ais://{bucket.name}/evil"
    dcp.save({"value": random.Random(1)}, storage_writer=AISStorageWriter(client, url))
    with pytest.raises(dcp.CheckpointException, match="Weights only"):
        dcp.load({"value": None}, storage_reader=AISStorageReader(client, url))
    loaded = {"value": None}
    dcp.load(loaded, storage_reader=AISStorageReader(client, url, weights_only=False))
    assert loaded["value"].getstate() == random.Random(1).getstate()


TWO_RANKS = """
    import sys, torch, warnings
    import torch.distributed as dist, torch.distributed.checkpoint as dcp
    from aistore import Client
    from aistore.pytorch import AISStorageReader, AISStorageWriter
    warnings.simplefilter("ignore")
    endpoint, url, store, rank = sys.argv[1:4] + [int(sys.argv[4])]
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    client = Client(endpoint)
    state = {"shared": torch.arange(10), f"own{rank}": torch.full((3,), rank)}
    dcp.save(state, storage_writer=AISStorageWriter(client, url))
    loaded = {"shared": torch.zeros(10, dtype=torch.int64), f"own{rank}": torch.zeros(3, dtype=torch.int64)}
    dcp.load(loaded, storage_reader=AISStorageReader(client, url))
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    dist.destroy_process_group()
"""


def test_two_ranks_save_and_load(endpoint, bucket, tmp_path):
    url = f"ais://{bucket.name}/two"
    command = [sys.executable, "-c", textwrap.dedent(TWO_RANKS), endpoint, url, str(tmp_path / "store")]
    ranks = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(2)]
    try:
        errors = [rank.communicate(timeout=60)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    assert ".metadata" in {entry.name.rpartition("/")[2] for entry in bucket.list_all_objects()}
