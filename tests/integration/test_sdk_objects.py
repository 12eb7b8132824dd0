"""Objects end to end: what is written is what is read, in every way that there is."""

import os
import threading

import pytest

from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.errors import ErrObjNotFound, InvalidArgument
from aistore.sdk.obj.errors import ErrObjectChanged

MIB = 1 << 20
NAMES = [
    "plain.txt",
    "a b?c#d%e&f=g+h;'\"\\i",
    "naïve/名前/🎉",
    "a//b",
    ".hidden/.../x",
    "n" * 255,
    "d/" * 100 + "deep",
]


def archive(bucket, name: str, members: dict[str, bytes]):
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    bucket.object(name).get_writer().put_content(out.getvalue())
    return bucket.object(name)


@pytest.mark.parametrize("name", NAMES)
def test_names_address_what_they_name(bucket, name):
    obj = bucket.object(name)
    obj.get_writer().put_content(name.encode())
    assert obj.get_reader().read_all() == name.encode()
    assert obj.head().size == len(name.encode())
    assert [entry.name for entry in bucket.list_all_objects()] == [name]
    obj.delete()
    with pytest.raises(ErrObjNotFound):
        obj.get_reader().read_all()


@pytest.mark.parametrize("size", [0, 1, 100_000, 20 * MIB])
def test_what_is_written_is_read(bucket, tmp_path, size):
    data = os.urandom(size)
    obj = bucket.object("obj")
    with obj.get_writer().as_file("w") as file:
        file.write(data[: size // 3])
        file.write(data[size // 3 :])
    assert obj.head().size == size
    for options in ({}, {"num_workers": 3, "chunk_size": MIB}, {"direct": True}, {"latest": True}):
        reader = obj.get_reader(validate_checksum=True, **options)
        content = reader.read_all()
        assert (content if isinstance(content, bytes) else content.tobytes()) == data
        assert b"".join(reader) == data
        with reader.as_file() as file:
            assert file.read() == data
        buffer = bytearray(size)
        assert reader.readinto(buffer) == size
        assert buffer == data
    path = tmp_path / "file"
    with path.open("wb") as file:
        obj.get_reader(writer=file)
    obj.get_writer().put_file(path)
    assert obj.get_reader().read_all() == data


def test_ranges(bucket):
    obj = bucket.object("obj")
    obj.get_writer().put_content(b"0123456789")
    for text, wanted in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")):
        assert obj.get_reader(byte_range=text).read_all() == wanted
        assert obj.get_reader(byte_range=text).as_file().read() == wanted


def test_archive_members(bucket):
    shard = archive(bucket, "shard.tar", {"d/a.txt": b"A", "d/b.txt": b"B", "c.jpg": b"C"})
    assert shard.get_reader(archive_config=ArchiveConfig("d/a.txt")).read_all() == b"A"
    found = shard.get_reader(archive_config=ArchiveConfig(regex=".txt", mode=ArchiveMode.SUFFIX)).read_all()
    assert b"d/a.txt" in found
    assert b"c.jpg" not in found
    with pytest.raises(ErrObjNotFound):
        shard.get_reader(archive_config=ArchiveConfig("nope")).read_all()


def test_properties(bucket):
    obj = bucket.object("obj")
    obj.get_writer().put_content(b"hello world")
    assert obj.props_cached is None
    props = obj.props
    assert (props.checksum_type, props.checksum_value) == ("xxhash2", "45ab6734b21e6968")
    assert props.present
    assert obj.props_cached is props
    writer = obj.get_writer()
    writer.set_custom_props({"a": "1", "b": "x=y"})
    writer.set_custom_props({"c": "3"})
    assert obj.props.custom_metadata == {"a": "1", "b": "x=y", "c": "3"}
    writer.set_custom_props({"d": "4"}, replace_existing=True)
    assert obj.props.custom_metadata == {"d": "4"}
    head = obj.head()
    assert head["ais-checksum-value"] == "45ab6734b21e6968"
    assert head.get("nope") is None
    with pytest.warns(DeprecationWarning, match="head"):
        assert obj.head_v2("checksum").checksum_value == "45ab6734b21e6968"


def test_appends(bucket):
    obj = bucket.object("obj")
    writer = obj.get_writer()
    handle = writer.append_content(b"one")
    handle = writer.append_content(b"two", handle)
    with pytest.raises(ErrObjNotFound):
        obj.get_reader().read_all()
    assert writer.append_content(b"", handle, flush=True) == ""
    with writer.as_file() as file:
        file.write(b"three")
        file.flush()
        assert obj.get_reader().read_all() == b"onetwothree"
        file.write(b"four")
    assert obj.get_reader().read_all() == b"onetwothreefour"


@pytest.mark.parametrize("size", [10, 20 * MIB])
@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_file_whose_block_raises_leaves_the_object_alone(bucket, size, mode):
    obj = bucket.object("obj")
    obj.get_writer().put_content(b"before")
    file = obj.get_writer().as_file(mode)
    with pytest.raises(KeyError):
        write_and_raise(file, size)
    assert obj.get_reader().read_all() == b"before"
    assert obj.props.obj_version == "1"


def write_and_raise(file, size: int) -> None:
    with file:
        file.write(bytes(size))
        raise KeyError


def test_multipart(bucket):
    obj = bucket.object("obj")
    upload = obj.multipart_upload().create()
    parts = {number: bytes([number]) * 1000 for number in range(1, 9)}
    threads = [
        threading.Thread(target=upload.add_part(number).put_content, args=(data,))
        for number, data in reversed(parts.items())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with pytest.raises(ErrObjNotFound):
        obj.head()
    upload.complete()
    assert obj.get_reader(validate_checksum=True).read_all() == b"".join(parts.values())
    assert obj.head("chunked").chunks.chunk_count == len(parts)
    other = obj.multipart_upload().create()
    other.add_part(1).put_content(b"x")
    other.abort()
    assert obj.head().size == 8000


def test_copy(bucket):
    obj, copy = bucket.object("a"), bucket.object("b/c")
    obj.get_writer().put_content(b"content")
    obj.copy(copy)
    assert copy.get_reader().read_all() == b"content"
    with pytest.raises(ErrObjNotFound):
        bucket.object("nope").copy(copy)
    with pytest.raises(InvalidArgument):
        obj.copy(bucket.object("../other/x"))


def test_overwritten_object_is_not_mixed(bucket):
    obj = bucket.object("obj")
    obj.get_writer().put_content(b"1" * 4 * MIB)
    reader = obj.get_reader(num_workers=2, chunk_size=MIB // 2)
    pieces = iter(reader)
    assert next(pieces) == b"1" * (MIB // 2)
    obj.get_writer().put_content(b"2" * 4 * MIB)
    with pytest.raises(ErrObjectChanged):
        list(pieces)


def test_urls(bucket):
    import requests

    obj = bucket.object("a b?.txt")
    obj.get_writer().put_content(b"content")
    assert requests.get(obj.get_url(), timeout=10).content == b"content"
    assert obj.get_semantic_url() == f"ais://{bucket.name}/a b?.txt"
