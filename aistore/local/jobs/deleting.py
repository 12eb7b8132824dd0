"""Deleting a selection of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.errors import BucketNotFound, LocalError, NotFound

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket
    from aistore.local.jobs import Job
    from aistore.local.jobs.selection import Selection
    from aistore.local.state import State


def delete_selected(state: State, bucket: Bucket, selection: Selection) -> Job:
    """Start to delete; names of a list that don't exist are an error of the job, the others are deleted."""
    what = f"delete {bucket.bck}"
    return state.jobs.start(
        "delete-listrange",
        lambda job: _delete(state, job, bucket, selection),
        bck=bucket.bck,
        what=what,
        names=len(selection.names),
    )


def _delete(state: State, job: Job, bucket: Bucket, selection: Selection) -> None:
    store = state.store
    for name in selection.objects(store, bucket):
        job.check()
        try:
            meta = store.delete(bucket, name)
        except BucketNotFound:
            raise
        except NotFound as err:
            if selection.is_list:
                target = state.nodes.targets[store.place(bucket.bck, name)]
                job.failed(f"{target.label}: {err.message}", full_name=f"{bucket.bck}/{name}", code=404)
        except LocalError as err:
            job.failed(err.message, full_name=f"{bucket.bck}/{name}", code=err.status)
        else:
            place = store.place(bucket.bck, name)
            job.moved(place, place, meta.size)
