"""Archives that other programs made, and damaged ones: listed, read, appended to, and used by datasets."""

from __future__ import annotations

import gzip
import io
import logging
import subprocess
import tarfile
import uuid
import warnings
import zipfile

import lz4.frame
import pytest
from stored_archives import NAMES, UNREADABLE, files_in, stored

from aistore.pytorch import AISBatchIterDataset, AISMultiShardStream, AISShardReader
from aistore.pytorch.errors import ErrNotATar
from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.dataset.data_shard import DataShard
from aistore.sdk.errors import AISError, ErrArchiveFormat, ErrObjNotFound
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.wire.archive.formats import Format
from aistore.wire.archive.writer import ArchiveWriter

TARS = [name for name in NAMES if name.endswith(".tar")]
ARCH_DIR = str(ListObjectFlag.join_flags([ListObjectFlag.ARCH_DIR]))
COMPRESSIONS = {".tar": bytes, ".tgz": gzip.compress, ".tar.lz4": lz4.frame.compress}
ALL = [(name, name) for name in NAMES]
ALL += [(name, name + ending.removeprefix(".tar")) for name in TARS for ending in (".tar.lz4",)]
ALL += [(name, name.removesuffix(".tar") + ".tgz") for name in TARS]


def as_object(name: str, obj_name: str) -> bytes:
    data = stored(name)
    if obj_name.endswith(".tgz"):
        return gzip.compress(data, 1)
    return lz4.frame.compress(data) if obj_name.endswith(".lz4") else data


@pytest.fixture(scope="module")
def client(cluster):
    with cluster.client() as client:
        yield client


@pytest.fixture
def bucket(client):
    bucket = client.bucket(f"archives-{uuid.uuid4().hex[:8]}").create()
    yield bucket
    bucket.delete()


def put(bucket, name: str, data: bytes) -> None:
    bucket.object(name).get_writer().put_content(data)


def read(bucket, name: str, path: str) -> bytes:
    return bucket.object(name).get_reader(archive_config=ArchiveConfig(archpath=path)).read_all()


def listed(bucket, name: str) -> dict[str, int]:
    return {entry.name.removeprefix(f"{name}/"): entry.size for entry in bucket.list_archive(name)}


def batched(client, bucket, name: str, paths, **options) -> dict[str, bytes]:
    batch = client.batch(bucket=bucket, **options)
    for path in paths:
        batch.add(name, archpath=path)
    return {info.archpath: content for info, content in batch.get()}


