"""Requests about many objects: copy, transform, archive, prefetch, promote, blob download."""

from typing import Any

from aistore.sdk.models.base import Model
from aistore.sdk.models.bucket import BucketModel


class PromoteAPIArgs(Model):
    """Which files of a target become objects."""

    target_id: str = ""
    source_path: str = ""
    object_name: str = ""
    recursive: bool = False
    overwrite_dest: bool = False
    delete_source: bool = False
    src_not_file_share: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "tid": self.target_id,
            "src": self.source_path,
            "obj": self.object_name,
            "rcr": self.recursive,
            "ovw": self.overwrite_dest,
            "dls": self.delete_source,
            "notshr": self.src_not_file_share,
        }


class CopyBckMsg(Model, kw_only=True):
    """How objects are copied: which (`prefix`), to what names (`prepend`), and with which care."""

    prefix: str = ""
    prepend: str
    dry_run: bool
    force: bool
    latest: bool
    sync: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "prefix": self.prefix,
            "prepend": self.prepend,
            "dry_run": self.dry_run,
            "force": self.force,
            "latest-ver": self.latest,
            "synchronize": self.sync,
        }


class TransformBckMsg(Model, kw_only=True):
    """By which ETL objects are transformed, the ETLs that follow it, and the time limit for one object."""

    etl_name: str
    etl_pipeline: list[str] | None = None
    timeout: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"id": self.etl_name, "request_timeout": self.timeout, "pipeline": self.etl_pipeline}


class TCBckMsg(Model):
    """Transform or copy a bucket: the value of these requests."""

    ext: dict[str, str] | None = None
    copy_msg: CopyBckMsg | None = None
    transform_msg: TransformBckMsg | None = None
    num_workers: int | None = None
    cont_on_err: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        wire: dict[str, Any] = {}
        if self.ext:
            wire["ext"] = self.ext
        if self.num_workers:
            wire["num-workers"] = self.num_workers
        if self.cont_on_err:
            wire["coer"] = True
        if self.copy_msg:
            wire.update(self.copy_msg.as_dict())
        if self.transform_msg:
            wire.update(self.transform_msg.as_dict())
        return wire


class TCMultiObj(Model, kw_only=True):
    """Transform or copy a selection of objects."""

    to_bck: BucketModel
    tc_msg: TCBckMsg | None = None
    continue_on_err: bool
    object_selection: dict[str, Any]
    num_workers: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form. `num_workers` here wins over that of `tc_msg`."""
        wire = dict(self.object_selection)
        if self.tc_msg:
            wire.update(self.tc_msg.as_dict())
        wire["tobck"] = self.to_bck.model_dump()
        wire["coer"] = self.continue_on_err
        if self.num_workers:
            wire["num-workers"] = self.num_workers
        return wire


class PrefetchMsg(Model):
    """Which objects of a remote bucket to fetch into the cluster, and how."""

    object_selection: dict[str, Any]
    continue_on_err: bool
    latest: bool
    blob_threshold: int | None = None
    num_workers: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        wire = {**self.object_selection, "coer": self.continue_on_err, "latest-ver": self.latest}
        if self.blob_threshold:
            wire["blob-threshold"] = self.blob_threshold
        if self.num_workers:
            wire["num-workers"] = self.num_workers
        return wire


class ArchiveMultiObj(Model, kw_only=True):
    """Which objects to put into an archive, and where that goes."""

    archive_name: str
    to_bck: BucketModel
    mime: str | None = None
    include_source_name: bool = False
    allow_append: bool = False
    continue_on_err: bool = False
    object_selection: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        wire = {
            **self.object_selection,
            "archname": self.archive_name,
            "isbn": self.include_source_name,
            "aate": self.allow_append,
            "coer": self.continue_on_err,
        }
        if self.mime:
            wire["mime"] = self.mime
        wire["tobck"] = self.to_bck.model_dump()
        return wire


class BlobMsg(Model, kw_only=True):
    """How to download one large remote object: in which chunks (bytes), by how many workers."""

    chunk_size: int | None = None
    num_workers: int | None = None
    latest: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        wire: dict[str, Any] = {"latest-ver": self.latest}
        if self.chunk_size:
            wire["chunk-size"] = self.chunk_size
        if self.num_workers:
            wire["num-workers"] = self.num_workers
        return wire


class MptCompletedPart(Model):
    """A part of a multipart upload that the cluster has."""

    part_number: int
    etag: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"part-number": self.part_number, "etag": self.etag}
