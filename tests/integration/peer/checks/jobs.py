"""Jobs: starting, looking at, waiting for and ending them."""

from datetime import datetime, timedelta, timezone

from run import raises

from aistore.sdk.errors import AISError, JobInfoNotFound

WAIT = 6


def some(count=30):
    return {f"o-{n:03}": bytes(100) for n in range(count)}


def check_a_copy(c):
    before = datetime.now(timezone.utc) - timedelta(seconds=2)
    bucket, to = c.bucket(some()), c.bucket()
    job = c.client.job(bucket.copy(to))
    result = job.wait(timeout=WAIT, verbose=False)
    assert result
    assert (result.job_id, result.success, bool(result.error)) == (job.job_id, True, False)
    assert result.end_time > before
    status = job.status()
    assert status.uuid == job.job_id
    assert status.end_time > 0
    assert not status.aborted
    assert not status.err
    details = job.get_details()
    snaps = details.list_snapshots()
    assert {s.id for s in snaps} == {job.job_id}
    assert {s.kind for s in snaps} == {"copy-bck"}
    assert job.job_kind == "copy-bck"
    assert set(details.root) == set(c.client.cluster().get_info().tmap)
    assert sum(int(s.stats.objects) for s in snaps) == 30, snaps
    assert sum(int(s.stats.bytes) for s in snaps) == 3000
    assert details.all_idle() or not any(s.is_idle for s in snaps)
    assert not details.any_aborted()
    assert details.any_finished()
    assert details.get_num_workers() >= 0
    assert snaps[0].unpack_glob_id()
    assert snaps[0].source_bck.name == bucket.name
    assert snaps[0].destination_bck.name == to.name
    assert timedelta(0) <= job.get_total_time() < timedelta(seconds=30)
    found = job.get_within_timeframe(before)
    assert {s.id for s in found} == {job.job_id}
    found = job.get_within_timeframe(before, datetime.now(timezone.utc) + timedelta(minutes=1))
    assert found
    kind = c.client.job(job_kind="copy-bck")
    assert job.job_id in {s.id for s in kind.get_within_timeframe(before)}
    raises(JobInfoNotFound, job.get_within_timeframe, datetime.now(timezone.utc) + timedelta(days=1))
    assert any(s.uuid == job.job_id for s in c.client.cluster().list_jobs_status("copy-bck"))


def check_idle_jobs(c):
    bucket, to = c.bucket(some(5)), c.bucket()
    [job_id] = bucket.objects(obj_template="o-{000..004}").copy(to)
    job = c.client.job(job_id, job_kind="copy-listrange")
    assert job.wait_for_idle(timeout=WAIT, verbose=False)
    assert job.wait(timeout=WAIT)
    assert job.wait_single_node(timeout=WAIT, verbose=False)
    assert len(to.list_all_objects()) == 5
    [job_id] = bucket.objects(obj_names=["o-000"]).archive("a.tar")
    assert c.client.job(job_id).wait_for_idle(timeout=WAIT)


def check_unknown(c):
    absent = c.client.job("nosuchjob")
    raises(AISError, absent.status)
    raises(AISError, absent.wait, timeout=2)
    raises(ValueError, c.client.job().status)
    raises(ValueError, c.client.job().abort)
    raises(AISError, c.client.job(job_kind="no-such-kind").start)


def check_start_and_abort(c):
    bucket = c.bucket(some(3))
    job_id = c.client.job(job_kind="lru").start(buckets=[bucket], force=True)
    assert job_id
    job = c.client.job(job_id, job_kind="lru")
    job.wait(timeout=WAIT)
    target = next(iter(c.client.cluster().get_info().tmap))
    resilver = c.client.job(job_kind="resilver").start(daemon_id=target)
    assert resilver
    assert c.client.job(resilver, job_kind="resilver").wait_single_node(timeout=WAIT)
    for kind in ("rebalance", "lru", "cleanup-store"):
        assert c.client.job(job_kind=kind).start() is not None
        c.client.job(job_kind=kind).abort()
    two = c.bucket()
    assert c.client.job(job_kind="lru").start(buckets=[bucket, two])


def check_abort_of_a_running_job(c):
    bucket, to = c.bucket(some(60)), c.bucket()
    job = c.client.job(bucket.copy(to, num_workers=1))
    job.abort()
    job.wait(timeout=WAIT)
    status = job.status()
    assert status.end_time > 0
    # It was ended, or had ended by itself.
    assert status.aborted or len(to.list_all_objects()) == 60
    job.abort()


def check_lists_of_jobs(c):
    cluster = c.client.cluster()
    bucket, to = c.bucket(some(2)), c.bucket()
    job_id = bucket.copy(to)
    c.client.job(job_id).wait(timeout=WAIT)
    every = cluster.list_jobs_status()
    assert job_id in {status.uuid for status in every}
    target = next(iter(cluster.get_info().tmap))
    assert isinstance(cluster.list_jobs_status(job_kind="copy-bck", target_id=target), list)
    assert isinstance(cluster.list_running_jobs(), list)
    assert isinstance(cluster.list_running_jobs("copy-bck", target), list)
    assert cluster.list_jobs_status("lru") is not None
