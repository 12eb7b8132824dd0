"""Buckets, groups, jobs and the cluster, end to end."""

import os
import pickle
import socket
import subprocess
import sys
import uuid

import pytest

from aistore import Client
from aistore.sdk import ListObjectFlag
from aistore.sdk.enums import NodeFilter
from aistore.sdk.errors import ErrBckAlreadyExists, ErrBckNotFound
from aistore.sdk.multiobj import ObjectRange
from aistore.sdk.xact_const import XACT_KIND_LRU

TIMEOUT = 60


@pytest.fixture
def other(client):
    """Give a second bucket, not created yet, destroyed after the test."""
    bucket = client.bucket(f"test-{uuid.uuid4().hex[:12]}")
    yield bucket
    bucket.delete(missing_ok=True)


@pytest.fixture
def filled(bucket):
    """Give a bucket with `n/00` to `n/24`, as many bytes long as their numbers."""
    for number in range(25):
        bucket.object(f"n/{number:02}").get_writer().put_content(b"x" * number)
    return bucket


def names(bucket, prefix=""):
    return [entry.name for entry in bucket.list_objects_iter(prefix)]


def done(client, job_ids):
    for job_id in [job_ids] if isinstance(job_ids, str) else job_ids:
        result = client.job(job_id).wait(timeout=TIMEOUT)
        assert result, result


NUMBERED = [f"n/{number:02}" for number in range(25)]


class TestBucket:
    def test_life(self, client, other):
        assert other.create() is other
        assert other.create(exist_ok=True) is other
        with pytest.raises(ErrBckAlreadyExists):
            other.create()
        assert other.name in {found.name for found in client.cluster().list_buckets()}
        other.delete()
        with pytest.raises(ErrBckNotFound):
            other.delete()
        other.delete(missing_ok=True)
        with pytest.raises(ErrBckNotFound):
            other.head()

    def test_properties_at_creation(self, other):
        other.create(props={"versioning": {"enabled": False}})
        assert '"enabled":false' in other.head()["ais-bucket-props"].split('"versioning":')[1].replace(
            " ", ""
        )

    def test_rename(self, client, filled):
        old = filled.name
        done(client, filled.rename(f"{old}-new"))
        assert filled.name == f"{old}-new"
        assert names(filled) == NUMBERED
        with pytest.raises(ErrBckNotFound):
            client.bucket(old).head()

    def test_counts(self, filled):
        properties, counts = filled.info()
        assert properties.startswith("{")
        assert counts["ObjCount"]["obj_count_present"] == "25"
        assert filled.summary()["TotalSize"]["size_all_present_objs"] == str(sum(range(25)))
        assert filled.summary(prefix="n/1")["ObjCount"]["obj_count_present"] == "10"


class TestListing:
    @pytest.mark.parametrize("page_size", [0, 1, 7, 25, 26])
    def test_pages(self, filled, page_size):
        assert [e.name for e in filled.list_all_objects(page_size=page_size)] == NUMBERED
        listed = filled.list_objects_iter(page_size=page_size, prefetch=True)
        assert [entry.name for entry in listed] == NUMBERED

    def test_what_is_listed(self, filled):
        entry = filled.list_objects(prefix="n/07", props="name,size,checksum,version").entries[0]
        assert (entry.name, entry.size, entry.is_ok(), entry.is_cached()) == ("n/07", 7, True, True)
        assert entry.checksum
        assert entry.object.get_reader().read_all() == b"x" * 7
        names_only = filled.list_all_objects(flags=[ListObjectFlag.NAME_ONLY])
        assert {listed.size for listed in names_only} == {0}

    def test_start_after(self, filled):
        listed = filled.list_objects_iter(start_after="n/20", page_size=2)
        assert [entry.name for entry in listed] == NUMBERED[21:]

    def test_objects(self, filled):
        objects = list(filled.list_all_objects_iter(prefix="n/1"))
        assert [(obj.name, obj.props_cached.size) for obj in objects] == [
            (f"n/{n}", n) for n in range(10, 20)
        ]

    def test_archive(self, client, filled):
        filled.object("a.tar.gz").get_writer().put_content(b"not an archive, and not asked for")
        done(client, filled.objects(obj_template="n/{10..14}").archive("a.tar"))
        members = {f"a.tar/n/{number}" for number in range(10, 15)}
        assert {entry.name for entry in filled.list_archive("a.tar")} == members
        assert {e.name for e in filled.list_archive("a.tar", include_archive_obj=True)} == {"a.tar", *members}


