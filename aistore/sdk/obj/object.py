"""One object of a bucket: what it is, reading, writing, copying, deleting it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BufferedWriter
from typing import TYPE_CHECKING, Any, overload

from requests.structures import CaseInsensitiveDict

from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.const import (
    ACT_BLOB_DOWNLOAD,
    ACT_PROMOTE,
    AIS_BCK_NAME,
    AIS_BCK_PROVIDER,
    AIS_OBJ_NAME,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    QPARAM_ARCHPATH,
    QPARAM_LATEST,
    QPARAM_OBJ_TO,
    QPARAM_PROPS,
    QPARAM_SYNC,
)
from aistore.sdk.errors import AISError, ErrBckNotFound, ErrRemoteBckNotFound
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.multipart_upload import MultipartUpload
from aistore.sdk.obj.object_client import DEFAULT_PROPS, ObjectClient, check_length
from aistore.sdk.obj.object_props import ObjectProps
from aistore.sdk.obj.object_reader import ObjectReader
from aistore.sdk.obj.object_writer import ObjectWriter
from aistore.sdk.obj.read_request import ReadRequest, refuse_with_workers
from aistore.sdk.provider import Provider
from aistore.sdk.types import ActionMsg, BlobMsg, BucketEntry, PromoteAPIArgs
from aistore.wire.names import bucket_objects_path, check_object_name, object_path

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from requests import Response

    from aistore.sdk.etl.etl_config import ETLConfig
    from aistore.sdk.obj.content_iterator import ParallelBuffer
    from aistore.sdk.request_client import RequestClient

_ALL_PROPS = "checksum,atime,version,copies,custom,location"


@dataclass
class BucketDetails:
    """What an object needs to know of its bucket.

    Attributes:
        name: Name of the bucket.
        provider: Its provider.
        qparams: Query parameters that identify it besides the name.
        path: Its full name, `provider/@uuid#namespace/bucket/`.
    """

    name: str
    provider: Provider
    qparams: dict[str, str]
    path: str


class Object:
    """An object, which need not exist. Made by `Bucket.object`; making it asks the cluster nothing.

    Every method that takes the object to the cluster refuses a name that the cluster would refuse, or that
    would address something else (`InvalidArgument`, also a `ValueError`).

    Args:
        client: Sends the requests.
        bck_details: The bucket.
        name: Name of the object.
        props: Attributes that are known already, or the entry of a listing that has them. Default: none.
    """

    def __init__(
        self,
        client: RequestClient,
        bck_details: BucketDetails,
        name: str,
        props: ObjectProps | BucketEntry | None = None,
    ) -> None:
        self._client = client
        self._bck_details = bck_details
        self._name = name
        self._props = props

    # ------------------------------------------------------------ what it is

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    @property
    def bucket_name(self) -> str:
        """Name of the bucket."""
        return self._bck_details.name

    @property
    def bucket_provider(self) -> Provider:
        """Provider of the bucket."""
        return self._bck_details.provider

    @property
    def bucket_path(self) -> str:
        """Full name of the bucket, `provider/@uuid#namespace/bucket/`."""
        return self._bck_details.path

    @property
    def query_params(self) -> dict[str, str]:
        """Query parameters that identify the bucket besides its name."""
        return self._bck_details.qparams

    @property
    def name(self) -> str:
        """Name of the object."""
        return self._name

    @property
    def uname(self) -> str:
        """Full name, `provider/@uuid#namespace/bucket/object`, which decides where the object is."""
        return f"{self._bck_details.path.rstrip('/')}/{self._name}"

    @property
    def props(self) -> ObjectProps:
        """Checksum, access time, version, copies, custom metadata and location as they are now (HEAD)."""
        return self.head(_ALL_PROPS)

    @property
    def props_cached(self) -> ObjectProps | None:
        """Attributes as of the last `head` or `props`, or of the listing that it came from; else `None`."""
        known = self._props
        if isinstance(known, BucketEntry):  # a listing has thousands, programs look at few
            known = self._props = known.generate_object_props()
        return known

    @property
    def size_cached(self) -> int | None:
        """Size in bytes as `props_cached` has it, which costs more to look at; else `None`."""
        return None if self._props is None else self._props.size

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_props": self.props_cached}

    def head(self, props: str = "") -> ObjectProps:
        """Return attributes of the object as they are now.

        The result is also a mapping of response headers. When `props` is empty, looking up a header that was
        not asked for fetches all of them.

        Args:
            props: Which attributes, separated by commas: name, size, version, checksum, atime, copies, ec,
                custom, location, chunked, last-modified, etag. Default: "", name and size.

        Raises:
            ErrObjNotFound: The object does not exist.
        """
        headers = self._head({**self.query_params, QPARAM_PROPS: props or DEFAULT_PROPS})
        result = ObjectProps(headers)
        if not props:
            result.complete_with(lambda: self._head(self.query_params))
        self._props = result
        return result

    def exists(self) -> bool:
        """Return whether the object exists.

        Raises:
            ErrBckNotFound: The bucket does not exist.
            AISError: The cluster does not tell, for example to a client without permission.
        """
        try:
            self.head()
        except AISError as err:
            if err.status_code != 404 or isinstance(err, (ErrBckNotFound, ErrRemoteBckNotFound)):
                raise
            return False
        return True

    def head_v2(self, props: str = "") -> ObjectProps:
        """Return `head(props)`, which replaces this method.

        Args:
            props: Which attributes, separated by commas. Default: name and size.
        """
        warnings.warn("Object.head_v2() is deprecated: use Object.head()", DeprecationWarning, stacklevel=2)
        return self.head(props)

    def _head(self, params: dict[str, str]) -> CaseInsensitiveDict[str]:
        response = self._client.request(HTTP_METHOD_HEAD, path=self._path(), params=params)
        if QPARAM_PROPS in params:
            check_length(response)
        answered: MutableMapping[str, str] = response.headers
        # Of an answer that is ours alone: no copy. A replaced client may have a plain dictionary.
        headers = answered if isinstance(answered, CaseInsensitiveDict) else CaseInsensitiveDict(answered)
        headers.setdefault(AIS_BCK_NAME, self.bucket_name)
        headers.setdefault(AIS_BCK_PROVIDER, Provider.parse(self.bucket_provider).value)
        headers.setdefault(AIS_OBJ_NAME, self._name)
        return headers

    def get_semantic_url(self) -> str:
        """Return `provider://bucket/object`."""
        return f"{Provider.parse(self.bucket_provider).value}://{self.bucket_name}/{self._name}"

    def get_url(self, archpath: str = "", etl: ETLConfig | None = None) -> str:
        """Return the URL that a GET of the object has.

        Args:
            archpath: Path of a member, when the object is an archive. Default: "".
            etl: Transformation on the way. Default: `None`.
        """
        params = dict(self.query_params)
        if archpath:
            params[QPARAM_ARCHPATH] = archpath
        if etl:
            etl.update_qparams(params)
        return self._client.get_full_url(self._path(), params)

    # ------------------------------------------------------------ reading and writing

    @overload
    def get_reader(
        self,
        archive_config: ArchiveConfig | None = ...,
        blob_download_config: BlobDownloadConfig | None = ...,
        chunk_size: int | None = ...,
        etl: ETLConfig | None = ...,
        writer: BufferedWriter | None = ...,
        latest: bool = ...,
        byte_range: str | None = ...,
        direct: bool = ...,
        num_workers: None = ...,
        *,
        validate_checksum: bool | None = ...,
    ) -> ObjectReader[bytes]: ...
    @overload
    def get_reader(
        self,
        *,
        num_workers: int,
        chunk_size: int | None = ...,
        direct: bool = ...,
        validate_checksum: bool | None = ...,
    ) -> ObjectReader[ParallelBuffer]: ...
    def get_reader(
        self,
        archive_config: ArchiveConfig | None = None,
        blob_download_config: BlobDownloadConfig | None = None,
        chunk_size: int | None = None,
        etl: ETLConfig | None = None,
        writer: BufferedWriter | None = None,
        latest: bool = False,
        byte_range: str | None = None,
        direct: bool = False,
        num_workers: int | None = None,
        *,
        validate_checksum: bool | None = None,
    ) -> ObjectReader[Any]:
        """Return a reader of the object.

        Args:
            archive_config: Read members of an archive. Default: `None`, the object itself.
            blob_download_config: Have the cluster fetch a remote object in chunks. Default: `None`.
            chunk_size: Bytes in each piece of an iteration. Default: 32 KiB; with workers the size of the
                object's own chunks, or 8 MiB.
            etl: Transform the object on the way. Default: `None`.
            writer: A binary file that the object is written to at once, besides. Default: `None`.
            latest: Make sure to read the latest version of a remote object. Default: `False`.
            byte_range: `bytes=a-b`, `bytes=a-` or `bytes=-n`. Default: `None`, everything.
            direct: Send the request straight to the target that owns the object. Default: `False`.
            num_workers: How many ranges to read at a time, at least 2. Default: `None`, one stream.
            validate_checksum: Compare what was read with the cluster's checksum. True: it is an error when
                there is none. Default (`None`): what the client says, where the whole object is read as it is
                stored and has a checksum.

        Raises:
            InvalidArgument: A range that cannot be, or options that exclude each other (also a `ValueError`).
        """
        if num_workers is not None:
            refuse_with_workers(byte_range, blob_download_config, etl, archive_config)
        request = ReadRequest.of(
            self.query_params, archive_config, blob_download_config, etl, byte_range, latest=latest
        )
        uname = self.uname if direct else None
        client = ObjectClient(self._client, self._path(), *request, uname)
        reader = ObjectReader(client, chunk_size, num_workers, validate_checksum=validate_checksum)
        if writer is not None:
            for piece in reader:
                writer.write(piece)
        return reader

    def get_writer(self) -> ObjectWriter:
        """Return a writer of the object."""
        return ObjectWriter(self._client, self._path(), self.query_params)

    def multipart_upload(self) -> MultipartUpload:
        """Return a multipart upload of the object; `create` starts it."""
        return MultipartUpload(self._client, self._path(), self.query_params)

    # ------------------------------------------------------------ the whole object

    def promote(
        self,
        path: str,
        target_id: str = "",
        recursive: bool = False,
        overwrite_dest: bool = False,
        delete_source: bool = False,
        src_not_file_share: bool = False,
    ) -> str:
        """Make files that the cluster's nodes can see objects of the cluster.

        Args:
            path: Path of a file or directory on the nodes.
            target_id: The target that has it. Default: "", all of them.
            recursive: Include subdirectories. Default: `False`.
            overwrite_dest: Overwrite objects that exist. Default: `False`.
            delete_source: Delete the files afterwards. Default: `False`.
            src_not_file_share: Every target has files of its own at `path`. Default: `False`.

        Returns:
            Id of the job, empty when there was no need for one.
        """
        if prefix := self._name.rstrip("/"):  # of many objects when `path` is a directory
            check_object_name(prefix)
        args = PromoteAPIArgs(
            source_path=path,
            object_name=self._name,
            target_id=target_id,
            recursive=recursive,
            overwrite_dest=overwrite_dest,
            delete_source=delete_source,
            src_not_file_share=src_not_file_share,
        )
        return self._act(ActionMsg(action=ACT_PROMOTE, name=path, value=args.as_dict()))

    def delete(self) -> Response:
        """Delete the object.

        Raises:
            ErrObjNotFound: It does not exist.
        """
        return self._client.request(HTTP_METHOD_DELETE, path=self._path(), params=self.query_params)

    def copy(
        self, to_obj: Object, etl: ETLConfig | None = None, latest: bool = False, sync: bool = False
    ) -> Response:
        """Copy the object, within the cluster.

        Args:
            to_obj: Where to; overwritten if it exists.
            etl: Transform the object on the way. Default: `None`.
            latest: Make sure to copy the latest version of a remote object. Default: `False`.
            sync: Also delete the copy when the remote object is gone. Default: `False`.

        Raises:
            ErrObjNotFound: The object does not exist.
        """
        check_object_name(to_obj.name)
        params = {
            **self.query_params,
            QPARAM_OBJ_TO: to_obj.uname,
            QPARAM_LATEST: str(bool(latest)).lower(),
            QPARAM_SYNC: str(bool(sync)).lower(),
        }
        limits: dict[str, Any] = {}
        if etl:
            from aistore.sdk.etl.inline_timeout import inline_timeout

            etl.update_qparams(params)
            limits = inline_timeout(self._client, params)
        return self._client.request(HTTP_METHOD_PUT, path=self._path(), params=params, **limits)

    def blob_download(
        self, chunk_size: int | None = None, num_workers: int | None = None, latest: bool = False
    ) -> str:
        """Start a job that fetches a remote object into the cluster, in chunks.

        Args:
            chunk_size: Bytes in a chunk. Default: the cluster's choice (4 MiB).
            num_workers: How many workers fetch chunks. Default: the cluster's choice.
            latest: Fetch the object again if the remote one is newer. Default: `False`.

        Returns:
            Id of the job, empty when the object is in the cluster already.
        """
        check_object_name(self._name)
        message = BlobMsg(chunk_size=chunk_size, num_workers=num_workers, latest=latest)
        return self._act(ActionMsg(action=ACT_BLOB_DOWNLOAD, name=self._name, value=message.as_dict()))

    def _act(self, action: ActionMsg) -> str:
        response = self._client.request(
            HTTP_METHOD_POST,
            path=bucket_objects_path(self.bucket_name),
            params=self.query_params,
            json=action.as_dict(),
        )
        return response.text

    def _path(self) -> str:
        return object_path(self.bucket_name, self._name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Object):
            return NotImplemented
        return (self._bck_details, self._name) == (other._bck_details, other._name)

    def __hash__(self) -> int:
        return hash(self.uname)

    def __repr__(self) -> str:
        return f"Object({self.get_semantic_url()!r})"

    def _repr_html_(self) -> str:
        from aistore.sdk.notebook import card

        return card("Object", self.get_semantic_url())


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ETLConfig", "ObjectAttributes", "RequestClient", "Response", "os")
