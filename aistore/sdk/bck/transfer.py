"""Jobs over a whole bucket: copy, transform, rename, evict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from aistore.sdk.bck.base import BucketBase, destination
from aistore.sdk.bck.counts import check_num_workers
from aistore.sdk.bck.transfer_messages import new_extensions, transform_message
from aistore.sdk.const import (
    ACT_COPY_BCK,
    ACT_ETL_BCK,
    ACT_EVICT_REMOTE_BCK,
    ACT_MOVE_BCK,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_POST,
    QPARAM_KEEP_REMOTE,
)
from aistore.sdk.etl.etl_const import DEFAULT_ETL_TIMEOUT
from aistore.sdk.types import BucketModel, CopyBckMsg, TCBckMsg
from aistore.wire.names import check_bucket_name

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket


class BucketTransfer(BucketBase):
    """The part of `Bucket` that starts jobs."""

    def copy(
        self,
        to_bck: Bucket,
        prefix_filter: str = "",
        prepend: str = "",
        ext: Mapping[str, str] | None = None,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = 0,
    ) -> str:
        """Start a job that copies the bucket's objects to another bucket.

        Args:
            to_bck: Destination; created if it is an AIS bucket that isn't there.
            prefix_filter: Only objects whose names start with it. Default: all.
            prepend: Put in front of every name as it is (`dir/` for a directory). Default: nothing.
            ext: New file name extensions by old ones, for instance `{"jpg": "png"}`. Default: keep them.
            dry_run: Only report what would be copied. Default: `False`.
            force: Start despite a conflicting job. Default: `False`.
            latest: Copy the latest remote versions. Default: `False`.
            sync: Remove from the destination what the remote source no longer has. Default: `False`.
            num_workers: Workers on each target; 0: the cluster's choice, -1: none. Default: 0.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        message = TCBckMsg(
            ext=new_extensions(ext),
            copy_msg=CopyBckMsg(
                prefix=prefix_filter, prepend=prepend, dry_run=dry_run, force=force, latest=latest, sync=sync
            ),
            num_workers=check_num_workers(num_workers),
        )
        return self._start(ACT_COPY_BCK, to_bck, message)

    def transform(
        self,
        etl_name: str,
        to_bck: Bucket,
        timeout: str = DEFAULT_ETL_TIMEOUT,
        prefix_filter: str = "",
        prepend: str = "",
        ext: Mapping[str, str] | None = None,
        force: bool = False,
        dry_run: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = 0,
        cont_on_err: bool = False,
        etl_pipeline: Sequence[str] | None = None,
    ) -> str:
        """Start a job that transforms the bucket's objects into another bucket.

        Args:
            etl_name: Name of the ETL that transforms them.
            to_bck: Destination; created if it is an AIS bucket that isn't there.
            timeout: Time limit for one object, for instance `30s`. Default: `5m`.
            prefix_filter: Only objects whose names start with it. Default: all.
            prepend: Put in front of every name as it is (`dir/` for a directory). Default: nothing.
            ext: New file name extensions by old ones, for instance `{"jpg": "txt"}`. Default: keep them.
            force: Start despite a conflicting job. Default: `False`.
            dry_run: Transform, but keep no results. Default: `False`.
            latest: Transform the latest remote versions. Default: `False`.
            sync: Remove from the destination what the remote source no longer has. Default: `False`.
            num_workers: Workers on each target; 0: the cluster's choice, -1: none. Default: 0.
            cont_on_err: Go on when an object cannot be transformed. Default: `False`.
            etl_pipeline: Names of ETLs that the results go through next. Default: none.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        message = TCBckMsg(
            ext=new_extensions(ext),
            copy_msg=CopyBckMsg(
                prefix=prefix_filter, prepend=prepend, force=force, dry_run=dry_run, latest=latest, sync=sync
            ),
            transform_msg=transform_message(etl_name, timeout, etl_pipeline),
            num_workers=check_num_workers(num_workers),
            cont_on_err=cont_on_err,
        )
        return self._start(ACT_ETL_BCK, to_bck, message)

    def inspect(
        self,
        etl_name: str,
        timeout: str = DEFAULT_ETL_TIMEOUT,
        prefix_filter: str = "",
        latest: bool = False,
        num_workers: int | None = None,
        etl_pipeline: Sequence[str] | None = None,
    ) -> str:
        """Start a job that transforms the bucket's objects and keeps no results: a trial of the ETL.

        Objects that fail are reported by `Etl.view(job_id)`. Arguments are those of `transform`.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        return self.transform(
            etl_name,
            cast("Bucket", self),  # a bucket's part
            timeout=timeout,
            prefix_filter=prefix_filter,
            dry_run=True,
            latest=latest,
            num_workers=num_workers,
            cont_on_err=True,
            etl_pipeline=etl_pipeline,
        )

    def rename(self, to_bck_name: str) -> str:
        """Start a job that renames the bucket; this object has the new name at once.

        Args:
            to_bck_name: New name.

        Returns:
            Id of the job, for `client.job(...)`.

        Raises:
            InvalidBckProvider: The bucket is not an AIS bucket.
        """
        self._verify_ais_bucket()
        check_bucket_name(to_bck_name)
        params = self._to_bucket(
            BucketModel(name=to_bck_name, provider=self.provider.value, namespace=self.namespace)
        )
        job_id = self.make_request(HTTP_METHOD_POST, ACT_MOVE_BCK, params=params).text
        self._name = to_bck_name
        return job_id

    def evict(self, keep_md: bool = False) -> None:
        """Remove a remote bucket and its objects from the cluster; the remote bucket itself stays.

        Args:
            keep_md: Keep the bucket's properties, only its objects go. Default: `False`.

        Raises:
            InvalidBckProvider: The bucket is an AIS bucket: nothing would be left of it.
        """
        self.verify_cloud_bucket()
        params = {**self.qparam, QPARAM_KEEP_REMOTE: str(keep_md)}
        self.make_request(HTTP_METHOD_DELETE, ACT_EVICT_REMOTE_BCK, params=params)

    def _start(self, action: str, to_bck: BucketBase, message: TCBckMsg) -> str:
        return self.make_request(
            HTTP_METHOD_POST, action, value=message.as_dict(), params=self._to_bucket(destination(to_bck))
        ).text
