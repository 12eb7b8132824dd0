"""The calls that other programs make, which are too large to install here or not released yet."""

import inspect
import io
import tarfile
from typing import get_origin

import pytest

from aistore import Client
from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.types import MossIn, MossReq
from aistore.sdk.enums import Colocation
from aistore.sdk.errors import AISError


def test_a_storage_of_dlio_benchmark(endpoint, bucket):
    """A new client and bucket by name, everything by writers and readers, `AISError` caught."""
    again = Client(endpoint).bucket(bucket.name).create(exist_ok=True)
    assert again.head()
    for number in range(3):
        again.object(f"train/img_{number}.npy").get_writer().put_content(bytes([number]) * 10)
    assert [entry.name for entry in again.list_objects_iter(prefix="train")] == [
        f"train/img_{number}.npy" for number in range(3)
    ]
    obj = again.object("train/img_1.npy")
    assert obj.head()
    assert obj.get_reader().read_all() == b"\x01" * 10
    for text, size in (("bytes=2-4", 3), ("bytes=4-", 6), ("bytes=-7", 7)):
        assert len(obj.get_reader(byte_range=text).read_all()) == size
    obj.delete()
    with pytest.raises(AISError):
        obj.head()


def test_ranges_by_the_size_in_props(endpoint, bucket):
    """Indexed readers of Lhotse and NeMo: an object by URL, its size, then one range for each read."""
    data = bytes(range(256))
    bucket.object("dir/index.bin").get_writer().put_content(data)
    obj = Client(endpoint, max_pool_size=50).get_object_from_url(f"ais://{bucket.name}/dir/index.bin")
    assert int(obj.props.size) == len(data)
    assert obj.get_reader(byte_range="bytes=10-19").read_all() == data[10:20]
    assert obj.get_reader(byte_range=f"bytes=250-{len(data) - 1}").read_all() == data[250:]


def test_a_listing_by_whichever_argument_there_is(bucket):
    """Lhotse's scan of Shar folders tries the names of methods and arguments of several versions."""
    for name in ("shar/a.tar", "shar/b.tar", "else"):
        bucket.object(name).get_writer().put_content(b"x")
    with pytest.raises(TypeError):
        bucket.list_objects(prefix_filter="shar/")
    listing = bucket.list_objects(prefix="shar/")
    assert [entry.name for entry in getattr(listing, "entries", listing)] == ["shar/a.tar", "shar/b.tar"]


def test_single_members_instead_of_a_batch(client, bucket):
    """What loaders fall back to where a batch fails: the entries of the request, one by one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("dir/0.wav")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"RIFF"))
    bucket.object("shard.tar").get_writer().put_content(out.getvalue())
    batch = client.batch()
    batch.add(bucket.object("shard.tar"), archpath="dir/0.wav")
    for entry in list(batch.requests_list):
        config = ArchiveConfig(archpath=entry.archpath)
        obj = client.bucket(bck_name=entry.bck, provider=entry.provider).object(entry.obj_name)
        assert obj.get_reader(archive_config=config).read_all() == b"RIFF"


def test_entries_put_past_the_checks_of_a_batch(client, bucket):
    """Loaders append entries to the list of the request themselves, and look at the models before they do."""
    assert {"obj_name", "bck", "provider", "archpath", "start", "length"} <= set(MossIn.model_fields)
    assert [name for name, field in MossIn.model_fields.items() if field.is_required()] == ["obj_name"]
    assert get_origin(MossReq.model_fields["moss_in"].annotation) is list
    assert isinstance(vars(Batch)["requests_list"], property)
    assert "moss_in" in inspect.getsource(vars(Batch)["requests_list"].fget)
    place = {"bck": bucket.name, "provider": "ais", "obj_name": "shard.tar"}
    part = MossIn.model_construct(**place, start=0, length=1)
    dumped = part.model_dump(by_alias=True, exclude_defaults=True)
    assert (dumped["start"], dumped["length"]) == (0, 1)
    assert MossIn.model_construct(**place).model_dump_json() == MossIn(**place).model_dump_json()

    bucket.object("shard.tar").get_writer().put_content(bytes(range(100)))
    batch = client.batch(colocation=Colocation.TARGET_AWARE)
    batch.requests_list.append(MossIn.model_construct(**place, start=40, length=5))
    batch.requests_list.append(part)
    batch.requests_list.append(MossIn.model_construct(**place))
    results = batch.get()
    assert next(results)[1] == bytes(range(40, 45))
    assert next(results)[1] == b"\0"
    assert next(results)[1] == bytes(range(100))
    assert next(results, None) is None
