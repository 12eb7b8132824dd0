"""dSort jobs: start, watch, wait, abort."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict  # noqa: UP035 - see _JOB_INFOS

from aistore.sdk.const import (
    DEFAULT_DSORT_WAIT_TIMEOUT,
    DSORT_ABORT,
    DSORT_UUID,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    URL_PATH_DSORT,
)
from aistore.sdk.dsort.ekm import EKM_FILE_NAME, ExternalKeyMap
from aistore.sdk.dsort.framework import DsortFramework
from aistore.sdk.dsort.spec_file import read_spec
from aistore.sdk.dsort.types import JobInfo
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.gotime import parse_go_time
from aistore.sdk.lazy import lazy_names
from aistore.sdk.polling import poll
from aistore.sdk.utils import probing_frequency
from aistore.sdk.wait_result import WaitResult

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient
    from aistore.sdk.types import BucketModel

logger = logging.getLogger(__name__)

# Programs' tests compare `res_model` with it, and `Dict[K, V] == dict[K, V]` is false.
_JOB_INFOS = Dict[str, JobInfo]  # noqa: UP006


class Dsort:
    """A dSort job. Making one makes no request.

    Args:
        client: The client that requests go through; `client.dsort(...)` fills it in.
        dsort_id: Id of the job. Default: none yet, see `start`.
    """

    def __init__(self, client: RequestClient, dsort_id: str = "") -> None:
        self._client = client
        self._dsort_id = dsort_id

    @property
    def dsort_id(self) -> str:
        """Id of the job, or ""."""
        return self._dsort_id

    def __repr__(self) -> str:
        return f"Dsort(dsort_id={self._dsort_id!r})"

    def start(self, spec: str | Path | Mapping[str, Any] | DsortFramework) -> str:
        """Start the job.

        Args:
            spec: What to do: a `DsortFramework`, a mapping, or the path of a JSON or YAML file. A mapping or
                the content of a file is sent as it is. The external key map of a framework is first uploaded
                to its input bucket.

        Returns:
            Id of the job, which this object then has.

        Raises:
            InvalidArgument: `spec` is none of these, or the file cannot be used (also a `ValueError`).
        """
        if isinstance(spec, DsortFramework):
            key_map = spec.output_shards.format
            if isinstance(key_map, ExternalKeyMap) and not spec.ekm_file:
                spec.ekm_file = self._put_key_map(key_map, spec.input_shards.bck)
                spec.ekm_sep = ""
            body: Any = spec.to_spec()
        elif isinstance(spec, Mapping):
            body = dict(spec)
        elif isinstance(spec, (str, Path)):
            body = read_spec(Path(spec))
        else:
            raise InvalidArgument("spec must be a Path or a DsortFramework instance")
        self._dsort_id = self._client.request(HTTP_METHOD_POST, path=URL_PATH_DSORT, json=body).text
        return self._dsort_id

    def abort(self) -> None:
        """Stop the job."""
        self._client.request(
            HTTP_METHOD_DELETE, path=f"{URL_PATH_DSORT}/{DSORT_ABORT}", params={DSORT_UUID: [self._dsort_id]}
        )

    def get_job_info(self) -> dict[str, JobInfo]:
        """Return the state of the job on every target, by the target's id."""
        return self._client.request_deserialize(
            HTTP_METHOD_GET, path=URL_PATH_DSORT, res_model=_JOB_INFOS, params={DSORT_UUID: [self._dsort_id]}
        )

    def wait(self, timeout: float = DEFAULT_DSORT_WAIT_TIMEOUT, verbose: bool = True) -> WaitResult:
        """Wait for the job to be done.

        Args:
            timeout: Seconds in all. Default: 300.
            verbose: Log at level INFO. Default: `True`.

        Returns:
            How it ended; false when it was aborted, which is not an error here.

        Raises:
            Timeout: It took longer (also a `TimeoutError`); the job goes on.
        """
        last: dict[str, JobInfo] = {}

        def look() -> dict[str, JobInfo] | None:
            nonlocal last
            last = self.get_job_info()
            return last if last and (_is_aborted(last) or _is_finished(last)) else None

        if verbose:
            logger.info("Waiting for dsort job '%s' for at most %g s", self._dsort_id, timeout)
        infos = poll(
            look,
            timeout=timeout,
            action=f"dsort job '{self._dsort_id}'",
            max_interval=probing_frequency(int(timeout)),
            detail=lambda: f"Job info: {last}",
        )
        finished = _is_finished(infos)
        errors = (error for info in infos.values() for error in info.metrics.errors or () if error)
        result = WaitResult(
            job_id=self._dsort_id,
            success=finished and not _is_aborted(infos),
            error=next(errors, None),
            end_time=_end_time(infos) if finished else None,
        )
        if verbose:
            logger.info("dsort job '%s' is done: %s", self._dsort_id, result)
        return result

    def _put_key_map(self, key_map: ExternalKeyMap, source: BucketModel) -> str:
        from aistore.sdk.bucket import Bucket

        bucket = Bucket(source.name, self._client, source.provider, source.namespace)
        obj = bucket.object(EKM_FILE_NAME)
        obj.get_writer().put_content(json.dumps(key_map.as_dict()).encode())
        return obj.get_url()


def _is_finished(infos: Mapping[str, JobInfo]) -> bool:
    return all(info.metrics.shard_creation.finished for info in infos.values())


def _is_aborted(infos: Mapping[str, JobInfo]) -> bool:
    return any(info.metrics.aborted for info in infos.values())


def _end_time(infos: Mapping[str, JobInfo]) -> Any:
    ends = [parse_go_time(info.finish_time or "") for info in infos.values()]
    return max((end for end in ends if end is not None), default=None)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Bucket", "RequestClient", "Timeout", "time", "validate_file")
