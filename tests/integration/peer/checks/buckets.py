"""Buckets: life, properties, listing, copies, information."""

import tempfile
from pathlib import Path

from run import absent, raises

from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import (
    AISError,
    ErrBckAlreadyExists,
    ErrBckNotFound,
    InvalidBckProvider,
)
from aistore.sdk.etl import ETLConfig
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider

WAIT = 6


def names(entries):
    return [entry.name for entry in entries]


def is_dir(entry):
    return bool(int(entry.flags) & 256)


def files(count, size=10):
    return {f"o-{n:03}": bytes([n % 256]) * size for n in range(count)}


def check_life(c):
    bucket = c.client.bucket(c.name("life"))
    absent(bucket.head)
    raises(ErrBckNotFound, bucket.delete)
    bucket.delete(missing_ok=True)
    assert bucket.create() is bucket
    raises(ErrBckAlreadyExists, bucket.create)
    bucket.create(exist_ok=True)
    assert "provider" in bucket.head()["Ais-Bucket-Props"]
    assert bucket.name in {b.name for b in c.client.cluster().list_buckets()}
    assert bucket.provider == Provider.AIS
    assert bucket.namespace is None
    assert bucket.qparam == {"provider": "ais"}
    assert bucket.client is not None
    assert bucket.get_path() == f"ais/@#/{bucket.name}/"
    model = bucket.as_model()
    assert (model.name, model.provider) == (bucket.name, "ais")
    bucket.delete()
    raises(ErrBckNotFound, bucket.list_all_objects)
    raises(ErrBckNotFound, bucket.object("x").get_reader().read_all)


def check_other_providers(c):
    cloud = c.client.bucket("some", provider=Provider.AMAZON)
    raises(InvalidBckProvider, cloud.create)
    raises(InvalidBckProvider, cloud.delete)
    cloud.verify_cloud_bucket()
    bucket = c.bucket()
    raises(InvalidBckProvider, bucket.verify_cloud_bucket)
    raises(InvalidBckProvider, bucket.evict)
    raises(AISError, cloud.head)
    cloud.evict(keep_md=True)
    raises(AISError, cloud.list_objects)


def check_names_that_are_refused(c):
    for name in (".dots", "a..b", "n" * 65):
        raises(AISError, c.client.bucket(name).create)


def check_namespaces(c):
    name = c.name("ns")
    plain = c.client.bucket(name).create()
    named = c.client.bucket(name, namespace=Namespace(name="team")).create()
    try:
        named.object("o").get_writer().put_content(b"in the namespace")
        assert plain.list_all_objects() == []
        assert named.object("o").get_reader().read_all() == b"in the namespace"
        assert names(named.list_all_objects()) == ["o"]
        assert named.get_path() == f"ais/@#team/{name}/"
        found = [b for b in c.client.cluster().list_buckets() if b.name == name]
        assert sorted(b.namespace.name if b.namespace else "" for b in found) == ["", "team"]
        job = named.copy(plain)
        assert c.client.job(job).wait(timeout=WAIT)
        assert names(plain.list_all_objects()) == ["o"]
    finally:
        plain.delete()
        named.delete()


def check_rename(c):
    bucket = c.bucket({"a": b"1"})
    old, new = bucket.name, c.name("renamed")
    job = bucket.rename(new)
    assert job
    assert bucket.name == new
    assert c.client.job(job).wait(timeout=WAIT)
    assert bucket.object("a").get_reader().read_all() == b"1"
    absent(c.client.bucket(old).head)
    other = c.bucket()
    raises(AISError, bucket.rename, other.name)
    bucket.delete(missing_ok=True)


