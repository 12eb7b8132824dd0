"""Objects whose names are not UTF-8: listed as `str` with surrogates, and reached by what is listed."""

import os

import pytest

from aistore.fs import AISFileSystem
from aistore.pytorch.manifest import ManifestRow, manifest_at
from aistore.sdk.errors import ErrObjNotFound, InvalidArgument

NAMES = ["d\udcfe/y\udcff", "ok", "x\udcff.txt", "\u00e9\udc80"]


def content(name):
    return b"content of " + os.fsencode(name)


@pytest.fixture
def filled(bucket):
    for name in NAMES:
        bucket.object(name).get_writer().put_content(content(name))
    return bucket


def names(bucket, **arguments):
    return [entry.name for entry in bucket.list_objects_iter(**arguments)]


def test_whatever_is_listed_can_be_read(filled):
    for arguments in (
        {},
        {"props": "name"},
        {"props": "name,size,checksum,version,custom"},
        {"page_size": 1},
    ):
        assert names(filled, **arguments) == NAMES
    for name in names(filled):
        obj = filled.object(name)
        assert obj.get_reader().read_all() == content(name)
        assert obj.head().size == len(content(name))
    assert names(filled, prefix="d\udcfe/") == NAMES[:1]
    assert names(filled, start_after="ok") == NAMES[2:]


@pytest.mark.parametrize("streaming", [True, False])
def test_get_batch(client, filled, streaming):
    batch = client.batch(NAMES, bucket=filled, streaming_get=streaming)
    assert [(info.obj_name, data) for info, data in batch.get()] == [(name, content(name)) for name in NAMES]
    missing = client.batch([*NAMES, "no\udcff"], bucket=filled, streaming_get=streaming, cont_on_err=True)
    *found, (info, _) = list(missing.get())
    assert len(found) == len(NAMES)
    assert info.obj_name == "no\udcff"
    assert "no\udcff" in info.err_msg


def test_copies_and_jobs(client, filled):
    filled.object("x\udcff.txt").copy(filled.object("copy\udcff"))
    assert filled.object("copy\udcff").get_reader().read_all() == content("x\udcff.txt")
    other = client.bucket(f"{filled.name}-2").create()
    try:
        for job in filled.objects(obj_names=NAMES).copy(other, prepend="p\udcff/"):
            client.job(job).wait(verbose=False)
        assert names(other) == [f"p\udcff/{name}" for name in NAMES]
    finally:
        other.delete()
    client.job(filled.objects(obj_names=NAMES[2:]).delete()).wait(verbose=False)
    filled.object(NAMES[0]).delete()
    assert names(filled) == ["copy\udcff", "ok"]
    with pytest.raises(ErrObjNotFound):
        filled.object(NAMES[0]).head()


def test_the_filesystem(endpoint, filled, tmp_path):
    fs = AISFileSystem(endpoint, skip_instance_cache=True)
    paths = [f"{filled.name}/{name}" for name in NAMES]
    assert fs.find(filled.name) == paths
    assert fs.ls(f"{filled.name}/d\udcfe", detail=False) == paths[:1]
    assert fs.cat(paths) == {path: content(name) for path, name in zip(paths, NAMES, strict=True)}
    fs.get(f"{filled.name}/", str(tmp_path / "down"), recursive=True)
    assert (tmp_path / "down" / NAMES[0]).read_bytes() == content(NAMES[0])
    fs.put(f"{tmp_path}/down/", f"{filled.name}/up/", recursive=True)
    assert fs.find(f"{filled.name}/up") == [f"{filled.name}/up/{name}" for name in NAMES]
    fs.rm(f"{filled.name}/d\udcfe", recursive=True)
    assert fs.find(f"{filled.name}/d\udcfe") == []


def test_a_manifest(client, filled):
    manifest = manifest_at(f"ais://{filled.name}/list\udcff", lambda: client.cluster().client)
    rows = [ManifestRow(0, name, 1) for name in NAMES]
    manifest.write(["source"], rows)
    assert manifest.read(["source"], list, is_first=False) == rows


def test_surrogates_that_stand_for_no_byte_are_refused(client, filled):
    for call in (
        lambda: filled.object("\ud800").head(),
        lambda: list(client.batch(["\ud800"], bucket=filled).get()),
        lambda: filled.objects(obj_names=["\ud800"]).delete(),
        lambda: filled.object("ok").copy(filled.object("\ud800")),
        lambda: list(filled.list_objects_iter(prefix="\ud800")),
    ):
        with pytest.raises(InvalidArgument, match="UTF-8"):
            call()
