"""Deleting objects: one by one when they are few, else by jobs of the cluster. All calls block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistore.fs.errors import ErrDirectoryNotEmpty, PathError
from aistore.fs.paths import Location
from aistore.fs.tree import has_any
from aistore.sdk.errors import UnsupportedOperation

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.job import Job

FEW = 64
"""Up to so many objects a request each is faster than a job, which has to be waited for."""

PER_JOB = 10_000
_TIMEOUT = 600.0  # seconds for a job of `PER_JOB` objects


def delete_by_job(bucket: Bucket, names: Sequence[str]) -> None:
    """Delete objects and wait until they are gone; those that are gone already are no error.

    Args:
        bucket: The bucket.
        names: Their names, at most `PER_JOB`.

    Raises:
        PathError: The job failed.
        Timeout: It takes longer than ten minutes (also a `TimeoutError`).
    """
    from aistore.sdk.job import Job

    job: Job = Job(bucket.client, bucket.objects(obj_names=names).delete())
    result = job.wait(timeout=_TIMEOUT, verbose=False)
    if not result:
        raise PathError(
            bucket.name, f"deleting {len(names)} objects failed, job {job.job_id}: {result.error}"
        )


def remove_bucket(bucket: Bucket, location: Location, *, with_objects: bool) -> None:
    """Remove a bucket.

    Args:
        bucket: The bucket.
        location: Its path.
        with_objects: Whether it may have objects.

    Raises:
        ErrBckNotFound: There is no such bucket.
        ErrDirectoryNotEmpty: It has objects, and may not.
        UnsupportedOperation: It is the bucket of a cloud.
    """
    if bucket.provider.is_remote():
        raise UnsupportedOperation(
            f"{location.root!r} is a bucket of provider {bucket.provider.value!r}: AIStore does not remove "
            f"buckets of clouds; to delete its objects, remove {location.root + '/*'!r}"
        )
    if not with_objects and has_any(bucket, location):
        raise ErrDirectoryNotEmpty(location.root, "pass recursive=True to rm")
    bucket.delete()