def check_listing(c):
    bucket = c.bucket({"dir/a.txt": b"12", "dir/b.txt": b"", "e": b"1" * 5, "ü/ñ ?#%+&=;": b"u"})
    assert names(bucket.list_all_objects()) == ["dir/a.txt", "dir/b.txt", "e", "ü/ñ ?#%+&=;"]
    assert [e.size for e in bucket.list_all_objects(props="name,size")] == [2, 0, 5, 1]
    assert names(bucket.list_all_objects(prefix="dir/")) == ["dir/a.txt", "dir/b.txt"]
    assert names(bucket.list_all_objects(prefix="di")) == ["dir/a.txt", "dir/b.txt"]
    assert names(bucket.list_all_objects(prefix="ü")) == ["ü/ñ ?#%+&=;"]
    assert bucket.list_all_objects(prefix="nothing") == []
    assert names(bucket.list_all_objects(start_after="dir/b.txt")) == ["e", "ü/ñ ?#%+&=;"]
    props = "name,size,checksum,atime,version,copies,custom,location,status,cached,ec,target_url"
    [entry] = bucket.list_all_objects(prefix="e", props=props)
    assert (entry.name, entry.size, entry.version) == ("e", 5, "1")
    assert entry.checksum
    assert entry.atime
    assert entry.copies == 1
    assert entry.location
    assert entry.is_ok()
    assert entry.is_cached()
    assert entry.object.get_reader().read_all() == b"11111"
    flat = bucket.list_all_objects(flags=[ListObjectFlag.NO_RECURSION])
    assert [(e.name, is_dir(e)) for e in flat] == [("dir/", True), ("e", False), ("ü/", True)]
    inside = bucket.list_all_objects(prefix="dir/", flags=[ListObjectFlag.NO_RECURSION])
    assert names(inside) == ["dir/a.txt", "dir/b.txt"]
    no_dirs = bucket.list_all_objects(flags=[ListObjectFlag.NO_RECURSION, ListObjectFlag.NO_DIRS])
    assert names(no_dirs) == ["e"]


def check_listing_flags(c):
    bucket = c.bucket({"a": b"12", "b": b"3"})
    plain = (
        [
            ListObjectFlag.CACHED,
            ListObjectFlag.BCK_PRESENT,
            ListObjectFlag.USE_CACHE,
        ]
        if hasattr(ListObjectFlag, "USE_CACHE")
        else [ListObjectFlag.CACHED, ListObjectFlag.BCK_PRESENT]
    )
    for flag in [*plain, ListObjectFlag.NAME_ONLY, ListObjectFlag.NAME_SIZE, ListObjectFlag.MISSING]:
        assert names(bucket.list_all_objects(flags=[flag])) == ["a", "b"], flag
    assert [e.size for e in bucket.list_all_objects(flags=[ListObjectFlag.NAME_ONLY])] == [0, 0]
    assert [e.size for e in bucket.list_all_objects(flags=[ListObjectFlag.NAME_SIZE])] == [2, 1]
    for flag in (ListObjectFlag.DELETED, ListObjectFlag.DONT_ADD_REMOTE, ListObjectFlag.DONT_HEAD_REMOTE):
        assert names(bucket.list_all_objects(flags=[flag])) == ["a", "b"], flag


def check_pages(c):
    bucket = c.bucket(files(23))
    assert len(list(bucket.list_objects_iter(page_size=5))) == 23
    assert names(bucket.list_all_objects(page_size=7)) == sorted(files(23))
    first = bucket.list_objects(page_size=10, props="name,size")
    assert names(first.entries) == sorted(files(23))[:10]
    assert first.uuid
    assert first.continuation_token == "o-009"
    second = bucket.list_objects(page_size=10, uuid=first.uuid, continuation_token=first.continuation_token)
    third = bucket.list_objects(page_size=10, uuid=first.uuid, continuation_token=second.continuation_token)
    assert names(first.entries + second.entries + third.entries) == sorted(files(23))
    assert third.continuation_token == ""
    exact = bucket.list_objects(page_size=23)
    assert len(exact.entries) == 23
    # Whichever target a listing of a remote bucket would run on, it is of the whole bucket.
    target = next(iter(c.client.cluster().get_info().tmap))
    assert names(bucket.list_all_objects(target=target)) == sorted(files(23))
    objects = list(bucket.list_all_objects_iter(prefix="o-00"))
    assert [o.name for o in objects] == sorted(files(10))
    assert [o.props_cached.size for o in objects] == [10] * 10
    after = list(bucket.list_all_objects_iter(prefix="o-00", props="name,size,checksum", start_after="o-007"))
    assert [o.name for o in after] == ["o-008", "o-009"]


def check_urls(c):
    bucket = c.bucket({"a/b": b"1", "c d": b"2"})
    urls = list(bucket.list_urls())
    assert urls == [bucket.object(name).get_url() for name in ("a/b", "c d")]
    assert (
        c.client.get_object_from_url(bucket.object("a/b").get_semantic_url()).get_reader().read_all() == b"1"
    )
    assert "etl_name=some" in next(iter(bucket.list_urls(etl=ETLConfig("some"))))


def check_summary_and_info(c):
    bucket = c.bucket({"dir/a": b"x" * 100, "b": b"y" * 50})
    summary = bucket.summary()
    assert summary["name"] == bucket.name
    assert str(summary["ObjCount"]["obj_count_present"]) == "2", summary
    part = bucket.summary(prefix="dir/", cached=True, present=False)
    assert str(part["ObjCount"]["obj_count_present"]) == "1", part
    props, info = bucket.info()
    assert "versioning" in str(props)
    assert info["name"] == bucket.name
    assert str(info["ObjCount"]["obj_count_present"]) == "2", info
    _, info = bucket.info(flt_presence=FLTPresence.FLT_PRESENT, bsumm_remote=False, prefix="dir/")
    assert info
    _, info = bucket.info(flt_presence=FLTPresence.FLT_EXISTS_NO_PROPS)
    raises(ValueError, bucket.info, flt_presence=99)


