"""Jobs on a selection of a bucket's objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aistore.sdk.ais_source import AISSource
from aistore.sdk.bck.base import destination
from aistore.sdk.bck.counts import check_count, check_num_workers
from aistore.sdk.bck.transfer_messages import new_extensions, transform_message
from aistore.sdk.const import (
    ACT_ARCHIVE_OBJECTS,
    ACT_COPY_OBJECTS,
    ACT_DELETE_OBJECTS,
    ACT_EVICT_OBJECTS,
    ACT_PREFETCH_OBJECTS,
    ACT_TRANSFORM_OBJECTS,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
)
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.etl.etl_const import DEFAULT_ETL_TIMEOUT
from aistore.sdk.lazy import lazy_names
from aistore.sdk.multiobj.object_collection import ObjectCollection
from aistore.sdk.multiobj.object_names import ObjectNames
from aistore.sdk.multiobj.object_range import ObjectRange
from aistore.sdk.multiobj.object_template import ObjectTemplate
from aistore.sdk.parallel import ordered_map
from aistore.sdk.types import ArchiveMultiObj, CopyBckMsg, PrefetchMsg, TCBckMsg, TCMultiObj
from aistore.wire.names import check_object_name

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.etl import ETLConfig
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient

logger = logging.getLogger(__name__)


class ObjectGroup(AISSource):
    """A selection of a bucket's objects, given in one of three ways. Making one makes no request.

    Args:
        bck: The bucket.
        obj_names: Names of the objects.
        obj_range: A range of numbered names.
        obj_template: A template, for instance `shard-{000..099}.tar`.

    Raises:
        InvalidArgument: None, several or an empty one is given: on a cluster an empty selection means every
            object of the bucket (also a `ValueError`).
        InvalidArgumentType: `obj_range` is not an `ObjectRange` (also a `TypeError`).
    """

    def __init__(
        self,
        bck: Bucket,
        obj_names: Sequence[str] | None = None,
        obj_range: ObjectRange | None = None,
        obj_template: str | None = None,
    ) -> None:
        self.bck = bck
        if sum(given is not None for given in (obj_names, obj_range, obj_template)) != 1:
            raise InvalidArgument(
                "ObjectGroup accepts one and only one of: obj_names, obj_range, or obj_template"
            )
        self._obj_collection: ObjectCollection
        if obj_range is not None:
            if not isinstance(obj_range, ObjectRange):
                raise InvalidArgumentType("obj_range must be of type ObjectRange")
            self._obj_collection = obj_range
            empty = not str(obj_range)
        elif obj_names is not None:
            self._obj_collection = ObjectNames(obj_names)
            empty = not len(self._obj_collection)
        else:
            self._obj_collection = ObjectTemplate(str(obj_template))
            empty = not obj_template
        if empty:
            raise InvalidArgument("Object selection must not be empty")

    @property
    def client(self) -> RequestClient:
        """The client that requests go through, the bucket's."""
        return self.bck.client

    @client.setter
    def client(self, client: RequestClient) -> None:
        self.bck.client = client

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectGroup):
            return NotImplemented
        return self.bck == other.bck and self._obj_collection == other._obj_collection

    def __hash__(self) -> int:
        return hash((self.bck, self._obj_collection))

    def __repr__(self) -> str:
        return f"ObjectGroup({self.bck!r}, {_shorten(repr(self._obj_collection))})"

    def _repr_html_(self) -> str:
        from aistore.sdk.notebook import card

        name = f"{self.bck.provider.value}://{self.bck.name}"
        return card("ObjectGroup", name, _shorten(str(self._obj_collection)))

    def delete(self) -> str:
        """Start a job that deletes the objects.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        return self.bck.make_request(HTTP_METHOD_DELETE, ACT_DELETE_OBJECTS, value=self._selection()).text

    def evict(self) -> str:
        """Start a job that removes the objects from the cluster; they stay in their remote bucket.

        Returns:
            Id of the job, for `client.job(...)`.

        Raises:
            InvalidBckProvider: The bucket is not a remote one.
        """
        self.bck.verify_cloud_bucket()
        return self.bck.make_request(HTTP_METHOD_DELETE, ACT_EVICT_OBJECTS, value=self._selection()).text

    def prefetch(
        self,
        blob_threshold: int | None = None,
        num_workers: int | None = None,
        latest: bool = False,
        continue_on_error: bool = False,
    ) -> str:
        """Start a job that fetches the objects from their remote bucket into the cluster.

        Args:
            blob_threshold: Fetch objects of so many bytes or more in concurrent chunks. Default: never.
            num_workers: Workers on each target; 0: the cluster's choice, -1: none. Default: 0.
            latest: Fetch again what has a newer version there. Default: `False`.
            continue_on_error: Go on when an object cannot be fetched. Default: `False`.

        Returns:
            Id of the job, for `client.job(...)`.

        Raises:
            InvalidBckProvider: The bucket is not a remote one.
        """
        self.bck.verify_cloud_bucket()
        if blob_threshold is not None:
            check_count("blob_threshold", blob_threshold)
        message = PrefetchMsg(
            object_selection=self._selection(),
            continue_on_err=continue_on_error,
            latest=latest,
            blob_threshold=blob_threshold,
            num_workers=check_num_workers(num_workers),
        )
        return self.bck.make_request(HTTP_METHOD_POST, ACT_PREFETCH_OBJECTS, value=message.as_dict()).text

    def copy(
        self,
        to_bck: Bucket,
        prepend: str = "",
        continue_on_error: bool = False,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = None,
    ) -> list[str]:
        """Start a job that copies the objects to a bucket.

        A cluster keeps such a job for about a minute and gives it later requests between the same two
        buckets, with the options of the first one: wait for it to end before asking for other options.

        Args:
            to_bck: Destination.
            prepend: Put in front of every name as it is (`dir/` for a directory). Default: nothing.
            continue_on_error: Go on when an object cannot be copied. Default: `False`.
            dry_run: Only report what would be copied. Default: `False`.
            force: Start despite a conflicting job. Default: `False`.
            latest: Copy the latest remote versions. Default: `False`.
            sync: Remove from the destination what the remote source no longer has. Default: `False`.
            num_workers: Workers on each target; 0: the cluster's choice, -1: none. Default: 0.

        Returns:
            Ids of the jobs, for `client.job(...)`.
        """
        if dry_run:
            logger.info("Copy dry-run: running with dry_run=True. Selected: %s", self._obj_collection)
        copy_msg = CopyBckMsg(prepend=prepend, dry_run=dry_run, force=force, latest=latest, sync=sync)
        return _job_ids(
            self._transfer(
                ACT_COPY_OBJECTS, to_bck, TCBckMsg(copy_msg=copy_msg), continue_on_error, num_workers
            )
        )

    def transform(
        self,
        to_bck: Bucket,
        etl_name: str,
        timeout: str = DEFAULT_ETL_TIMEOUT,
        prepend: str = "",
        ext: Mapping[str, str] | None = None,
        continue_on_error: bool = False,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = None,
        etl_pipeline: Sequence[str] | None = None,
    ) -> str:
        """Start a job that transforms the objects into a bucket; see `copy` about jobs that are kept.

        Args:
            to_bck: Destination.
            etl_name: Name of the ETL that transforms them.
            timeout: Time limit for one object, for instance `30s`. Default: `5m`.
            prepend: Put in front of every name as it is (`dir/` for a directory). Default: nothing.
            ext: New file name extensions by old ones, for instance `{"jpg": "txt"}`. Default: keep them.
            continue_on_error: Go on when an object cannot be transformed. Default: `False`.
            dry_run: Transform, but keep no results. Default: `False`.
            force: Start despite a conflicting job. Default: `False`.
            latest: Transform the latest remote versions. Default: `False`.
            sync: Remove from the destination what the remote source no longer has. Default: `False`.
            num_workers: Workers on each target; 0: the cluster's choice, -1: none. Default: 0.
            etl_pipeline: Names of ETLs that the results go through next. Default: none.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        if dry_run:
            logger.info("Transform dry-run: running with dry_run=True. Selected: %s", self._obj_collection)
        message = TCBckMsg(
            ext=new_extensions(ext),
            copy_msg=CopyBckMsg(prepend=prepend, dry_run=dry_run, force=force, latest=latest, sync=sync),
            transform_msg=transform_message(etl_name, timeout, etl_pipeline),
        )
        return self._transfer(ACT_TRANSFORM_OBJECTS, to_bck, message, continue_on_error, num_workers)

    def inspect(
        self,
        etl_name: str,
        timeout: str = DEFAULT_ETL_TIMEOUT,
        latest: bool = False,
        num_workers: int | None = None,
        etl_pipeline: Sequence[str] | None = None,
    ) -> str:
        """Start a job that transforms the objects and keeps no results: a trial of the ETL.

        Objects that fail are reported by `Etl.view(job_id)`. Arguments are those of `transform`.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        return self.transform(
            self.bck,
            etl_name,
            timeout=timeout,
            continue_on_error=True,
            dry_run=True,
            latest=latest,
            num_workers=num_workers,
            etl_pipeline=etl_pipeline,
        )

    def archive(
        self,
        archive_name: str,
        mime: str = "",
        to_bck: Bucket | None = None,
        include_source_name: bool = False,
        allow_append: bool = False,
        continue_on_err: bool = False,
    ) -> list[str]:
        """Start a job that packs the objects into an archive; the order of the members is not theirs.

        Args:
            archive_name: Name of the archive, with extension (`.tar .tgz .tar.gz .tar.lz4 .zip`).
            mime: Format, if it doesn't follow from the extension. Default: it does.
            to_bck: Bucket of the archive. Default: this one.
            include_source_name: Put the source bucket's name in front of members' names. Default: `False`.
            allow_append: Append if the archive exists. Default: `False`, replace it.
            continue_on_err: Make the archive without missing objects. Default: `False`, make none.

        Returns:
            Ids of the jobs, for `client.job(...)`.
        """
        check_object_name(archive_name)
        message = ArchiveMultiObj(
            object_selection=self._selection(),
            archive_name=archive_name,
            mime=mime,
            to_bck=destination(self.bck if to_bck is None else to_bck),
            include_source_name=include_source_name,
            allow_append=allow_append,
            continue_on_err=continue_on_err,
        )
        return _job_ids(
            self.bck.make_request(HTTP_METHOD_PUT, ACT_ARCHIVE_OBJECTS, value=message.as_dict()).text
        )

    def list_names(self) -> list[str]:
        """Return the names of the objects, whether they exist or not."""
        return list(self._obj_collection)

    def list_urls(self, prefix: str = "", etl: ETLConfig | None = None) -> Iterable[str]:
        """Yield the URL of every object, whether it exists or not.

        Args:
            prefix: Only names that start with it. Default: all.
            etl: Transform the objects when the URLs are read. Default: no.
        """
        for name in self._names(prefix):
            yield self.bck.object(name).get_url(etl=etl)

    def list_all_objects_iter(self, prefix: str = "", props: str | None = "name,size") -> Iterable[Object]:
        """Yield every object, in order, with its properties; several are asked for at a time.

        Args:
            prefix: Only names that start with it. Default: all.
            props: Properties to fetch, separated by commas; `None`: none, so that no request is made.
                Default: `name,size`.

        Raises:
            ErrObjNotFound: An object doesn't exist; not with `props=None`.
        """
        objects = (self.bck.object(name) for name in self._names(prefix))
        if props is None:
            return objects

        def fetched(obj: Object) -> Object:
            obj.head(props)
            return obj

        return ordered_map(fetched, objects)

    def _names(self, prefix: str) -> Iterator[str]:
        return (name for name in self._obj_collection if name.startswith(prefix))

    def _selection(self) -> dict[str, Any]:
        if isinstance(self._obj_collection, ObjectNames):
            for name in self._obj_collection:
                check_object_name(name)
        return self._obj_collection.get_value()

    def _transfer(
        self, action: str, to_bck: Bucket, message: TCBckMsg, continue_on_error: bool, num_workers: int | None
    ) -> str:
        value = TCMultiObj(
            to_bck=destination(to_bck),
            tc_msg=message,
            object_selection=self._selection(),
            continue_on_err=continue_on_error,
            num_workers=check_num_workers(num_workers),
        ).as_dict()
        return self.bck.make_request(HTTP_METHOD_POST, action, value=value).text


def _job_ids(text: str) -> list[str]:
    return text.split(",") if text else []


def _shorten(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ETLConfig", "Object", "RequestClient")