def tar_of(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


# ---------------------------------------------------------------- what is listed can be read


@pytest.mark.parametrize(("name", "obj_name"), ALL)
def test_what_is_listed_is_what_is_there_and_can_be_read(client, bucket, name, obj_name):
    put(bucket, obj_name, as_object(name, obj_name))
    files = files_in(name)
    if name in UNREADABLE:
        with pytest.raises(ErrArchiveFormat, match=obj_name):
            bucket.list_archive(obj_name)
    else:
        assert listed(bucket, obj_name) == {path: len(content) for path, content in files.items()}
    assert {path: read(bucket, obj_name, path) for path in files} == files
    for options in ({}, {"streaming_get": False, "output_format": ".zip"}):
        if files:
            assert batched(client, bucket, obj_name, files, **options) == files
    if name not in UNREADABLE:
        dataset = AISBatchIterDataset(bucket, client, archive_members=True)
        assert dict(dataset) == {f"{obj_name}/{path}": content for path, content in files.items()}
        every = ArchiveConfig(mode=ArchiveMode.REGEXP, regex=".*")
        got = bucket.object(obj_name).get_reader(archive_config=every).read_all()
        with tarfile.open(fileobj=io.BytesIO(got)) as archive:
            assert {info.name: archive.extractfile(info).read() for info in archive} == files


@pytest.mark.parametrize("name", [name for name in TARS if "v7" not in name])
def test_a_shard_reader_reads_holes_and_links(bucket, name):
    put(bucket, "s.tar", stored(name))
    samples = {key: dict(sample) for key, sample in AISShardReader(bucket)}
    for path, content in files_in(name).items():
        key, dot, extension = path.rpartition("/")[2].partition(".")
        if dot:
            assert any(sample.get(extension) == content for found, sample in samples.items() if key in found)


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_either_form_of_a_name_is_read(client, bucket, ending):
    name = f"s{ending}"
    put(bucket, name, COMPRESSIONS[ending](tar_of(("./d//f", b"1"), ("plain", b"2"), ("../up", b"3"))))
    assert listed(bucket, name) == {"d/f": 1, "plain": 1, "up": 1}
    for path in ("d/f", "./d/f", "/d/f", "d//f", "./d//f", f"{name}/d/f"):
        assert read(bucket, name, path) == b"1"
        assert batched(client, bucket, name, [path]) == {path: b"1"}
    for path in ("plain", "./plain"):
        assert read(bucket, name, path) == b"2"
    assert read(bucket, name, "up") == b"3"
    with pytest.raises(AISError):
        read(bucket, name, "../up")
    with pytest.raises(ErrObjNotFound):
        read(bucket, name, "none")


@pytest.mark.parametrize("ending", [*COMPRESSIONS, ".zip"])
def test_of_two_members_of_one_name_the_first_is_listed_and_read(bucket, ending):
    if ending == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("f", b"1")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("f", b"two")
        data = out.getvalue()
    else:
        data = COMPRESSIONS[ending](tar_of(("f", b"1"), ("./f", b"two")))
    put(bucket, f"s{ending}", data)
    assert listed(bucket, f"s{ending}") == {"f": 1}
    assert read(bucket, f"s{ending}", "f") == b"1"


@pytest.mark.parametrize("ending", [*COMPRESSIONS, ".zip"])
def test_names_that_are_not_utf8(client, bucket, ending):
    files = {"caf\udce9/\udcff.bin": b"1", "\u00e9\u540d": b"2"}
    if ending == ".zip":
        out = io.BytesIO()
        writer = ArchiveWriter(Format.ZIP, out.write)
        for name, content in files.items():
            writer.add(name, 1, [content])
        writer.close()
        data = out.getvalue()
    else:
        data = COMPRESSIONS[ending](tar_of(*files.items()))
    put(bucket, f"s{ending}", data)
    assert listed(bucket, f"s{ending}") == dict.fromkeys(files, 1)
    assert {path: read(bucket, f"s{ending}", path) for path in files} == files
    for options in ({}, {"streaming_get": False}, {"output_format": ".zip"}, {"output_format": ".tgz"}):
        assert batched(client, bucket, f"s{ending}", files, **options) == files
    dataset = AISBatchIterDataset(bucket, client, archive_members=True, max_batch_size=1)
    assert dict(dataset) == {f"s{ending}/{path}": content for path, content in files.items()}


# ---------------------------------------------------------------- append


def append(client, bucket, name: str, how: str) -> None:
    if how == "job":
        put(bucket, "new", b"new")
        for job in bucket.objects(obj_names=["new"]).archive(name, allow_append=True):
            client.job(job).wait(timeout=60)
    else:
        bucket.client.request(
            "PUT",
            path=f"objects/{bucket.name}/{name}",
            params={**bucket.qparam, "archpath": "new"},
            headers={"Ais-Pine": "1"},
            data=b"new",
        )


@pytest.mark.parametrize("how", ["job", "put"])
@pytest.mark.parametrize(
    ("name", "obj_name"), [one for one in ALL if one[0] in ("gnu.tar", "pax-1.0.tar", "info.zip")]
)
def test_append_keeps_links_folders_holes_and_modes(client, bucket, how, name, obj_name, tmp_path):
    put(bucket, obj_name, as_object(name, obj_name))
    append(client, bucket, obj_name, how)
    data = bucket.object(obj_name).get_reader().read_all()
    assert listed(bucket, obj_name) == {path: len(c) for path, c in files_in(name).items()} | {"new": 3}
    assert read(bucket, obj_name, "new") == b"new"
    if obj_name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(stored(name))) as one, zipfile.ZipFile(io.BytesIO(data)) as two:
            assert two.comment == b"note"
            assert two.namelist() == [*one.namelist(), "new"]
            for old, new in zip(one.infolist(), two.infolist(), strict=False):
                assert (old.date_time, old.external_attr) == (new.date_time, new.external_attr)
        return
    tar = {".tgz": gzip.decompress, ".lz4": lz4.frame.decompress}.get(obj_name[-4:], bytes)(data)
    (tmp_path / "x.tar").write_bytes(tar)
    names = subprocess.run(["tar", "-tf", tmp_path / "x.tar"], check=True, capture_output=True, text=True)
    with tarfile.open(fileobj=io.BytesIO(stored(name))) as one, tarfile.open(fileobj=io.BytesIO(tar)) as two:
        assert len(names.stdout.splitlines()) == len(two.getmembers()) == len(one.getmembers()) + 1
        for old, new in zip(one, two, strict=False):
            assert old.get_info() == new.get_info()
            assert (old.sparse, old.pax_headers) == (new.sparse, new.pax_headers)


def test_append_to_a_damaged_archive_keeps_it_as_it_is(client, bucket):
    for name, data in (
        ("x.tar", b"no archive" * 200),
        ("x.zip", b"PK\3\4" + bytes(500)),
        ("x.tgz", b"junk" * 99),
    ):
        put(bucket, name, data)
        with pytest.raises(AISError, match=name):
            append(client, bucket, name, "put")
        assert bucket.object(name).get_reader().read_all() == data


# ---------------------------------------------------------------- damaged archives


