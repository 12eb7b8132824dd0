"""Writing one object."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from aistore.sdk.const import (
    HEADER_OBJECT_APPEND_HANDLE,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_PUT,
    QPARAM_NEW_CUSTOM,
    QPARAM_OBJ_APPEND,
    QPARAM_OBJ_APPEND_HANDLE,
)
from aistore.sdk.errors import ErrInvalidResponse, InvalidArgumentType
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.obj_file.object_file import ObjectFileWriter
from aistore.sdk.obj.obj_file.sinks import AppendSink, ReplaceSink, Sink
from aistore.sdk.obj.put_check import PutCheck, is_plain_put, validates
from aistore.sdk.transport.response import Response as TransportResponse
from aistore.sdk.types import ActionMsg
from aistore.sdk.utils import validate_file

if TYPE_CHECKING:
    from requests import Response

    from aistore.sdk.obj.multipart_upload import MultipartUpload
    from aistore.sdk.obj.obj_file.upload_writer import ObjectUploadWriter
    from aistore.sdk.request_client import RequestClient


class ObjectWriter:
    """Writes the bytes and the custom metadata of an object.

    Args:
        client: Sends the requests.
        object_path: Path of the object below `/v1/`.
        query_params: Query parameters of every request.
    """

    def __init__(self, client: RequestClient, object_path: str, query_params: dict[str, str]) -> None:
        self._client = client
        self._object_path = object_path
        self.query_params = query_params

    @property
    def object_path(self) -> str:
        """Path of the object below `/v1/`."""
        return self._object_path

    def put_content(self, content: bytes) -> Response:
        """Write the object.

        Args:
            content: Its bytes; may be empty. Text is encoded as UTF-8.

        Raises:
            InvalidArgumentType: `content` is `None` (also a `TypeError`).
            ErrChecksumMismatch: The cluster has stored other bytes (like all that write the object).
        """
        return self._put(_to_body(content))

    def put_file(self, path: str | Path) -> Response:
        """Write the object with the bytes of a local file, which is not read into memory.

        Args:
            path: Path of the file, or of a pipe or device; what has no size beforehand is read to its end.

        Raises:
            ValueError: There is no file at `path`.
        """
        validate_file(path)
        with Path(path).open("rb") as file:
            return self._put(file)

    def put_stream(self, stream: IO[bytes]) -> Response:
        """Write the object with what is left in a binary file.

        Args:
            stream: The file; one that can seek is read again when the upload has to be repeated.
        """
        return self._put(stream)

    def append_content(self, content: bytes, handle: str = "", flush: bool = False) -> str:
        """Append bytes to what the object will be, or make what was appended the object.

        A first call without a handle starts from the object that is there, if any. Each further call takes
        the handle that the one before returned. The last has `flush=True`; nothing is visible before. A call
        that failed may have been carried out: start again rather than repeat it.

        Args:
            content: The bytes; empty when flushing.
            handle: What the last call returned. Default: "", the first call.
            flush: Finish. Default: `False`.

        Returns:
            The handle for the next call; "" after a flush.

        Raises:
            ErrInvalidResponse: The response has no handle, without which the bytes cannot become the object.
        """
        params = {
            **self.query_params,
            QPARAM_OBJ_APPEND: "flush" if flush else "append",
            QPARAM_OBJ_APPEND_HANDLE: handle,
        }
        response = self._client.request(
            HTTP_METHOD_PUT, path=self._object_path, params=params, data=_to_body(content)
        )
        next_handle: str = response.headers.get(HEADER_OBJECT_APPEND_HANDLE, "")
        if not (next_handle or flush) and type(response) is TransportResponse:
            # The next call would start anew, without these bytes.
            raise ErrInvalidResponse(
                f"no {HEADER_OBJECT_APPEND_HANDLE}: expected the handle for the next append",
                method=HTTP_METHOD_PUT,
                url=response.url,
            )
        return next_handle

    def set_custom_props(self, custom_metadata: dict[str, str], replace_existing: bool = False) -> Response:
        """Set custom metadata of the object that is there.

        Args:
            custom_metadata: Keys and values, 2 KiB in all.
            replace_existing: Remove what is not in `custom_metadata`. Default: `False`, add to it.
        """
        params = dict(self.query_params)
        if replace_existing:
            params[QPARAM_NEW_CUSTOM] = "true"
        return self._client.request(
            HTTP_METHOD_PATCH,
            path=self._object_path,
            params=params,
            json=ActionMsg(action="", value=custom_metadata).as_dict(),
        )

    def as_file(self, mode: str = "a") -> ObjectFileWriter:
        """Return a binary file that writes the object when it is flushed or closed.

        Args:
            mode: `"w"` replaces the object, `"a"` appends to it. Default: `"a"`.

        Raises:
            InvalidArgument: Another mode (also a `ValueError`).
        """
        return ObjectFileWriter(self, mode)

    def as_upload(self, num_workers: int = 4) -> ObjectUploadWriter:
        """Return a binary file that replaces the object when it is closed, not before, and not if it fails.

        Args:
            num_workers: How many parts of a large object to upload at a time. Default: 4.

        Raises:
            InvalidArgument: `num_workers` is out of range (also a `ValueError`).
        """
        from aistore.sdk.obj.obj_file.upload_writer import ObjectUploadWriter

        return ObjectUploadWriter(self, num_workers)

    def multipart_upload(self) -> MultipartUpload:
        """Return a multipart upload of the object, not created yet."""
        from aistore.sdk.obj.multipart_upload import MultipartUpload

        return MultipartUpload(self._client, self._object_path, self.query_params)

    def sink(self, mode: str) -> Sink:
        """Return what takes the bytes of a file that writes this object.

        Args:
            mode: Of the file, `"w"` or `"a"`.
        """
        return ReplaceSink(self) if mode == "w" else AppendSink(self)

    def _put(self, body: Any) -> Response:
        client, path, params = self._client, self._object_path, self.query_params
        if not (validates(client) and is_plain_put(params)):
            return client.request(HTTP_METHOD_PUT, path=path, params=params, data=body)
        check = PutCheck(client, path, params, body)
        response = client.request(HTTP_METHOD_PUT, path=path, params=params, data=check.data)
        check.compare(response)
        return response


def _to_body(content: Any) -> Any:
    if content is None:
        raise InvalidArgumentType("content must be bytes, not None")
    return content.encode() if isinstance(content, str) else content


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "Response")
