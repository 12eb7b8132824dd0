"""Indexes of tars, which speed up reading single members: made ahead by a job, and summed up.

They are in memory, made anew when they are needed, and follow from content files that never change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.archives import indexed_members, open_archive
from aistore.local.errors import LocalError, NotFound
from aistore.wire.archive.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.jobs import Job
    from aistore.local.state import State


def index_shards(state: State, bucket: Bucket, prefix: str) -> Job:
    """Start to index the tars below a prefix; damaged ones are errors of the job."""
    return state.jobs.start(
        "index-shard", lambda job: _index(state, job, bucket, prefix), bck=bucket.bck, what=f"prefix:{prefix}"
    )


def _tars(state: State, bucket: Bucket, prefix: str) -> Iterator[ObjectMeta]:
    return (meta for meta in state.store.walk(bucket, prefix) if meta.name.endswith(Format.TAR.value))


def _index(state: State, job: Job, bucket: Bucket, prefix: str) -> None:
    for meta in _tars(state, bucket, prefix):
        job.check()
        try:
            with state.store.open(bucket, meta.name) as reader:
                open_archive(reader, Format.TAR).sound_index()
        except NotFound:
            continue
        except LocalError as err:
            job.failed(err.message, full_name=f"{bucket.bck}/{meta.name}", code=err.status)
        else:
            place = state.store.place(bucket.bck, meta.name)
            job.moved(place, place, meta.size)


def sum_up(state: State, job: Job, bucket: Bucket, prefix: str) -> dict[str, str]:
    """What there is below a prefix: tars, and what is indexed of them."""
    tars = size = shards = shard_size = members = 0
    for meta in _tars(state, bucket, prefix):
        job.check()
        tars += 1
        size += meta.size
        count = indexed_members(state.store.path(meta))
        if count is not None:
            shards += 1
            shard_size += meta.size
            members += count
    sums = {"tar-objs": tars, "tar-size": size, "shards": shards, "shard-size": shard_size}
    sums |= {"archived-objs": members, "stale-indexes": 0, "invalid-indexes": 0}
    return {key: str(value) for key, value in sums.items()}
