"""The job runner: progress, end, abort, restart."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from aistore.local.errors import LocalError
from aistore.local.jobs import Aborted, Jobs
from aistore.local.jobs.copying import copy_bucket
from aistore.local.jobs.transfer import TransferOptions
from aistore.local.names import Bck
from aistore.local.nodes import Nodes
from aistore.sdk.const import GO_ZERO_TIME


@pytest.fixture
def jobs(store):
    jobs = Jobs(store.catalog, Nodes(store.catalog, 2))
    yield jobs
    jobs.stop()


def test_a_job_ends_as_soon_as_its_work_does(jobs):
    job = jobs.start("copy-bck", lambda job: job.moved(0, 1, 7), bck=Bck("b"), src=Bck("a"), dst=Bck("b"))
    assert job.wait(10)
    assert job.status() | {"end_time": 0} == {
        "kind": "copy-bck",
        "uuid": job.id,
        "err": "",
        "end_time": 0,
        "aborted": False,
    }
    assert job.ended
    first, second = job.snapshots().values()
    assert first["stats"] | {} == {
        "loc-objs": "1",
        "loc-bytes": "7",
        "out-objs": "1",
        "out-bytes": "7",
        "in-objs": "0",
        "in-bytes": "0",
    }
    assert (second["stats"]["in-objs"], second["stats"]["in-bytes"]) == ("1", "7")
    assert first["end-time"].endswith("Z")
    assert first["end-time"] != GO_ZERO_TIME


@pytest.mark.parametrize(
    ("kind", "prefix"), [("copy-listrange", "tco-"), ("etl-listrange", "tco-"), ("get-batch", "gbt-")]
)
def test_ids_have_the_prefix_of_their_kind(jobs, kind, prefix):
    job = jobs.new(kind)
    assert job.id.startswith(prefix)
    jobs.end(job)


def test_idle_kinds_are_idle_when_they_are_done(jobs):
    release = threading.Event()
    job = jobs.start("copy-listrange", lambda _: release.wait(10))
    assert not job.is_idle
    release.set()
    assert job.wait(10)
    assert all(snapshot["is_idle"] for snapshot in job.snapshots().values())


def test_an_abort_ends_the_work_between_objects(jobs):
    begun = threading.Event()

    def work(job):
        begun.set()
        while True:
            job.check()

    job = jobs.start("copy-bck", work)
    assert begun.wait(10)
    jobs.abort(job, "user abort")
    assert job.wait(10)
    assert job.status()["aborted"]
    assert job.status()["err"] == "user abort"
    assert all(snapshot["abort-err"] == "user abort" for snapshot in job.snapshots().values())


def test_the_bucket_made_for_a_job_that_never_began_goes_with_it(jobs, store, bucket):
    go_on = threading.Event()
    others = [jobs.start("lru", lambda _: go_on.wait(10)) for _ in range(16)]
    state = SimpleNamespace(catalog=store.catalog, store=store, jobs=jobs)
    job = copy_bucket(state, bucket, Bck("new"), TransferOptions())
    assert store.catalog.buckets.find(Bck("new"))
    jobs.abort(job, "user abort")
    go_on.set()
    assert all(each.wait(10) for each in (*others, job))
    assert job.status()["aborted"]
    assert store.catalog.buckets.find(Bck("new")) is None


def test_an_error_of_the_work_is_the_job_s(jobs, caplog):
    def refuse(job):
        raise LocalError("no room")

    def crash(job):
        raise ValueError("oops")

    for work, message in ((refuse, "no room"), (crash, "ValueError: oops")):
        job = jobs.start("copy-bck", work)
        assert job.wait(10)
        assert job.status()["err"] == message
        assert job.status()["aborted"]


def test_workers_share_the_items_and_the_first_error_stops_them(jobs):
    seen = []
    lock = threading.Lock()

    def one(item):
        with lock:
            seen.append(item)
        if item == 50:
            raise LocalError("item 50")

    job = jobs.start("copy-bck", lambda job: jobs.each(job, iter(range(100_000)), one, 4))
    assert job.wait(30)
    assert job.error == "item 50"
    assert len(seen) < 100_000
    seen.clear()
    job = jobs.start("copy-bck", lambda job: jobs.each(job, iter(range(40)), one, 4))
    assert job.wait(30)
    assert sorted(seen) == list(range(40))
    assert job.workers == 4


def test_each_stops_when_the_job_is_aborted(jobs):
    job = jobs.new("copy-bck")
    job.abort("user abort")
    with pytest.raises(Aborted):
        jobs.each(job, iter(range(10)), lambda _: None, 3)


def test_jobs_are_remembered_and_one_that_was_interrupted_is_aborted(store):
    nodes = Nodes(store.catalog, 2)
    before = Jobs(store.catalog, nodes)
    done = before.start(
        "delete-listrange", lambda job: job.failed("t: gone", full_name="ais://b/x", code=404), bck=Bck("b")
    )
    assert done.wait(10)
    release = threading.Event()
    running = before.start("copy-bck", lambda _: release.wait(30), src=Bck("a"), dst=Bck("b"))
    after = Jobs(store.catalog, nodes)
    try:
        found = after.get(done.id)
        assert found is not None
        assert found.status() == done.status()
        assert found.object_errors == done.object_errors
        found = after.get(running.id)
        assert found is not None
        assert found.aborted
        assert not found.is_running
        assert "restarted" in found.status()["err"]
        assert found.src == Bck("a")
    finally:
        release.set()
        before.stop()
        after.stop()


def test_jobs_end_with_their_buckets(jobs):
    started = threading.Event()

    def work(job):
        started.set()
        while True:
            job.check()
            started.wait(0.01)

    reader = jobs.start("copy-bck", work, src=Bck("a"), dst=Bck("b"))
    other = jobs.start("copy-bck", work, src=Bck("c"), dst=Bck("d"))
    serving = jobs.new("get-batch", bck=Bck("a"))
    assert started.wait(10)
    jobs.abort_of(Bck("a"), "remove bucket ais://a")
    assert reader.wait(10)
    assert (reader.aborted, reader.abort_error) == (True, "remove bucket ais://a")
    assert not serving.is_running
    assert other.is_running