def damaged_archives() -> dict[str, bytes]:
    members = tar_of(*((f"{number:03}", bytes([number]) * 1000) for number in range(200)))
    packed = gzip.compress(members, 0)
    flipped = bytearray(packed)
    flipped[packed.index(b"\7" * 50)] ^= 1
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("f", b"1")
    return {
        "cut.tar": members[:100_000],
        "cut.tgz": packed[: len(packed) // 2],
        "cut.tar.lz4": lz4.frame.compress(members)[:500],
        "cut.zip": out.getvalue()[:-10],
        "empty.tar": b"",
        "empty.zip": b"",
        "flipped.tgz": bytes(flipped),
        "garbage.tar": b"no archive" * 200,
        "garbage.tgz": b"no archive" * 200,
        "garbage.zip": b"PK\3\4" + bytes(500),
        "gzip.tar": packed,
        "tar.tgz": members,
        "tar.zip": members,
        "zip.tar": out.getvalue(),
    }


DAMAGED = damaged_archives()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_archive_is_an_error_that_names_it(cluster, client, bucket, name):
    put(bucket, name, DAMAGED[name])
    put(bucket, "plain", b"1")
    with pytest.raises(ErrArchiveFormat, match=name):
        bucket.list_archive(name)
    with pytest.raises(AISError, match=name):
        read(bucket, name, "none")
    with pytest.raises(ErrArchiveFormat, match=name):
        list(AISBatchIterDataset(bucket, client, archive_members=True))
    with pytest.raises(ErrArchiveFormat, match=name):
        list(AISMultiShardStream([DataShard(cluster.endpoint, bucket.name, prefix=name)]))
    if name.endswith(".tar"):
        with pytest.raises(ErrNotATar, match=name):
            list(iter(AISShardReader(bucket, {bucket: name})))
        with pytest.raises(ErrNotATar, match=name):
            len(AISShardReader(bucket, {bucket: name}))


def test_a_dataset_may_go_on_without_damaged_archives(client, bucket, caplog):
    put(bucket, "a.tar", DAMAGED["garbage.tar"])
    put(bucket, "b.tar", tar_of(("f", b"1")))
    put(bucket, "c.tar", DAMAGED["cut.tar"])
    with caplog.at_level(logging.WARNING):
        found = dict(AISBatchIterDataset(bucket, client, archive_members=True, cont_on_err=True))
    assert found["b.tar/f"] == b"1"
    assert len(found) == 66
    assert "a.tar, c.tar" in caplog.text


@pytest.mark.parametrize("page_size", [0, 7])
def test_other_objects_are_listed_beside_damaged_archives(bucket, page_size):
    for name, data in DAMAGED.items():
        put(bucket, name, data)
    for number in range(30):
        put(bucket, f"m{number:02}", b"1")
    put(bucket, "good.tar", tar_of(("f", b"1")))
    with pytest.warns(UserWarning, match="members of 14 archives") as caught:
        entries = bucket.list_all_objects(flags=[ListObjectFlag.ARCH_DIR], page_size=page_size)
    assert len(caught) == 1
    names = [entry.name for entry in entries]
    assert len(names) == len({*names})
    assert {*DAMAGED, "good.tar", "good.tar/f", *(f"m{number:02}" for number in range(30))} <= {*names}
    members = [name for name in names if name.startswith("cut.tar/")]
    assert len(members) == 65
    assert len(read(bucket, "cut.tar", members[-1].removeprefix("cut.tar/"))) == 1000


def test_a_page_names_the_archives_that_cannot_be_read(bucket, wire):
    for number in range(25):
        put(bucket, f"x, {number:02}.tar", b"no archive" * 200)
    with pytest.warns(UserWarning, match="members of 25 archives"):
        page = bucket.list_objects(flags=[ListObjectFlag.ARCH_DIR])
    assert page.unreadable == [f"x, {number:02}.tar" for number in range(20)]
    assert page.unreadable_count == 25
    for accept in ("application/json", "application/msgpack"):
        value = {"action": "list", "value": {"flags": ARCH_DIR, "prefix": "x, 03"}}
        answer = wire.ok("GET", f"/v1/buckets/{bucket.name}", value, headers={"Accept": accept})
        assert answer.headers["aistore-unreadable"] == "x%2C%2003.tar"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bucket.list_objects().unreadable == []


def test_bad_names_in_a_zip_do_not_break_the_listing(bucket):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("good", "utf8 \u00e9", "bad \u00e8", "../up", "d/", "back\\slash"):
            archive.writestr(name, b"1")
    data = out.getvalue().replace("bad \u00e8".encode(), b"bad \xe8\xff")
    put(bucket, "n.zip", data)
    put(bucket, "z", b"1")
    names = listed(bucket, "n.zip")
    assert {"good", "utf8 \u00e9", "up", "back\\slash"} < names.keys()
    assert len(names) == 5
    assert read(bucket, "n.zip", "up") == b"1"
    assert "z" in [entry.name for entry in bucket.list_all_objects(flags=[ListObjectFlag.ARCH_DIR])]


def test_a_member_that_no_name_can_address_makes_the_archive_unreadable(bucket):
    put(bucket, "n.tar", tar_of(("good", b"1"), (".", b"2")))
    with pytest.raises(ErrArchiveFormat, match=r"n\.tar"):
        bucket.list_archive("n.tar")
    assert read(bucket, "n.tar", "good") == b"1"


def test_an_archive_with_more_members_than_are_listed(bucket, monkeypatch):
    from aistore.local import archives

    index = archives.Index()
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    for number in range(2):
        index.add(archives.Member(f"{number}", 1, 0))
    with pytest.raises(ErrArchiveFormat, match="more than 2 members"):
        index.add(archives.Member("3", 1, 0))
