"""Objects: writing, reading, attributes, archives, multipart uploads, copies, promotion."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import requests
from run import absent, raises

from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.errors import AISError, ErrBckNotFound, ErrObjNotFound

AWKWARD = [
    "a b",
    "plus+and&equals=",
    "question?mark#hash%20percent",
    "ünï/cödé/日本語/🙂",
    "deep/" * 50 + "end",
    "n" * 255,
    "long/" + "m" * 1000,
    "tab\there",
    "semi;colon,comma:'quote\"",
    "~tilde/x~",
    "back\\slash",
    "star*[x]{y}",
    "dir",
    "dir/below",
]


def read(obj, **kwargs):
    return obj.get_reader(**kwargs).read_all()


def put(obj, data):
    return obj.get_writer().put_content(data)


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def members_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}


def check_sizes(c):
    bucket = c.bucket()
    for size in (0, 1, 32 << 10, (1 << 20) + 1, 9 << 20):
        obj = bucket.object(f"size-{size}")
        data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        assert put(obj, data).status_code == 200
        assert read(obj) == data
        assert b"".join(obj.get_reader(chunk_size=4096 if size < 1 << 20 else 1 << 18)) == data
        assert obj.head().size == size
        got = obj.get_reader().raw()
        assert got.read() == data
        assert obj.get_reader(direct=True).read_all() == data


def check_names(c):
    bucket = c.bucket()
    for number, name in enumerate(AWKWARD):
        obj = bucket.object(name)
        put(obj, b"%d" % number)
        assert read(obj) == b"%d" % number, name
        assert obj.head().name == name
        assert obj.name == name
        assert obj.uname.endswith(name.encode() if isinstance(obj.uname, bytes) else name)
        assert requests.get(obj.get_url(), timeout=10).content == b"%d" % number
    assert sorted(e.name for e in bucket.list_all_objects()) == sorted(AWKWARD)
    for name in AWKWARD:
        assert bucket.object(name).delete().status_code == 200
    assert bucket.list_all_objects() == []


def check_absent(c):
    bucket = c.bucket()
    obj = bucket.object("absent")
    for call in (obj.head, obj.get_reader().head, lambda: obj.props):
        absent(call)
    for call in (obj.delete, obj.get_reader().read_all, obj.get_reader().raw):
        raises(ErrObjNotFound, call)
    raises(ErrObjNotFound, obj.copy, bucket.object("to"))
    raises(ErrObjNotFound, obj.get_writer().set_custom_props, {"a": "b"})
    raises(ErrObjNotFound, lambda: obj.get_reader(direct=True).read_all())
    raises(ErrBckNotFound, put, c.client.bucket(c.name("absent")).object("o"), b"1")


def check_attributes(c):
    bucket = c.bucket({"o": b"12345"})
    obj = bucket.object("o")
    assert (obj.bucket_name, obj.bucket_provider.value, obj.name) == (bucket.name, "ais", "o")
    assert obj.query_params == {"provider": "ais"}
    assert obj.props_cached is None
    props = obj.props
    assert props.bucket_name == bucket.name
    assert props.bucket_provider == "ais"
    assert props.name == "o"
    assert obj.props_cached is props
    props = obj.head("checksum,atime,version,copies,ec,custom,location,chunked,last-modified,etag,name,size")
    assert props.size == 5
    assert props.checksum_type == "xxhash2"
    assert len(props.checksum_value) == 16
    assert props.access_time
    assert props.obj_version == "1"
    assert props.location
    assert props.mirror_copies in (0, 1)
    assert isinstance(props.mirror_paths, list)
    assert props.custom_metadata == {}
    assert props.present in (True, False)
    assert props.last_modified or props.last_modified == ""
    assert isinstance(props.etag, str)
    assert props.ec is None or props.ec.generation == 0
    assert props.chunks is None or props.chunks.chunk_count == 0
    reader = obj.get_reader()
    assert reader.head().size == 5
    assert reader.attributes.checksum_value == props.checksum_value
    put(obj, b"again")
    assert obj.head("version").obj_version == "2"
    raises(AISError, obj.head, "no-such-prop")


def check_custom_props(c):
    bucket = c.bucket({"o": b"1"})
    writer = bucket.object("o").get_writer()
    assert writer.set_custom_props({"a": "1", "b": "x=y"}).status_code == 200
    assert bucket.object("o").head("custom").custom_metadata == {"a": "1", "b": "x=y"}
    writer.set_custom_props({"c": "3"})
    assert bucket.object("o").head("custom").custom_metadata == {"a": "1", "b": "x=y", "c": "3"}
    writer.set_custom_props({"d": "4"}, replace_existing=True)
    assert bucket.object("o").props.custom_metadata == {"d": "4"}
    assert len(bucket.list_all_objects(props="name,custom")) == 1


def check_ranges(c):
    bucket = c.bucket({"o": b"0123456789", "empty": b""})
    obj = bucket.object("o")
    for text, want in {
        "bytes=0-0": b"0",
        "bytes=2-4": b"234",
        "bytes=7-": b"789",
        "bytes=-3": b"789",
        "bytes=5-100": b"56789",
        "bytes=-100": b"0123456789",
    }.items():
        assert read(obj, byte_range=text) == want, text
    assert raises(AISError, read, obj, byte_range="bytes=10-12").status_code == 416
    raises(AISError, read, bucket.object("empty"), byte_range="bytes=0-3")
    raises(ValueError, obj.get_reader, byte_range="bytes=0-1,3-4")


def check_parallel(c):
    data = bytes(range(256)) * 4096 * 8
    bucket = c.bucket({"big": data})
    reader = bucket.object("big").get_reader(num_workers=2, chunk_size=1 << 20)
    got = reader.read_all()
    assert bytes(memoryview(got.buf if hasattr(got, "buf") else got)[: len(data)]) == data
    if hasattr(got, "close"):
        got.close()
    assert b"".join(bucket.object("big").get_reader(num_workers=2, chunk_size=1 << 20)) == data


def check_files(c):
    bucket = c.bucket()
    obj = bucket.object("file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(b"z" * 3_000_000)
        assert obj.get_writer().put_file(path).status_code == 200
        assert obj.get_writer().put_file(str(path)).status_code == 200
        raises(ValueError, obj.get_writer().put_file, folder)
        raises(ValueError, obj.get_writer().put_file, path.with_name("absent"))
    with obj.get_reader().as_file() as file:
        assert file.readable()
        assert file.read(10) == b"z" * 10
        assert file.read() == b"z" * 2_999_990
        assert file.read() == b""
    file = obj.get_reader().as_file(buffer_size=1000, max_resume=2)
    assert len(file.read()) == 3_000_000
    file.close()
    sink = io.BytesIO()
    obj.get_reader(writer=sink)
    assert sink.getvalue() == b"z" * 3_000_000


def check_written_files(c):
    bucket = c.bucket({"o": b"old"})
    obj = bucket.object("o")
    with obj.get_writer().as_file(mode="w") as file:
        assert file.write(b"one,") == 4
        file.write(b"two")
        file.flush()
    assert read(obj) == b"one,two"
    with obj.get_writer().as_file() as file:
        file.write(b",three")
    assert read(obj) == b"one,two,three"
    file.close()
    raises(ValueError, file.write, b"x")
    raises(ValueError, obj.get_writer().as_file, mode="x")


def check_append(c):
    bucket = c.bucket()
    obj = bucket.object("log")
    writer = obj.get_writer()
    handle = writer.append_content(b"one ")
    assert handle
    absent(obj.head)
    handle = writer.append_content(b"two ", handle=handle)
    handle = writer.append_content(b"", handle=handle)
    handle = writer.append_content(b"three", handle=handle)
    assert writer.append_content(b"", handle=handle, flush=True) == ""
    assert read(obj) == b"one two three"
    raises(AISError, writer.append_content, b"x", handle="no-such-handle")


def check_multipart(c):
    bucket = c.bucket()
    obj = bucket.object("many parts")
    upload = obj.multipart_upload()
    raises(ValueError, upload.add_part, 1)
    assert upload.create() is upload
    parts = {n: bytes([n]) * (5_000_000 if n < 3 else 7) for n in (1, 2, 3)}
    for n, data in parts.items():
        upload.add_part(n).put_content(data)
    raises(ValueError, upload.add_part, 0)
    absent(obj.head)
    assert upload.complete().status_code == 200
    assert read(obj) == b"".join(parts.values())
    chunks = obj.head("chunked").chunks
    assert chunks.chunk_count == 3
    assert chunks.max_chunk_size == 5_000_000
    dropped = obj.multipart_upload().create()
    dropped.add_part(1).put_content(b"never")
    assert dropped.abort().status_code == 200
    raises(AISError, dropped.complete)
    assert read(obj)[:1] == b"\1"


def check_copy(c):
    bucket, other = c.bucket({"o": b"data"}), c.bucket()
    bucket.object("o").get_writer().set_custom_props({"k": "v"})
    to = other.object("ü/copy of o")
    assert bucket.object("o").copy(to).status_code == 200
    assert read(to) == b"data"
    assert to.head("custom").custom_metadata == {"k": "v"}
    assert bucket.object("o").copy(bucket.object("o2"), latest=True, sync=True).status_code in (200, 204)
    raises(ErrBckNotFound, bucket.object("o").copy, c.client.bucket(c.name("absent")).object("x"))


def check_archives(c):
    members = {"a.txt": b"aa", "dir/b.txt": b"b", "dir/c.cls": b"", "key.jpg": b"j", "key.cls": b"7"}
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    bucket = c.bucket({"s.tar": tar_of(members), "s.zip": zipped.getvalue()})
    for name in ("s.tar", "s.zip"):
        obj = bucket.object(name)
        for member, data in members.items():
            assert read(obj, archive_config=ArchiveConfig(archpath=member)) == data, (name, member)
        raises(AISError, read, obj, archive_config=ArchiveConfig(archpath="absent"))
        for mode, regex, want in (
            (ArchiveMode.PREFIX, "dir/", ["dir/b.txt", "dir/c.cls"]),
            (ArchiveMode.SUFFIX, ".txt", ["a.txt", "dir/b.txt"]),
            (ArchiveMode.SUBSTR, "key", ["key.jpg", "key.cls"]),
            (ArchiveMode.REGEXP, r"^[ak].*t$", ["a.txt"]),
            (ArchiveMode.WDSKEY, "key", ["key.jpg", "key.cls"]),
        ):
            got = members_of(read(obj, archive_config=ArchiveConfig(regex=regex, mode=mode)))
            assert sorted(got) == sorted(want), (name, mode)
            assert all(got[m] == members[m] for m in want)
        listed = bucket.list_archive(name)
        assert sorted(e.name for e in listed) == sorted(f"{name}/{m}" for m in members)
        assert all(int(e.flags) & 128 for e in listed)
        with_archive = bucket.list_archive(name, include_archive_obj=True, props="name,size", page_size=100)
        assert name in [e.name for e in with_archive]
    assert bucket.object("s.tar").get_url(archpath="a.txt").endswith("archpath=a.txt")
    assert requests.get(bucket.object("s.tar").get_url(archpath="a.txt"), timeout=10).content == b"aa"


def check_blob_download(c):
    bucket = c.bucket({"o": b"12345" * 1000})
    obj = bucket.object("o")
    config = BlobDownloadConfig(chunk_size="1KiB", num_workers="2")
    assert read(obj, blob_download_config=config) == b"12345" * 1000
    error = raises(AISError, obj.blob_download, chunk_size=1024, num_workers=2, latest=True)
    assert error.status_code in (400, 501), error
    raises(ValueError, obj.get_reader, blob_download_config=config, byte_range="bytes=0-1")


def check_promote(c):
    bucket = c.bucket()
    folder = c.promote_dir / c.name("promote")
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_bytes(b"1")
    (folder / "sub" / "two").write_bytes(b"22")

    def promote(name, source, **options):
        assert bucket.object(name).promote(str(source), **options) == ""  # a file is there at once

    promote("first", folder / "one")
    assert read(bucket.object("first")) == b"1"
    job = bucket.object("all/").promote(
        str(folder), recursive=True, overwrite_dest=True, src_not_file_share=True
    )
    assert c.client.job(job).wait(timeout=6)
    assert [e.name for e in bucket.list_all_objects()] == ["all/one", "all/sub/two", "first"]
    promote("first", folder / "one", delete_source=True)
    assert (folder / "one").exists()  # what is there already was not replaced
    promote("moved", folder / "one", delete_source=True)
    assert not (folder / "one").exists()
    raises(AISError, bucket.object("x").promote, "/etc/passwd")
    raises(AISError, bucket.object("x").promote, str(folder / "absent"))


def check_overwriting_while_reading(c):
    bucket = c.bucket({"o": b"old" * 1_000_000})
    pieces = iter(bucket.object("o").get_reader(chunk_size=65536))
    first = next(pieces)
    put(bucket.object("o"), b"new")
    assert first + b"".join(pieces) == b"old" * 1_000_000
    assert read(bucket.object("o")) == b"new"


def check_checksums_of_buckets(c):
    for kind in ("none", "xxhash", "md5", "sha256", "crc32c", "sha512"):
        bucket = c.bucket()
        bucket.make_request("PATCH", "set-bprops", value={"checksum": {"type": kind}})
        put(bucket.object("o"), b"123456789")
        props = bucket.object("o").head("checksum")
        if kind == "md5":
            assert props.checksum_value == "25f9e794323b453885f5181f1b624d0b"
        if kind == "crc32c":
            assert props.checksum_value == "e3069283"
        assert read(bucket.object("o")) == b"123456789"