def check_copy(c):
    source = c.bucket({"in/a.txt": b"a", "in/b.txt": b"bb", "out/c.bin": b""})
    to = c.bucket()
    job = source.copy(to, prefix_filter="in/", prepend="p/")
    assert c.client.job(job).wait(timeout=WAIT)
    assert names(to.list_all_objects()) == ["p/in/a.txt", "p/in/b.txt"]
    assert to.object("p/in/b.txt").get_reader().read_all() == b"bb"
    before = names(to.list_all_objects())
    job = source.copy(to, dry_run=True)
    assert c.client.job(job).wait(timeout=WAIT)
    assert names(to.list_all_objects()) == before
    job = source.copy(to, ext={"txt": "md"}, force=True, latest=False, sync=False, num_workers=2)
    assert c.client.job(job).wait(timeout=WAIT)
    assert names(to.list_all_objects()) == [*sorted(["in/a.md", "in/b.md", "out/c.bin"]), *before]
    missing = c.client.bucket(c.name("made-by-copy"))
    job = source.copy(missing)
    c.buckets.append(missing)
    assert c.client.job(job).wait(timeout=WAIT)
    assert len(missing.list_all_objects()) == 3
    job = source.copy(missing, sync=True)
    assert c.client.job(job).wait(timeout=WAIT)
    raises(AISError, source.copy, source)
    raises(ErrBckNotFound, c.client.bucket(c.name("absent")).copy, to)


def check_put_files(c):
    bucket = c.bucket()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "sub").mkdir()
        for name, data in {"a.txt": b"1", "b.bin": b"", "sub/c.txt": b"3", "sub/ä ö.txt": b"4"}.items():
            (root / name).write_bytes(data)
        assert bucket.put_files(root, dry_run=True, recursive=True, verbose=False)
        assert bucket.list_all_objects() == []
        assert sorted(bucket.put_files(root)) == ["a.txt", "b.bin"]
        bucket.put_files(str(root), pattern="*.txt", recursive=True, prepend="p/")
        bucket.put_files(root, prefix_filter="c", recursive=True, basename=True, verbose=False)
        expected = ["a.txt", "b.bin", "c.txt", "p/a.txt", "p/sub/c.txt", "p/sub/ä ö.txt"]
        assert names(bucket.list_all_objects()) == expected
        assert bucket.object("p/sub/ä ö.txt").get_reader().read_all() == b"4"
        raises(ValueError, bucket.put_files, root / "a.txt")


def check_requests_of_ones_own(c):
    bucket = c.bucket({"a": b"1"})
    answer = bucket.make_request("GET", "list", value={"props": "name"})
    assert answer.status_code == 200
    changed = bucket.make_request("PATCH", "set-bprops", value={"versioning": {"enabled": False}})
    assert changed.status_code == 200
    bucket.object("b").get_writer().put_content(b"1")
    assert bucket.object("b").head("version").obj_version == ""
    assert bucket.make_request("PATCH", "reset-bprops").status_code == 200
    assert raises(AISError, bucket.make_request, "POST", "no-such-action").status_code == 400


def check_inventory(c):
    """Inventories are of remote buckets: making one of an `ais://` bucket is refused, there are none."""
    bucket = c.bucket({"a": b"1"})
    error = raises(AISError, bucket.create_inventory, name="inv", prefix="a", names_per_chunk=100)
    assert error.status_code == 400
    assert "inventor" in str(error)
    raises(AISError, bucket.create_inventory, name="inv", force=True)
    assert bucket.show_inventory() == {}
    assert bucket.show_inventory("inv") == {}
    assert bucket.destroy_inventory() is None
    assert bucket.destroy_inventory("inv") is None
    assert raises(AISError, bucket.list_all_objects, inventory_name="inv").status_code in {400, 404}
    raises(AISError, bucket.list_objects, flags=[ListObjectFlag.NBI])


def check_objects_of_a_bucket(c):
    bucket = c.bucket({"a": b"1"})
    assert bucket.object("a").get_reader().read_all() == b"1"
    assert bucket.objects(obj_names=["a"]).list_names() == ["a"]
    other = c.client.bucket(bucket.name)
    other.client = bucket.client
    assert names(other.list_all_objects()) == ["a"]
