"""Get-Batch: many objects, ranges and archive members with one request."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

from urllib3 import HTTPResponse

from aistore.sdk.batch.entries import BatchEntries
from aistore.sdk.batch.extractor.extractor_registry import get_extractor
from aistore.sdk.batch.raw import checked_body
from aistore.sdk.batch.results import BatchResults
from aistore.sdk.batch.types import MossIn, MossOut, MossReq, new_entry
from aistore.sdk.const import (
    EXT_TAR,
    HEADER_CONTENT_TYPE,
    HTTP_METHOD_GET,
    JSON_CONTENT_TYPE,
    QPARAM_COLOC,
    QPARAM_NAMESPACE,
    QPARAM_PROVIDER,
    URL_PATH_GB,
)
from aistore.sdk.enums import Colocation
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, UnsupportedOperation
from aistore.sdk.lazy import lazy_names
from aistore.sdk.namespace import Namespace
from aistore.sdk.obj.object import Object
from aistore.sdk.provider import Provider
from aistore.wire.archive.formats import TAR_FORMATS
from aistore.wire.archive.members import check_member_path
from aistore.wire.names import check_object_name

if TYPE_CHECKING:
    from requests import Response

    from aistore.sdk.bucket import Bucket
    from aistore.sdk.request_client import RequestClient

GET_BATCH = "get-batch"
DIRECT = "direct"

BatchResult = Iterator[tuple[MossOut, bytes]]
"""What iterating over an answer yields: what the entry is, and its bytes."""


class Batch:
    """Collects what to read, and reads it with one request.

    The cluster puts the entries into one archive, in the order in which they were added, and sends it while
    it reads them.

    Args:
        request_client: Sends the request.
        objects: What to read: an object, the name of one in `bucket`, or a list of these. Default: nothing
            yet.
        bucket: The bucket of entries that name none. Default: `None`, all entries name theirs. It may be set
            later, and changed: what was added before keeps its bucket.
        output_format: Of the archive: `.tar`, `.tgz`, `.tar.gz`, `.zip` or `.tar.lz4`. Default: `.tar`.
        cont_on_err: Report an entry that is missing in its place, and go on. Default: `True`; else iteration
            ends there with `ErrObjNotFound`.
        only_obj_name: Leave the bucket out of names in the archive; matters for `get(raw=True)` only.
            Default: `False`.
        streaming_get: Have the archive sent while it is made. Default: `True`; else it comes once it is
            complete, with a list of its entries.
        colocation: What is known of where the objects are. Default: nothing.
        strategy: `get-batch`: one request, and one archive. `direct`: single requests, straight from the
            targets that own the objects and many at a time; for a client with direct routing
            (`Client(direct=True)`). Results are the same; format, names in the archive, streaming and
            colocation then mean nothing. It is Get-Batch all the same for other providers and namespaces,
            and where the cluster does not let requests go straight. Default: `get-batch`.

    Raises:
        UnsupportedOperation: Colocation 2, which clusters do not act on yet (also a `NotImplementedError`).
        InvalidArgument: An unknown format, colocation or strategy, objects of the wrong type, a name without
            a bucket, or `direct` with a client that has no direct routing (also a `ValueError`).
    """

    def __init__(
        self,
        request_client: RequestClient,
        objects: list[Object] | Object | str | list[str] | None = None,
        bucket: Bucket | None = None,
        output_format: str = EXT_TAR,
        cont_on_err: bool = True,
        only_obj_name: bool = False,
        streaming_get: bool = True,
        colocation: Colocation = Colocation.NONE,
        *,
        strategy: str = GET_BATCH,
    ) -> None:
        level = _check_colocation(colocation)
        _check_strategy(strategy, request_client)
        self._strategy = strategy
        self.request_client = request_client
        self.bucket = bucket
        self.extractor = get_extractor(output_format)
        self.request = MossReq(
            moss_in=[],
            output_format=output_format.lower(),
            cont_on_err=cont_on_err,
            only_obj_name=only_obj_name,
            streaming_get=streaming_get,
            colocation=level or None,
        )
        if objects is not None:
            if not isinstance(objects, (Object, str, list)):
                raise InvalidArgument(
                    f"objects must be an Object, a name or a list of these, not {type(objects).__name__}"
                )
            for item in objects if isinstance(objects, list) else [objects]:
                self.add(item)

    @property
    def bucket(self) -> Bucket | None:
        """The bucket that requests are sent to, and of names that are added from now on."""
        return self._bucket

    @bucket.setter
    def bucket(self, bucket: Bucket | None) -> None:
        self._bucket = bucket
        self._bucket_name: str | None = None
        self._bucket_provider: str | None = None
        self._bucket_uname: str | None = None
        if bucket is not None:
            self._bucket_name = bucket.name
            self._bucket_provider = Provider.parse(bucket.provider).value
            if isinstance(bucket.namespace, Namespace):
                self._bucket_uname = _uname(bucket.get_path())

    @property
    def requests_list(self) -> list[MossIn]:
        """The entries."""
        return self.request.moss_in

    def __len__(self) -> int:
        return len(self.request.moss_in)

    def __repr__(self) -> str:
        return f"Batch(objects={len(self)}, format={self.request.output_format})"

    def clear(self) -> Batch:
        """Forget the entries; lists that `requests_list` returned before stay as they are."""
        self.request.moss_in = []
        return self

    def add(
        self,
        obj: Object | str,
        opaque: bytes | None = None,
        archpath: str | None = None,
        start: int | None = None,
        length: int | None = None,
        bck: str | None = None,
        provider: str | None = None,
    ) -> Batch:
        """Add an entry.

        Args:
            obj: The object, or its name in the batch's bucket.
            opaque: Bytes to find again in the entry's `MossOut`. Default: none.
            archpath: Path of a member, when the object is an archive. Default: none.
            start: First byte wanted. Default: the first.
            length: How many bytes are wanted, -1 for all from `start` on. Default: all.
            bck: Name of the object's bucket, together with `provider` and a name. Default: the batch's.
            provider: Provider of that bucket. Default: the batch's.

        Raises:
            InvalidArgument: A range that cannot be, an object name that the cluster refuses, no bucket, or
                `bck` and `provider` not together (also a `ValueError`).
        """
        # The common case, a name and nothing else, is kept short: batches have many of them.
        if type(obj) is str and bck is None and provider is None and self._bucket_name is not None:
            name, bucket, source, uname = obj, self._bucket_name, self._bucket_provider, self._bucket_uname
        else:
            name, bucket, source, uname = self._resolve(obj, bck, provider)
        # Every name that the cluster refuses is one of these; few others are.
        if not name or "./" in name or name[-1] in "./" or name[0] == "~" or "\0" in name:
            check_object_name(name)
        if opaque is None and archpath is None and start is None and length is None:
            self.request.moss_in.append(new_entry(name, bucket, source, uname))
            return self
        _check_range(start, length)
        if archpath:
            check_member_path(archpath)
        self.request.moss_in.append(
            new_entry(
                name,
                bucket,
                source,
                uname,
                _encode_opaque(opaque),
                archpath or None,
                start or None,
                length or None,
            )
        )
        return self

    @overload
    def get(
        self,
        raw: Literal[False] = False,
        decode_as_stream: bool = ...,
        clear_batch: bool = ...,
        *,
        tar_buffer_size: int | None = ...,
        timeout: float | tuple[float | None, float | None] | None = ...,
        views: bool = ...,
    ) -> BatchEntries: ...
    @overload
    def get(self, raw: Literal[True], *, clear_batch: bool = ..., timeout: Any = ...) -> HTTPResponse: ...
    @overload
    def get(
        self, raw: bool, *, clear_batch: bool = ..., timeout: Any = ...
    ) -> BatchEntries | HTTPResponse: ...

    def get(
        self,
        raw: bool = False,
        decode_as_stream: bool = False,
        clear_batch: bool = True,
        *,
        tar_buffer_size: int | None = None,
        timeout: float | tuple[float | None, float | None] | None = None,
        views: bool = False,
    ) -> BatchEntries | HTTPResponse:
        """Send the request, and return its entries as they arrive.

        Names and sizes are checked against what was asked for. An answer that breaks off is continued with
        the remaining entries.

        Args:
            raw: Return the body as a stream with urllib3's interface, which the caller closes, instead. Its
                members are compared with the entries on their way; it is not continued when it breaks off.
                Default: `False`. There is none with strategy `direct`.
            decode_as_stream: Without effect: bodies always are decoded as they arrive. Default: `False`.
            clear_batch: Forget the entries once the request is sent. Default: `True`.
            tar_buffer_size: How much of a tar to receive at a time, in bytes. Default: 64 KiB.
            timeout: Time limits in seconds, as for `Client`. Default: those of the client.
            views: Yield a `memoryview` of the bytes of an entry instead of a copy. It can be used until the
                next entry is asked for; `bytes(view)` keeps it. For tar formats. Default: `False`.

        Returns:
            An iterator over `(MossOut, bytes)`, one for each entry in order. Closing it gives the connection
            up.

        Raises:
            ErrBatchIncomplete: (iteration) Entries are missing at the end of the answer; it names them.
            ErrBatchFormat: (iteration) The answer is damaged, or not what was asked for (also a
            `RuntimeError`). ErrObjNotFound: (iteration) An entry is missing, without `cont_on_err`.
            InvalidArgument: `raw` for an empty batch, or `tar_buffer_size` or `views` out of place
            (also a `ValueError`).
        """
        self._check_buffer_size(tar_buffer_size, raw)
        if views and (raw or self.request.output_format not in TAR_FORMATS):
            raise InvalidArgument("views is for tar formats, and not with raw")
        request = self.request.subset([self._with_bucket(entry) for entry in self.request.moss_in])
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        # The rest of an answer that breaks off is asked for where the request went.
        path, params = self._address(request)

        def send(part: MossReq) -> Response:
            return self.request_client.request(
                method=HTTP_METHOD_GET,
                path=path,
                params=params,
                headers={HEADER_CONTENT_TYPE: JSON_CONTENT_TYPE},
                stream=True,
                json=part.as_dict(),
                **options,
            )

        if not request.moss_in:
            if raw:
                raise InvalidArgument("the batch is empty: there is no answer to return")
            return BatchResults(request, None, send, self.extractor)
        if self._strategy == DIRECT:
            if raw:
                raise InvalidArgument("raw is the archive of a Get-Batch answer: strategy 'direct' has none")
            direct = self._get_direct(request, options, views)
            if direct is not None:
                if clear_batch:
                    self.clear()
                return direct
        response = send(request)
        if clear_batch:
            self.clear()
        if raw:
            body: HTTPResponse = checked_body(response, request)
            return body
        return BatchResults(request, response, send, self.extractor, tar_buffer_size, views)

    def _get_direct(self, request: MossReq, options: dict[str, Any], views: bool) -> BatchEntries | None:
        """Read the entries straight from their owners; None when that is Get-Batch's to do."""
        from aistore.sdk.batch.direct import DirectResults, can_read

        if not can_read(request.moss_in):
            return None
        results = DirectResults(
            self.request_client, request.moss_in, bool(request.cont_on_err), options, views
        )
        if results.begin():
            return results
        results.close()
        return None

    def _address(self, request: MossReq) -> tuple[str, dict[str, Any]]:
        """Return path and query parameters of a request."""
        path, params = URL_PATH_GB, dict[str, Any]()
        if self.bucket is not None:
            path = f"{URL_PATH_GB}/{self._bucket_name}"
            params[QPARAM_PROVIDER] = self._bucket_provider
            if self._bucket_uname is not None and self.bucket.namespace is not None:
                params[QPARAM_NAMESPACE] = self.bucket.namespace.get_path()
        if request.colocation:
            params[QPARAM_COLOC] = str(request.colocation)
        return path, params

    def _with_bucket(self, entry: MossIn) -> MossIn:
        """Return an entry that names its bucket; one that was not made by `add` may not."""
        if entry.bck or entry.uname or self._bucket_name is None:
            return entry
        address = (self._bucket_name, self._bucket_provider, self._bucket_uname)
        rest = (entry.opaque, entry.archpath, entry.start, entry.length)
        return new_entry(entry.obj_name, *address, *rest)

    def _check_buffer_size(self, size: int | None, raw: bool) -> None:
        if size is None:
            return
        if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
            raise InvalidArgument(f"tar_buffer_size must be a positive int (bytes), not {size!r}")
        if raw or self.request.output_format not in TAR_FORMATS:
            raise InvalidArgument("tar_buffer_size is for tar formats, and not with raw")

    def _resolve(
        self, obj: Object | str, bck: str | None, provider: str | None
    ) -> tuple[str, str, str, str | None]:
        """Return name, bucket, provider and full bucket name (outside the global namespace) of an entry."""
        if (bck is None) != (provider is None):
            raise InvalidArgument("bck and provider go together: give both or neither")
        if isinstance(obj, Object):
            if bck is not None:
                raise InvalidArgument("an Object has a bucket: bck and provider are for names")
            return (
                obj.name,
                obj.bucket_name,
                Provider.parse(obj.bucket_provider).value,
                _uname(obj.bucket_path),
            )
        if not isinstance(obj, str):
            raise InvalidArgument(f"obj must be an Object or a name, not {type(obj).__name__}")
        if bck and provider:
            return obj, bck, provider, None
        if self._bucket_name is None or self._bucket_provider is None:
            raise InvalidArgument(
                f"no bucket for {obj!r}: give the batch one, or the entry bck and provider, or an Object"
            )
        return obj, self._bucket_name, self._bucket_provider, self._bucket_uname


