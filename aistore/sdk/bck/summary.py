"""How much a bucket holds: two ways to ask, both a job that is polled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aistore.sdk.bck.base import BucketBase
from aistore.sdk.const import (
    ACT_SUMMARY_BCK,
    DEFAULT_JOB_WAIT_TIMEOUT,
    HEADER_BUCKET_PROPS,
    HEADER_BUCKET_SUMM,
    HEADER_XACTION_ID,
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    QPARAM_BSUMM_REMOTE,
    QPARAM_FLT_PRESENCE,
    QPARAM_UUID,
    STATUS_ACCEPTED,
    STATUS_OK,
    STATUS_PARTIAL_CONTENT,
)
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import ErrInvalidResponse, InvalidArgument, UnexpectedHTTPStatusCode
from aistore.sdk.polling import check_wait_timeout, poll
from aistore.sdk.types import BsummCtrlMsg
from aistore.wire.http1.parse import utf8_text
from aistore.wire.names import quote_object_name

if TYPE_CHECKING:
    import requests

_MAX_INTERVAL = 2.0  # seconds between polls


class BucketSummary(BucketBase):
    """The part of `Bucket` that counts."""

    def summary(
        self,
        uuid: str = "",
        prefix: str = "",
        cached: bool = True,
        present: bool = True,
        timeout: float = DEFAULT_JOB_WAIT_TIMEOUT,
    ) -> dict[str, Any]:
        """Count the bucket's objects and bytes.

        Args:
            uuid: Id of the counting job. Default: a new one.
            prefix: Only objects whose names start with it. Default: all.
            cached: Count what is in the cluster, also for a remote bucket. Default: `True`.
            present: Only a bucket that the cluster knows already. Default: `True`.
            timeout: Seconds to wait for the result. Default: 300.

        Returns:
            The counts: `ObjCount`, `ObjSize`, `TotalSize`, ... as the cluster names them.

        Raises:
            Timeout: The job took longer (also a `TimeoutError`).
            UnexpectedHTTPStatusCode: The cluster didn't start or finish the job as it should.
            ErrInvalidResponse: The result is not a summary.
        """
        check_wait_timeout(timeout)
        message = BsummCtrlMsg(uuid=uuid, prefix=prefix, cached=cached, present=present)

        def ask() -> requests.Response:
            return self.make_request(HTTP_METHOD_GET, ACT_SUMMARY_BCK, value=message.model_dump())

        answer = ask()
        if answer.status_code != STATUS_ACCEPTED:
            raise UnexpectedHTTPStatusCode([STATUS_ACCEPTED], answer.status_code)
        message.uuid = answer.text.strip('"')
        answer = _wait(ask, f"the summary of bucket '{self.name}'", timeout)
        try:
            summaries = answer.json()
            summary = summaries[0]
        except (ValueError, LookupError, TypeError) as err:
            raise ErrInvalidResponse(f"not a list with a bucket summary: {answer.text[:200]!r}") from err
        if not isinstance(summary, dict):
            raise ErrInvalidResponse(f"not a bucket summary: {summary!r}")
        return summary

    def info(
        self,
        flt_presence: int = FLTPresence.FLT_EXISTS,
        bsumm_remote: bool = True,
        prefix: str = "",
        timeout: float = DEFAULT_JOB_WAIT_TIMEOUT,
    ) -> tuple[str, dict[str, Any]]:
        """Return the bucket's properties, and count its objects and bytes.

        Args:
            flt_presence: What "exists" means, an `FLTPresence`. Default: `FLT_EXISTS`.
            bsumm_remote: Count the objects of the remote bucket too. Default: `True`.
            prefix: Count only objects whose names start with it. Default: all.
            timeout: Seconds to wait for the counts. Default: 300.

        Returns:
            The properties as JSON text, and the counts as a dictionary.

        Raises:
            InvalidArgument: `flt_presence` is not one (also a `ValueError`).
            Timeout: Counting took longer (also a `TimeoutError`).
            UnexpectedHTTPStatusCode: The cluster didn't start or finish counting as it should.
            ErrInvalidResponse: The counts are not JSON.
        """
        try:
            presence = FLTPresence(flt_presence)
        except ValueError:
            raise InvalidArgument("`flt_presence` must be in values of enum FLTPresence") from None
        check_wait_timeout(timeout)
        client = self._require_client()
        path = self._path()
        params = {
            **self.qparam,
            QPARAM_FLT_PRESENCE: int(presence),
            QPARAM_BSUMM_REMOTE: bsumm_remote,
        }
        first_path = f"{path}/{quote_object_name(prefix)}" if prefix else path
        first = client.request(HTTP_METHOD_HEAD, path=first_path, params=dict(params))
        if first.status_code != STATUS_ACCEPTED:
            raise UnexpectedHTTPStatusCode([STATUS_ACCEPTED], first.status_code)
        params[QPARAM_UUID] = first.headers.get(HEADER_XACTION_ID, "").strip('"')
        summary: dict[str, Any] = {}

        def ask() -> requests.Response:
            answer = client.request(HTTP_METHOD_HEAD, path=path, params=dict(params))
            text = utf8_text(answer.headers.get(HEADER_BUCKET_SUMM, ""))
            if text:
                summary.clear()
                summary.update(_parse_summary(text))
            return answer

        _wait(ask, f"the summary of bucket '{self.name}'", timeout)
        return utf8_text(first.headers.get(HEADER_BUCKET_PROPS, "{}")), summary


def _wait(ask: Callable[[], requests.Response], action: str, timeout: float) -> requests.Response:
    def check() -> requests.Response | None:
        answer = ask()
        if answer.status_code == STATUS_OK:
            return answer
        if answer.status_code in {STATUS_ACCEPTED, STATUS_PARTIAL_CONTENT}:
            return None
        expected = [STATUS_OK, STATUS_ACCEPTED, STATUS_PARTIAL_CONTENT]
        raise UnexpectedHTTPStatusCode(expected, answer.status_code)

    return poll(check, timeout=timeout, action=action, max_interval=_MAX_INTERVAL)


def _parse_summary(text: str) -> dict[str, Any]:
    from aistore.wire.serialization import parse_json  # slow to import

    try:
        summary = parse_json(text)
    except ValueError as err:
        raise ErrInvalidResponse(f"{HEADER_BUCKET_SUMM} is not JSON: {text[:200]!r}") from err
    if not isinstance(summary, dict):
        raise ErrInvalidResponse(f"{HEADER_BUCKET_SUMM} is not a JSON object: {text[:200]!r}")
    return summary
