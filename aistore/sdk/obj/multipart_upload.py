"""Multipart upload: an object written as parts, in any order, that become visible all at once."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

from aistore.sdk.const import (
    ACT_MPT_ABORT,
    ACT_MPT_COMPLETE,
    ACT_MPT_UPLOAD,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_POST,
    QPARAM_MPT_PART_NO,
    QPARAM_MPT_UPLOAD_ID,
)
from aistore.sdk.errors import APIRequestError, ErrInvalidResponse, InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.obj_file.sinks import PartSink, Sink
from aistore.sdk.obj.object_writer import ObjectWriter
from aistore.sdk.obj.put_check import bucket_type, compare_parts, validates
from aistore.sdk.transport.body import Body
from aistore.sdk.types import ActionMsg, MptCompletedPart
from aistore.wire.checksums import PartHasher, PartSums

if TYPE_CHECKING:
    from requests import Response

    from aistore.sdk.request_client import RequestClient

MAX_PART_NUMBER = 9999


class MultipartUpload:
    """Uploads an object in parts. Parts may be uploaded by several threads.

    The cluster corrupts an object one of whose parts it received twice, so a part is sent once: when its
    upload fails, or may have failed, abort and start again.

    Args:
        client: Sends the requests.
        object_path: Path of the object below `/v1/`.
        params: Query parameters of every request. Default: none.

    Attributes:
        upload_id: The cluster's id of the upload; None before `create`.
        parts: Numbers of the parts that the cluster has.
    """

    def __init__(self, client: RequestClient, object_path: str, params: dict[str, str] | None = None) -> None:
        self.client = client
        self.object_path = object_path
        self.params = params
        self.upload_id: str | None = None
        self.parts: list[int] = []
        self._lock = Lock()
        self._sent: set[int] = set()
        self._sums: PartSums | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_sums")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Parts that another process sends are not summed here.
        self.__dict__.update(state, _lock=Lock(), _sums=None)

    def create(self) -> MultipartUpload:
        """Start the upload.

        Raises:
            InvalidArgument: It is started already.
            ErrInvalidResponse: The response has no ID of an upload.
        """
        if self.upload_id:
            raise InvalidArgument(f"multipart upload {self.upload_id} is created already")
        response = self.client.request(
            HTTP_METHOD_POST,
            path=self.object_path,
            params=self.params,
            json=ActionMsg(action=ACT_MPT_UPLOAD).as_dict(),
        )
        if not response.text:
            raise ErrInvalidResponse(
                "empty body: expected the ID of the upload", method=HTTP_METHOD_POST, url=response.url
            )
        self.upload_id = response.text
        if validates(self.client):
            self._sums = PartSums(bucket_type(self.client, self.object_path, self.params or {}))
        return self

    def add_part(self, part_number: int) -> PartWriter:
        """Return what writes a part. The part counts once it is written.

        Args:
            part_number: From 1 to 9999. Parts become the object in the order of their numbers, which must
                have no gap.

        Raises:
            InvalidArgument: `create` was not called, or the number is out of range (also a `ValueError`).
        """
        self._require_created()
        if isinstance(part_number, bool) or not isinstance(part_number, int):
            raise InvalidArgument(f"part_number must be an int, not {part_number!r}")
        if not 1 <= part_number <= MAX_PART_NUMBER:
            raise InvalidArgument(f"part_number must be from 1 to {MAX_PART_NUMBER}, not {part_number}")
        return PartWriter(self, part_number)

    def complete(self) -> Response:
        """Make the parts the object.

        Raises:
            InvalidArgument: `create` was not called, or a part was sent and did not arrive for sure
                (also a `ValueError`).
            ErrChecksumMismatch: The cluster has other bytes than those that were sent.
        """
        self._require_created()
        with self._lock:
            numbers = sorted(self.parts)
            doubtful = sorted(self._sent.difference(numbers))
        if doubtful:
            raise InvalidArgument(
                f"parts {doubtful} of upload {self.upload_id} failed or are being sent: wait, or abort"
            )
        value = [MptCompletedPart(part_number=number, etag="").as_dict() for number in numbers]
        response = self._finish(HTTP_METHOD_POST, ActionMsg(action=ACT_MPT_COMPLETE, value=value))
        if numbers and self._sums is not None and self._sums.numbers == numbers:
            compare_parts(self.client, self.object_path, self.params or {}, self._sums)
        return response

    def abort(self) -> Response:
        """Give the upload up; the object stays as it was.

        Raises:
            InvalidArgument: `create` was not called (also a `ValueError`).
        """
        self._require_created()
        return self._finish(HTTP_METHOD_DELETE, ActionMsg(action=ACT_MPT_ABORT))

    def begin_part(self, number: int) -> None:
        """Note that a part is about to be sent.

        Args:
            number: Of the part.

        Raises:
            InvalidArgument: It was sent before.
        """
        with self._lock:
            if number in self._sent or number in self.parts:
                raise InvalidArgument(
                    f"part {number} of upload {self.upload_id} was sent before; "
                    "twice would corrupt the object: abort and start again"
                )
            self._sent.add(number)

    def record_part(self, number: int) -> None:
        """Note that the cluster has a part.

        Args:
            number: Of the part.
        """
        with self._lock:
            self.parts.append(number)

    def begin_sum(self, number: int) -> PartHasher:
        """Return the hasher of a part, for `record_sum`.

        Args:
            number: Of the part.
        """
        with self._lock:
            return PartHasher(None) if self._sums is None else self._sums.begin(number)

    def record_sum(self, number: int, part: PartHasher) -> None:
        """Note the checksum of a part.

        Args:
            number: Of the part.
            part: Its hasher, with all bytes of the part.
        """
        with self._lock:
            if self._sums is not None:
                self._sums.add(number, part)

    def forget_part(self, number: int) -> None:
        """Note that the cluster refused a part: it may be sent again.

        Args:
            number: Of the part.
        """
        with self._lock:
            self._sent.discard(number)

    def _finish(self, method: str, action: ActionMsg) -> Response:
        params = {**(self.params or {}), QPARAM_MPT_UPLOAD_ID: self.upload_id}
        return self.client.request(method, path=self.object_path, params=params, json=action.as_dict())

    def _require_created(self) -> None:
        if not self.upload_id:
            raise InvalidArgument("Multipart upload not created: call create() first")


class PartWriter(ObjectWriter):
    """Writes one part of a multipart upload.

    Args:
        upload: The upload.
        number: Of the part.
    """

    def __init__(self, upload: MultipartUpload, number: int) -> None:
        params: dict[str, Any] = {
            **(upload.params or {}),
            QPARAM_MPT_UPLOAD_ID: upload.upload_id,
            QPARAM_MPT_PART_NO: number,
        }
        super().__init__(upload.client, upload.object_path, params)
        self._upload = upload
        self._number = number
        self._is_summed = False
        self._hasher: PartHasher | None = None

    def sum(self, content: bytes) -> None:
        """Sum the part before it is sent: so parts that threads send at a time are summed in their order.

        Args:
            content: Its bytes.
        """
        if validates(self._client):
            hasher = self._upload.begin_sum(self._number)
            hasher.update(content)
            self._upload.record_sum(self._number, hasher)
        self._is_summed = True

    def append_content(self, content: bytes, handle: str = "", flush: bool = False) -> NoReturn:
        """Raise `InvalidArgument`."""
        raise InvalidArgument("a part is written at once: use put_content, put_file or as_file")

    def sink(self, mode: str) -> Sink:
        """Return what takes the bytes of a file that writes this part.

        Args:
            mode: Of the file.
        """
        return PartSink(self)

    def _put(self, body: Any) -> Response:
        upload, number = self._upload, self._number
        upload.begin_part(number)
        if not self._is_summed and validates(self._client):
            body = Body(body)
            if body.view is None:
                body.sum_with(self._begin_sum)
            else:
                self._begin_sum().update(body.view)
        try:
            response = super()._put(body)
        except APIRequestError as err:
            if 400 <= err.status_code < 500:
                upload.forget_part(number)
            raise
        upload.record_part(number)
        if self._hasher is not None:
            upload.record_sum(number, self._hasher)
        return response

    def _begin_sum(self) -> PartHasher:
        self._hasher = self._upload.begin_sum(self._number)
        return self._hasher


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "Response")