def _uname(bucket_path: str) -> str | None:
    # Entries have no field for a namespace, so the full bucket name goes in, where there is one.
    return f"{bucket_path.rstrip('/')}/" if "/@" in bucket_path and "/@#/" not in bucket_path else None


def _check_colocation(colocation: Colocation | int) -> int:
    try:
        level = int(Colocation(colocation))
    except (ValueError, TypeError):
        raise InvalidArgument(f"colocation must be 0, 1 or 2, not {colocation!r}") from None
    if level == Colocation.TARGET_AND_SHARD_AWARE:
        raise UnsupportedOperation("colocation 2 (target and shard aware) is not supported yet: use 1")
    return level


def _check_strategy(strategy: str, request_client: RequestClient) -> None:
    if strategy not in (GET_BATCH, DIRECT):
        raise InvalidArgument(f"strategy must be {GET_BATCH!r} or {DIRECT!r}, not {strategy!r}")
    if strategy == DIRECT and request_client.router is None:
        raise InvalidArgument(
            "strategy 'direct' needs a client with direct routing: Client(..., direct=True), or AIS_DIRECT=1"
        )


def _check_range(start: int | None, length: int | None) -> None:
    for what, value in (("start", start), ("length", length)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidArgumentType(f"{what} must be an int, not {value!r}")
    if start is not None and start < 0:
        raise InvalidArgument(f"start must not be negative, it is {start}")
    if length is not None and length < -1:
        raise InvalidArgument(f"length must be positive, or -1 for all that follows, not {length}")
    if start and not length:
        raise InvalidArgument(f"start={start} needs a length: a number of bytes, or -1 for all that follows")


def _encode_opaque(opaque: bytes | None) -> str | None:
    # The standard alphabet: the cluster refuses the URL-safe one.
    return binascii.b2a_base64(opaque, newline=False).decode() if opaque else None


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__,
    "Bucket",
    "MossResp",
    "MultipartDecoder",
    "RequestClient",
    "TarStreamExtractor",
    "get_logger",
    "logger",
)
