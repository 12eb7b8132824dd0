"""Jobs that keep a cluster in order: what one machine has to do of it is done, what it can't do is refused.

An object's target follows from its name alone, and each target has one disk: nothing is ever misplaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local import bucket_props
from aistore.local.errors import InvalidRequest, NotFound, Unsupported

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket
    from aistore.local.jobs import Job
    from aistore.local.state import State


def start_upkeep(state: State, kind: str, bucket: Bucket | None, node_id: str) -> Job:
    """Start a job that `start` alone starts.

    Args:
        state (State): The cluster.
        kind (str): Its kind.
        bucket (Bucket | None): The bucket it is about.
        node_id (str): The target it is about, where it is about one.

    Raises:
        LocalError: It is none of these, something is missing, or one machine can't do it.
    """
    if kind == "resilver":
        return _resilver(state, node_id)
    if kind == "rebalance":
        if len(state.nodes.targets) < 2:
            raise InvalidRequest("rebalance: there is one target, nothing can be moved")
        return state.jobs.start(kind, lambda _: None, what="every object is at its target")
    if kind == "cleanup-store":
        return state.jobs.start(kind, lambda job: _clean_up(state, job), bck=bucket.bck if bucket else None)
    if kind == "lru":
        return _lru(state, bucket)
    if bucket is None:
        raise InvalidRequest(f"{kind} requires a bucket to start")
    if kind == "load-lom-cache":
        return state.jobs.start(kind, lambda job: _warm_up(state, job, bucket), bck=bucket.bck)
    if kind == "make-n-copies":
        return make_copies(state, bucket, int(bucket.props["mirror"]["copies"]))
    if kind == "ec-encode":
        ec = bucket.props["ec"]
        raise bucket_props.too_few_targets(ec["data_slices"], ec["parity_slices"], len(state.nodes.targets))
    if kind == "rechunk":
        raise not_rechunked(bucket)
    raise InvalidRequest(f"{kind} requires a bucket to start: it has a request of its own")


def make_copies(state: State, bucket: Bucket, copies: int) -> Job:
    """Keep so many copies of every object on each target, of which there is always one.

    Raises:
        InvalidRequest: More than one.
    """
    if copies != 1:
        raise bucket_props.too_few_mountpaths(copies)
    return state.jobs.start(
        "make-n-copies", lambda job: _warm_up(state, job, bucket), bck=bucket.bck, what="copies: 1"
    )


def not_rechunked(bucket: Bucket) -> Unsupported:
    """Chunks, which objects are not stored in."""
    return Unsupported(f"rechunk {bucket.bck}: objects are stored whole")


def _resilver(state: State, node_id: str) -> Job:
    if not node_id:
        raise Unsupported("cannot start resilver without a target node")
    if all(target.id != node_id for target in state.nodes.targets):
        raise NotFound(f'node "{node_id}" does not exist')
    return state.jobs.start(
        "resilver", lambda _: None, targets=[node_id], what="every object is on the target's only disk"
    )


def _lru(state: State, bucket: Bucket | None) -> Job:
    buckets = [bucket] if bucket is not None else state.catalog.buckets.all()
    for candidate in buckets:
        if candidate.props["lru"]["enabled"]:
            raise Unsupported(f"lru {candidate.bck}: nothing here could bring evicted objects back")
    about = bucket.bck if bucket is not None else None
    return state.jobs.start("lru", lambda _: None, bck=about, what="no bucket has lru enabled")


def _clean_up(state: State, job: Job) -> None:
    """Wait until the files of replaced and removed objects are gone."""
    files, size = state.store.leftovers()
    job.what = f"removing {files} files, {size} bytes"
    state.store.await_removal(job.pause)
    job.what = f"removed {files} files, {size} bytes"


def _warm_up(state: State, job: Job, bucket: Bucket) -> None:
    """Look at every object."""
    for meta in state.store.walk(bucket):
        job.check()
        place = state.store.place(bucket.bck, meta.name)
        job.moved(place, place, meta.size)
