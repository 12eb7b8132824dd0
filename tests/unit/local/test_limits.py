"""Bounds of what is kept: each with a smaller number, so that it is soon reached."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aistore.local import catalog, jobs, listing
from aistore.local import store as store_module
from aistore.local.api import routes
from aistore.local.batch import pending
from aistore.local.batch.request import parse_request
from aistore.local.bucket_props import new_props
from aistore.local.catalog import buckets, uploads
from aistore.local.errors import LocalError, ReadOnlyDisk
from aistore.local.jobs.job import Job
from aistore.local.limits import MAX_VALUES, check_values
from aistore.local.listing import Flag, Query, list_page
from aistore.local.names import Bck
from aistore.local.node_log import NodeLog
from aistore.local.options import Options
from aistore.local.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(Options(port=0), tmp_path)
    routes.register_all(state)
    yield state
    state.close()


@pytest.fixture
def bucket(state: State) -> catalog.Bucket:
    return state.catalog.buckets.create(Bck("b"), new_props("ais"))


def test_uploads_under_way(state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 2)
    for number in range(2):
        state.catalog.uploads.create(f"upload-{number}", bucket, "o")
    with pytest.raises(LocalError, match="2 multipart uploads are under way") as caught:
        state.catalog.uploads.create("upload-2", bucket, "o")
    assert caught.value.status == 429


def test_buckets(state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 1)
    with pytest.raises(LocalError, match="there are 1 buckets already") as caught:
        state.catalog.buckets.create(Bck("c"), new_props("ais"))
    assert caught.value.status == 429


def test_metadata_that_grows(state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_CUSTOM", 10)
    state.store.put(bucket, "o", b"")
    state.store.update(bucket, "o", custom={"a": "1234"})
    with pytest.raises(LocalError, match="would be longer than 10"):
        state.store.update(bucket, "o", custom={"b": "12345"})
    assert state.store.head(bucket, "o").custom == {"a": "1234"}


def test_jobs_that_have_not_ended(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_MAX_UNFINISHED", 3)
    monkeypatch.setattr(jobs, "_MAX_NAMES", 10)
    end = threading.Event()

    def work(job: Job) -> None:
        end.wait()

    try:
        state.jobs.start("copy-bck", work, names=100)  # one may have more when it is alone
        with pytest.raises(LocalError, match="with 100 names have not ended"):
            state.jobs.start("copy-bck", work, names=1)
        end.set()
        while any(job.is_running for job in state.jobs.all()):
            pass
        end.clear()
        for _ in range(3):
            state.jobs.start("copy-bck", work)
        with pytest.raises(LocalError, match="3 jobs") as caught:
            state.jobs.start("copy-bck", work)
        assert caught.value.status == 429
    finally:
        end.set()


def test_sorts_hold_up_no_other_job(state: State) -> None:
    end = threading.Event()
    try:
        for _ in range(20):
            state.jobs.start("dsort", lambda _job: end.wait() and None)
        done = threading.Event()
        state.jobs.start("copy-bck", lambda _job: done.set())
        assert done.wait(20)
    finally:
        end.set()


def test_messages_of_jobs(state: State) -> None:
    job = state.jobs.new("copy-bck")
    job.failed("x" * 100_000, full_name="ais://b/o")
    assert len(job.object_errors[0]["msg"]) == 4096
    state.jobs.end(job)


def test_lines_of_the_log() -> None:
    log = NodeLog()
    log.emit(logging.LogRecord("aistore", logging.INFO, "file.py", 1, "x" * 100_000, None, None))
    assert len(log.text("info")) == 4097


def test_bytes_of_a_page(state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_PAGE_BYTES", 1000)
    names = [f"{number}{'x' * 300}" for number in range(9)]
    for name in names:
        state.store.put(bucket, name, b"")
    found: list[str] = []
    token = ""
    while True:
        page = list_page(state, bucket, Query("", token, 100, Flag(0), frozenset({"name"})))
        assert len(page.entries) <= 4
        found += [entry.name for entry in page.entries]
        token = page.token
        if not token:
            break
    assert found == names


def test_batches_that_wait(state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_ENTRIES", 10)
    waiting = pending.Pending(state.jobs)

    def add(client: str, entries: int) -> tuple[str, str]:
        body = b'{"in":[%s]}' % b",".join([b'{"objname":"o"}'] * entries)
        return waiting.add(parse_request(body, bucket.bck, state.catalog), bucket.bck, "t", client)

    first, other, second = add("greedy", 4), add("other", 2), add("greedy", 4)
    third = add("greedy", 3)
    with pytest.raises(LocalError, match="does not exist"):
        waiting.take(*first, "t")
    for ids in (other, second, third):
        waiting.done(waiting.take(*ids, "t"))
    waiting.done(waiting.take(*add("alone", 100), "t"))


def test_values_of_json() -> None:
    check_values(b"[" + b"1," * (MAX_VALUES - 2) + b"1]")
    with pytest.raises(LocalError, match="more than 1000000 values") as caught:
        check_values(b"[" + b"1," * MAX_VALUES + b"1]")
    assert caught.value.status == 413


def test_files_of_threads_that_ended(state: State) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    state.catalog.buckets.all()
    before = open_files()
    for _ in range(20):
        thread = threading.Thread(target=state.catalog.buckets.all)
        thread.start()
        thread.join()
        del thread
    assert open_files() <= before + 3


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(errno.EMFILE, 503, "too many files are open"), (errno.EROFS, 500, "read-only")],
)
def test_errors_of_opening_name_the_reason(
    state: State,
    bucket: catalog.Bucket,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    status: int,
    message: str,
) -> None:
    state.store.put(bucket, "o", b"")

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(state.store.files, "open", fail)
    with pytest.raises(LocalError, match=message) as caught:
        state.store.open(bucket, "o")
    assert caught.value.status == status


def test_a_read_only_disk_is_not_out_of_space(
    state: State, bucket: catalog.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a file system often has no free bytes either."""
    real = os.statvfs(state.root)
    fields = list(real)
    fields[8] |= os.ST_RDONLY
    fields[3] = fields[4] = 0  # free blocks
    for name in ("statvfs", "fstatvfs"):
        monkeypatch.setattr(os, name, lambda _: os.statvfs_result(fields))
    with pytest.raises(ReadOnlyDisk, match="read-only"):
        state.store.put(bucket, "o", b"bytes")
