"""Buckets: create and delete, list, count, upload, copy and transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistore.sdk.bck.inventory import BucketInventory
from aistore.sdk.bck.listing import BucketListing
from aistore.sdk.bck.summary import BucketSummary
from aistore.sdk.bck.transfer import BucketTransfer
from aistore.sdk.bck.upload import BucketUpload, PutFilesError
from aistore.sdk.const import ACT_CREATE_BCK, ACT_DESTROY_BCK, HTTP_METHOD_DELETE, HTTP_METHOD_POST
from aistore.sdk.errors import ErrBckAlreadyExists, ErrBckNotFound, InvalidArgumentType
from aistore.sdk.lazy import lazy_names
from aistore.sdk.progress import ProgressUpdate

if TYPE_CHECKING:
    from typing_extensions import Self

    from aistore.sdk.dataset.dataset_config import DatasetConfig
    from aistore.sdk.multiobj import ObjectGroup, ObjectRange
    from aistore.sdk.progress import ProgressCallback

__all__ = ["Bucket", "PutFilesError"]


class Bucket(BucketListing, BucketTransfer, BucketSummary, BucketInventory, BucketUpload):
    """A bucket of a cluster. Making one makes no request; the bucket need not exist.

    Two are equal when they name the same bucket of the same cluster.

    Args:
        name: Name of the bucket.
        client: The client that requests go through; `client.bucket(name)` fills it in.
        provider: Where the objects live: a `Provider` or its name. Default: `Provider.AIS`, in the cluster.
        namespace: Remote cluster and group of buckets. Default: the global namespace.

    Raises:
        InvalidBckProvider: There is no such provider.

    Example:
        ```python
        bucket = Client("http://localhost:8080").bucket("images").create(exist_ok=True)
        bucket.object("cat.jpg").get_writer().put_content(content)
        names = [entry.name for entry in bucket.list_objects_iter(prefix="cat")]
        ```
    """

    def create(self, exist_ok: bool = False, props: dict[str, Any] | None = None) -> Self:
        """Create the bucket.

        Args:
            exist_ok: Don't complain if it is there. Default: `False`.
            props: Properties that differ from the cluster's defaults, for instance
                `{"versioning": {"enabled": False}}`. Default: none.

        Returns:
            This bucket.

        Raises:
            InvalidBckProvider: The bucket is not an AIS bucket: buckets of a cloud are made there.
            InvalidArgument: The bucket's name cannot be one.
            ErrBckAlreadyExists: There is one (also a `FileExistsError`).
        """
        self._verify_ais_bucket()
        try:
            self.make_request(HTTP_METHOD_POST, ACT_CREATE_BCK, value=props)
        except ErrBckAlreadyExists:
            if not exist_ok:
                raise
        return self

    def delete(self, missing_ok: bool = False) -> None:
        """Delete the bucket and everything in it.

        Args:
            missing_ok: Don't complain if it isn't there. Default: `False`.

        Raises:
            InvalidBckProvider: The bucket is not an AIS bucket; see `evict`.
            ErrBckNotFound: There is no such bucket (also a `FileNotFoundError`).
        """
        self._verify_ais_bucket()
        try:
            self.make_request(HTTP_METHOD_DELETE, ACT_DESTROY_BCK)
        except ErrBckNotFound:
            if not missing_ok:
                raise

    def objects(
        self,
        obj_names: Sequence[str] | None = None,
        obj_range: ObjectRange | None = None,
        obj_template: str | None = None,
    ) -> ObjectGroup:
        """Return a group of the bucket's objects, given in one of three ways. No request is made.

        Args:
            obj_names: Their names.
            obj_range: A range of numbered names.
            obj_template: A template, for instance `shard-{000..099}.tar`.

        Raises:
            InvalidArgument: None, several or an empty one is given (also a `ValueError`).
        """
        from aistore.sdk.multiobj import ObjectGroup

        return ObjectGroup(self, obj_names, obj_range, obj_template)

    def write_dataset(
        self,
        config: DatasetConfig,
        skip_missing: bool = True,
        *,
        progress: ProgressCallback | None = None,
        **kwargs: Any,
    ) -> None:
        """Pack the samples of a dataset into shards (webdataset's tar layout) and upload these.

        Needs the package `webdataset`.

        Args:
            config: Where the samples' parts come from.
            skip_missing: Leave out samples that lack a part. Default: `True`.
            progress: Called with a `ProgressUpdate` after each shard that was uploaded; how many there will
                be is not known. Default: `None`.
            **kwargs: For `webdataset.ShardWriter`: `pattern` (path of the shards without number and
                extension; default `dataset`), `maxcount` (samples in a shard; default 100,000), `maxsize`
                (bytes), `post` (called with the path of each shard before its upload).

        Raises:
            InvalidArgumentType: `config` is something else (also a `TypeError`).
        """
        if not hasattr(config, "write_shards"):
            raise InvalidArgumentType(f"config must be a DatasetConfig, not {type(config).__name__}")
        upload_first = kwargs.pop("post", None)
        shards = uploaded = 0

        def post(path: str) -> None:
            nonlocal shards, uploaded
            if upload_first is not None:
                upload_first(path)
            name = Path(path).as_posix().lstrip("/")
            size = Path(path).stat().st_size
            self.object(name).get_writer().put_file(path)
            Path(path).unlink()
            shards, uploaded = shards + 1, uploaded + size
            if progress is not None:
                progress(ProgressUpdate(name, shards, None, uploaded, None))

        config.write_shards(skip_missing=skip_missing, post=post, **kwargs)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__,
    "AISSource",
    "ActionMsg",
    "BsummCtrlMsg",
    "BucketDetails",
    "BucketEntry",
    "BucketList",
    "BucketModel",
    "CopyBckMsg",
    "CreateNBIMsg",
    "DatasetConfig",
    "ETLConfig",
    "FLTPresence",
    "InvalidBckProvider",
    "ListObjectFlag",
    "ListObjectsMsg",
    "NBIInfo",
    "Namespace",
    "Object",
    "ObjectGroup",
    "ObjectIterator",
    "ObjectProps",
    "ObjectRange",
    "Provider",
    "RequestClient",
    "TCBckMsg",
    "TransformBckMsg",
    "UnexpectedHTTPStatusCode",
    "get_file_size",
    "json",
    "logging",
    "os",
    "requests",
    "time",
    "validate_directory",
)
