"""Jobs: requests, waiting, time frames."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from recording_client import RecordingClient, answer

from aistore.sdk import job as job_module
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, InvalidArgument, JobInfoNotFound, Timeout
from aistore.sdk.gotime import from_nanoseconds, parse_go_time
from aistore.sdk.job import Job
from aistore.sdk.polling import poll
from aistore.sdk.types import AggregatedJobSnap, JobSnap, JobStats, JobStatus
from aistore.sdk.wait_result import WaitResult

ENDED = "2026-11-21T07:00:12.5Z"


def snaps(**fields):
    return AggregatedJobSnap({"t1": [JobSnap(**fields)]})


def query(job_id="", kind=""):
    return {"ID": job_id, "Kind": kind, "DaemonID": "", "Bck": None, "Buckets": None}


def job_of(*models, job_id="j", kind=""):
    client = RecordingClient(models=models)
    return Job(client, job_id, kind), client


def unknown():
    return AISError(404, "x-[j] not found", "url", None)


class TestRequests:
    def test_status(self):
        job, client = job_of(JobStatus(uuid="j"), kind="lru")
        assert job.status().uuid == "j"
        wanted = {
            "path": "cluster",
            "res_model": JobStatus,
            "params": {"what": "status"},
            "json": query("j", "lru"),
        }
        assert client.calls == [("get", wanted)]

    def test_details(self):
        job, client = job_of(snaps())
        job.get_details()
        assert client.calls[0][1]["params"] == {"what": "qryxstats"}
        assert client.calls[0][1]["res_model"] is AggregatedJobSnap

    def test_start(self):
        client = RecordingClient([answer("id")])
        job, one, two = Job(client, job_kind="lru"), Bucket("a", client), Bucket("b", client, "s3")
        assert job.start() == "id"
        job.start("t1", True, [one])
        job.start(buckets=[one, two])
        model = {"name": "a", "provider": "ais", "namespace": None}
        sent = [kwargs["json"]["value"] for _, kwargs in client.calls]
        assert sent[0] == query(kind="lru")
        assert sent[1] == {**query(kind="lru"), "DaemonID": "t1", "Bck": model}
        assert sent[2]["Buckets"] == [model, {"name": "b", "provider": "aws", "namespace": None}]
        assert [kwargs["params"] for _, kwargs in client.calls] == [{}, {"frc": "true"}, {}]

    def test_abort(self):
        client = RecordingClient()
        Job(client, "j").abort()
        json_body = {"action": "stop", "name": "", "value": query("j")}
        assert client.calls == [("put", {"path": "cluster", "json": json_body})]

    def test_what_has_neither_id_nor_kind(self):
        job, client = job_of(job_id="")
        for call in (job.status, job.abort, job.wait):
            with pytest.raises(ValueError, match="without an"):
                call()
        assert client.calls == []
        assert repr(job) == "Job(job_id='', job_kind='')"


class TestWait:
    def test_kind_is_looked_up_once(self):
        job, client = job_of(snaps(kind="copy-bck"), JobStatus(), JobStatus(uuid="j", end_time=5 * 10**9))
        result = job.wait(timeout=10)
        assert result == WaitResult("j", True, "", datetime(1970, 1, 1, 0, 0, 5, tzinfo=timezone.utc))
        assert job.job_kind == "copy-bck"
        assert [kwargs["params"]["what"] for _, kwargs in client.calls] == ["qryxstats", "status", "status"]

    def test_failed_job_is_a_false_result(self):
        result = job_of(JobStatus(end_time=1, err="boom"), kind="lru")[0].wait()
        assert (bool(result), result.error) == (False, "boom")
        result = job_of(JobStatus(end_time=-5, aborted=True), kind="new-kind")[0].wait(verbose=False)
        assert (bool(result), result.error, result.end_time) == (False, "aborted", None)

    def test_idle_kind_needs_two_idle_looks_in_a_row(self):
        idle = snaps(is_idle=True, end_time=ENDED)
        job, client = job_of(AggregatedJobSnap({}), idle, snaps(), idle, idle, kind="archive")
        result = job.wait(timeout=10)
        assert result
        assert result.end_time == datetime(2026, 11, 21, 7, 0, 12, 500000, tzinfo=timezone.utc)
        assert len(client.calls) == 5

    def test_idle_kind_that_is_aborted(self):
        result = job_of(snaps(), snaps(abort_err="why"), kind="archive")[0].wait(timeout=10)
        assert (result.success, result.error) == (False, "why")

    @pytest.mark.parametrize("kind", ["blob-download", "resilver"])
    def test_single_node_kinds(self, kind):
        ended = AggregatedJobSnap({"t1": [JobSnap()], "t2": [JobSnap(end_time=ENDED)]})
        result = job_of(snaps(), ended, kind=kind)[0].wait(timeout=10)
        assert (result.success, result.end_time) == (True, None)

    def test_job_that_the_cluster_learns_of_later(self):
        job, client = job_of(
            unknown(), AggregatedJobSnap({}), snaps(kind="lru"), unknown(), JobStatus(end_time=1)
        )
        assert job.wait(timeout=10)
        assert len(client.calls) == 5

    def test_job_that_nobody_knows(self, monkeypatch):
        monkeypatch.setattr(job_module, "_GRACE", 0.05)
        with pytest.raises(JobInfoNotFound, match="j"):
            job_of(AggregatedJobSnap({}))[0].wait()
        with pytest.raises(AISError, match="not found"):
            job_of(unknown(), kind="lru")[0].wait()

    @pytest.mark.parametrize("kind", ["lru", "archive", "resilver"])
    def test_timeout_counts_everything(self, kind):  # defect 29
        model = JobStatus() if kind == "lru" else snaps()
        with pytest.raises(Timeout, match=r"after 0\.1s") as caught:
            job_of(model, kind=kind)[0].wait(timeout=0.1)
        assert isinstance(caught.value, TimeoutError)

    def test_other_errors_are_raised(self):
        with pytest.raises(AISError, match="boom"):
            job_of(AISError(500, "boom", "", None), kind="lru")[0].wait()

    def test_progress(self):
        updates = []
        first = snaps(stats=JobStats(objects=2, bytes=20))
        last = AggregatedJobSnap(
            {t: [JobSnap(stats=JobStats(objects=2, bytes=20), aborted=True)] for t in ("t1", "t2")}
        )
        job_of(first, last, kind="archive")[0].wait(progress=updates.append)
        assert [(one.name, one.objects, one.bytes) for one in updates] == [("j", 2, 20), ("j", 4, 40)]
        job_of(JobStatus(end_time=1), snaps(), kind="lru")[0].wait(progress=updates.append)
        assert updates[-1].objects == 0

    @pytest.mark.parametrize("timeout", [-1, float("inf")])
    def test_every_wait_ends(self, timeout):
        job, client = job_of(kind="lru")
        with pytest.raises(InvalidArgument, match="timeout"):
            job.wait(timeout)
        assert client.calls == []


def test_poll_starts_fast_and_slows_down(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with pytest.raises(Timeout):
        poll(lambda: None, timeout=10, action="nothing", max_interval=1)
    assert pauses[0] == pytest.approx(0.02)
    assert max(pauses) == 1
    assert sum(pauses) == pytest.approx(10)


class TestTimes:
    long_job = JobSnap(id="j", kind="k", start_time="2026-11-21T07:00:10Z", end_time="2026-11-21T07:00:12Z")
    running = JobSnap(id="j", kind="k", start_time="2026-11-21T07:00:10Z", end_time="0001-01-01T00:00:00Z")
    other = JobSnap(id="x", kind="z", start_time="2026-11-21T07:00:10Z", end_time="2026-11-21T07:00:11Z")

    def job(self, *found, **names):
        return job_of(AggregatedJobSnap({"t": list(found)}), **names)[0]

    def at(self, second):
        return datetime(2026, 11, 21, 7, 0, second, tzinfo=timezone.utc)

    def test_running_jobs_have_not_ended(self):  # defect 9
        job = self.job(self.long_job, self.running, self.other)
        assert job.get_within_timeframe(self.at(0), self.at(20)) == [self.long_job]
        assert job.get_within_timeframe(self.at(0)) == [self.long_job, self.running]

    def test_by_kind(self):
        job = self.job(self.long_job, self.other, job_id="", kind="z")
        assert job.get_within_timeframe(self.at(10), self.at(11)) == [self.other]

    def test_outside(self):
        job = self.job(self.long_job)
        for start, end in ((11, None), (0, 11)):
            with pytest.raises(JobInfoNotFound):
                job.get_within_timeframe(self.at(start), end and self.at(end))

    def test_needs_a_time_zone(self):
        job, client = job_of()
        with pytest.raises(InvalidArgument, match="start_time must have a time zone"):
            job.get_within_timeframe(datetime(2026, 11, 21))
        assert client.calls == []

    def test_total(self):
        assert self.job(self.long_job, self.other).get_total_time() == timedelta(seconds=2)
        bad = JobSnap(start_time="then", end_time=ENDED)
        for found in ([self.long_job, self.running], [], [bad], [JobSnap()]):
            assert self.job(*found).get_total_time() is None

    @pytest.mark.parametrize(
        ("text", "micros"),
        [
            ("2026-11-21T07:00:11.728098492Z", 728098),
            ("2026-11-21T07:00:11.5Z", 500000),
            ("2026-11-21T07:00:11Z", 0),
            ("2026-11-21T09:00:11+02:00", 0),
        ],
    )
    def test_go_times(self, text, micros):
        assert parse_go_time(text) == datetime(2026, 11, 21, 7, 0, 11, micros, tzinfo=timezone.utc)

    @pytest.mark.parametrize("text", ["bad", "2026-11-21", "2026-13-21T07:00:11Z", "2026-11-21T07:00:11"])
    def test_malformed_times(self, text):
        with pytest.raises(InvalidArgument, match="not a time"):
            parse_go_time(text)

    def test_no_time(self):
        assert parse_go_time("") is parse_go_time("0001-01-01T00:00:00Z") is from_nanoseconds(-1) is None


class TestWaitResult:
    def test_first_error_counts(self):
        found = [JobSnap(aborted=True), JobSnap(abort_err="why"), JobSnap(abort_err="because")]
        assert WaitResult.from_snapshots("j", found) == WaitResult("j", False, "why")
        assert WaitResult.from_snapshots("j", [JobSnap(aborted=True)]).error == "aborted"

    def test_end_is_known_when_all_ended(self):
        ended = JobSnap(end_time=ENDED)
        assert (
            WaitResult.from_snapshots("j", [ended, JobSnap(end_time="2026-11-21T07:00:11Z")]).end_time.second
            == 12
        )
        assert WaitResult.from_snapshots("j", [ended, JobSnap()]).end_time is None
        assert WaitResult.from_snapshots("j", []).success


def test_status_of_a_newer_cluster_decodes():
    text = json.dumps({"uuid": "j", "end_time": "5", "kind": "lru", "is_idle": False})
    assert JobStatus.model_validate_json(text) == JobStatus(uuid="j", end_time=5, kind="lru")


def test_waiting_without_a_word(caplog):
    caplog.set_level("INFO")
    assert job_of(JobStatus(end_time=1), kind="lru")[0].wait(timeout=10, verbose=False)
    assert caplog.records == []
