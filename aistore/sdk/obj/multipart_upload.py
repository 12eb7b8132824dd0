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
from aistore.sdk.errors import APIRequestError, InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.obj_file.sinks import PartSink, Sink
from aistore.sdk.obj.object_writer import ObjectWriter
from aistore.sdk.types import ActionMsg, MptCompletedPart

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
        upload_id: The cluster's id of the upload; "" before `create`.
        parts: Numbers of the parts that the cluster has.
    """

    def __init__(self, client: RequestClient, object_path: str, params: dict[str, str] | None = None) -> None:
        self.client = client
        self.object_path = object_path
        self.params = params or {}
        self.upload_id = ""
        self.parts: list[int] = []
        self._lock = Lock()
        self._sent: set[int] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock())

    def create(self) -> MultipartUpload:
        """Start the upload.

        Raises:
            InvalidArgument: It is started already.
        """
        if self.upload_id:
            raise InvalidArgument(f"multipart upload {self.upload_id} is created already")
        response = self.client.request(
            HTTP_METHOD_POST,
            path=self.object_path,
            params=self.params,
            json=ActionMsg(action=ACT_MPT_UPLOAD).as_dict(),
        )
        self.upload_id = response.text
        return self

    def add_part(self, part_number: int) -> ObjectWriter:
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
        return _PartWriter(self, part_number)

    def complete(self) -> Response:
        """Make the parts the object.

        Raises:
            InvalidArgument: `create` was not called, or a part was sent and did not arrive for sure
                (also a `ValueError`).
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
        return self._finish(HTTP_METHOD_POST, ActionMsg(action=ACT_MPT_COMPLETE, value=value))

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

    def forget_part(self, number: int) -> None:
        """Note that the cluster refused a part: it may be sent again.

        Args:
            number: Of the part.
        """
        with self._lock:
            self._sent.discard(number)

    def _finish(self, method: str, action: ActionMsg) -> Response:
        params = {**self.params, QPARAM_MPT_UPLOAD_ID: self.upload_id}
        return self.client.request(method, path=self.object_path, params=params, json=action.as_dict())

    def _require_created(self) -> None:
        if not self.upload_id:
            raise InvalidArgument("Multipart upload not created: call create() first")


class _PartWriter(ObjectWriter):
    def __init__(self, upload: MultipartUpload, number: int) -> None:
        params: dict[str, Any] = {
            **upload.params,
            QPARAM_MPT_UPLOAD_ID: upload.upload_id,
            QPARAM_MPT_PART_NO: number,
        }
        super().__init__(upload.client, upload.object_path, params)
        self._upload = upload
        self._number = number

    def append_content(self, content: bytes, handle: str = "", flush: bool = False) -> NoReturn:
        raise InvalidArgument("a part is written at once: use put_content, put_file or as_file")

    def sink(self, mode: str) -> Sink:
        return PartSink(self)

    def _put(self, body: Any) -> Response:
        self._upload.begin_part(self._number)
        try:
            response = super()._put(body)
        except APIRequestError as err:
            if 400 <= err.status_code < 500:
                self._upload.forget_part(self._number)
            raise
        self._upload.record_part(self._number)
        return response


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "Response")