def test_put_files(bucket, tmp_path):
    for number in range(40):
        path = tmp_path / f"d{number % 4}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(number))
    updates = []
    uploaded = bucket.put_files(tmp_path, recursive=True, prepend="up/", progress=updates.append)
    assert sorted(uploaded) == names(bucket, "up/")
    assert (len(updates), updates[-1].bytes) == (40, sum(range(40)))
    for name in uploaded:
        assert bucket.object(name).get_reader().read_all() == (tmp_path / name[3:]).read_bytes()


class TestJobs:
    def test_copy_bucket(self, client, filled, other):
        done(client, filled.copy(other, prefix_filter="n/1", prepend="copy/"))
        assert names(other) == [f"copy/n/{number}" for number in range(10, 20)]

    def test_groups(self, client, filled, other):
        other.create()
        done(client, filled.objects(obj_range=ObjectRange("n/", 0, 4, 2)).copy(other))
        assert names(other) == NUMBERED[:5]
        done(client, filled.objects(obj_names=["n/00", "n/24"]).delete())
        assert names(filled) == NUMBERED[1:24]
        done(client, filled.objects(obj_template="n/{01..10..3}").delete())
        assert names(filled) == [name for name in NUMBERED[1:24] if name not in NUMBERED[1:11:3]]

    def test_urls_of_a_group(self, filled):
        group = filled.objects(obj_template="n/{03..05}")
        assert [obj.props_cached.size for obj in group.list_all_objects_iter()] == [3, 4, 5]
        assert len(list(group.list_urls(prefix="n/03"))) == 1

    def test_progress_and_details(self, client, filled, other):
        updates = []
        job = client.job(filled.copy(other))
        assert job.wait(timeout=TIMEOUT, progress=updates.append)
        assert updates
        assert job.job_kind == "copy-bck"
        assert job.status().end_time > 0
        assert {snap.id for snap in job.get_details().list_snapshots()} == {job.job_id}
        assert job.job_id in {status.uuid for status in client.cluster().list_jobs_status("copy-bck")}

    def test_start_and_abort(self, client):
        job_id = client.job(job_kind=XACT_KIND_LRU).start()
        client.job(job_id).abort()
        client.job(job_id, XACT_KIND_LRU).wait(timeout=TIMEOUT)


class TestCluster:
    def test_map(self, client):
        cluster = client.cluster()
        smap = cluster.get_info()
        assert smap.tmap
        assert smap.uuid == cluster.get_uuid()
        assert cluster.get_primary_url() == smap.proxy_si.public_net.direct_url
        assert cluster.is_ready() is True

    def test_nodes(self, client):
        cluster = client.cluster()
        smap = cluster.get_info()
        assert set(cluster.get_performance()) == set(smap.tmap)
        assert set(cluster.get_cluster_logs(role=NodeFilter.ALL)) == {*smap.tmap, *smap.pmap}

    def test_lists(self, client):
        assert isinstance(client.cluster().list_running_jobs(), list)
        assert isinstance(client.cluster().list_etls(), list)


def test_nobody_there_is_not_ready(unused_port):
    with Client(f"http://127.0.0.1:{unused_port}") as client:
        assert client.cluster().is_ready() is False


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_buckets_cross_processes(endpoint, filled):
    code = (
        "import pickle, sys; bucket = pickle.loads(sys.stdin.buffer.read()); "
        "print(len(bucket.list_all_objects()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(filled), capture_output=True, check=True
    )
    assert ran.stdout.split() == [b"25"]
