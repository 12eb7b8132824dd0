"""Jobs (xactions): start, watch, wait, abort."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from aistore.sdk.const import (
    ACT_START,
    ACT_XACT_STOP,
    DEFAULT_JOB_WAIT_TIMEOUT,
    HTTP_METHOD_GET,
    HTTP_METHOD_PUT,
    QPARAM_FORCE,
    QPARAM_WHAT,
    URL_PATH_CLUSTER,
    WHAT_ONE_XACT_STATUS,
    WHAT_QUERY_XACT_STATS,
)
from aistore.sdk.errors import AISError, InvalidArgument, JobInfoNotFound
from aistore.sdk.gotime import from_nanoseconds, parse_go_time
from aistore.sdk.lazy import lazy_names
from aistore.sdk.polling import check_wait_timeout, poll
from aistore.sdk.progress import ProgressCallback, ProgressUpdate
from aistore.sdk.types import ActionMsg, AggregatedJobSnap, JobArgs, JobSnap, JobStatus
from aistore.sdk.utils import probing_frequency
from aistore.sdk.wait_result import WaitResult
from aistore.sdk.xact_const import XACT_KIND_BLOB_DL, XACT_KIND_RESILVER, idles_before_finishing

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.request_client import RequestClient

T = TypeVar("T")

logger = logging.getLogger(__name__)

NUM_CONSECUTIVE_IDLE = 2
"""A job that idles is done when so many polls in a row find it idle on every target."""

_SINGLE_NODE_KINDS = frozenset({XACT_KIND_BLOB_DL, XACT_KIND_RESILVER})

# A cluster may not know the id of a job for a moment after it has given it out.
_GRACE = 1.0


class Job:
    """A job of the cluster, or with a kind and no id all jobs of that kind. Making one makes no request.

    Args:
        client: The client that requests go through; `client.job(...)` fills it in.
        job_id: Id of the job. Default: none.
        job_kind: Kind of the job, see `aistore.sdk.xact_const`. Default: not known.
    """

    def __init__(self, client: RequestClient, job_id: str = "", job_kind: str = "") -> None:
        self._client = client
        self._job_id = job_id
        self._job_kind = job_kind

    @property
    def job_id(self) -> str:
        """Id of the job, or ""."""
        return self._job_id

    @property
    def job_kind(self) -> str:
        """Kind of the job, or "" while it is not known."""
        return self._job_kind

    def __repr__(self) -> str:
        return f"Job(job_id={self._job_id!r}, job_kind={self._job_kind!r})"

    def status(self) -> JobStatus:
        """Return the state of the job in the whole cluster; only for kinds that end by themselves.

        Raises:
            InvalidArgument: The job has no id (also a `ValueError`).
        """
        if not self._job_id:
            raise InvalidArgument("Cannot query status on a job without an assigned ID")
        return self._client.request_deserialize(
            HTTP_METHOD_GET,
            path=URL_PATH_CLUSTER,
            res_model=JobStatus,
            json=self._query(),
            params={QPARAM_WHAT: WHAT_ONE_XACT_STATUS},
        )

    def get_details(self) -> AggregatedJobSnap:
        """Return what each target knows about the job, or about all jobs of its kind."""
        return self._client.request_deserialize(
            HTTP_METHOD_GET,
            path=URL_PATH_CLUSTER,
            res_model=AggregatedJobSnap,
            json=self._query(),
            params={QPARAM_WHAT: WHAT_QUERY_XACT_STATS},
        )

    def start(self, daemon_id: str = "", force: bool = False, buckets: Sequence[Bucket] | None = None) -> str:
        """Start a job of this kind, for kinds that can be started so (rebalance, LRU, ...).

        Args:
            daemon_id: Only on this target. Default: on all.
            force: Start despite a conflicting job. Default: `False`.
            buckets: Only on these buckets. Default: on all.

        Returns:
            Id of the job.

        Raises:
            InvalidArgument: One of `buckets` is not a bucket (also a `ValueError`).
        """
        from aistore.sdk.bck.base import destination

        args = JobArgs(kind=self._job_kind, daemon_id=daemon_id)
        models = [destination(bucket, "each of buckets") for bucket in buckets or ()]
        if len(models) == 1:
            args.bucket = models[0]
        elif models:
            args.buckets = models
        return self._client.request(
            HTTP_METHOD_PUT,
            path=URL_PATH_CLUSTER,
            json=ActionMsg(action=ACT_START, value=args.as_dict()).as_dict(),
            params={QPARAM_FORCE: "true"} if force else {},
        ).text

    def abort(self) -> None:
        """Stop the job, or all jobs of its kind.

        Raises:
            InvalidArgument: It has neither id nor kind (also a `ValueError`).
        """
        if not self._job_id and not self._job_kind:
            raise InvalidArgument("Cannot abort a job without an id or kind")
        self._client.request(
            HTTP_METHOD_PUT,
            path=URL_PATH_CLUSTER,
            json=ActionMsg(action=ACT_XACT_STOP, value=self._query()).as_dict(),
        )

    def wait(
        self,
        timeout: float = DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        progress: ProgressCallback | None = None,
    ) -> WaitResult:
        """Wait for the job to be done, in the way that its kind needs.

        Args:
            timeout: Seconds in all. Default: 300.
            verbose: Log at level INFO. Default: `True`.
            progress: Called at every look with the objects and bytes done so far. Default: `None`.

        Returns:
            How it ended; false when it failed or was aborted, which is not an error here.

        Raises:
            Timeout: It took longer (also a `TimeoutError`); the job goes on.
            JobInfoNotFound: The cluster doesn't know the job.
            InvalidArgument: It has neither id nor kind, or `timeout` is no time limit (also a `ValueError`).
        """
        check_wait_timeout(timeout)
        if not self._job_kind and self._job_id:
            started = time.monotonic()
            self._job_kind = self._find_kind(timeout)
            timeout = max(0.0, timeout - (time.monotonic() - started))
        if idles_before_finishing(self._job_kind):
            return self.wait_for_idle(timeout, verbose, progress)
        if self._job_kind in _SINGLE_NODE_KINDS:
            return self.wait_single_node(timeout, verbose, progress)
        return self._wait_for_end(timeout, verbose, progress)

    def wait_for_idle(
        self,
        timeout: float = DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        progress: ProgressCallback | None = None,
    ) -> WaitResult:
        """Wait until the job is idle on every target, or aborted on one; see `wait`."""
        idle_looks = 0

        def look(snaps: AggregatedJobSnap) -> bool:
            nonlocal idle_looks
            if not snaps.list_snapshots():
                idle_looks = 0
                return False
            idle_looks = idle_looks + 1 if snaps.all_idle() else 0
            return snaps.any_aborted() or idle_looks >= NUM_CONSECUTIVE_IDLE

        return self._wait_on_snapshots(look, timeout, verbose, progress)

    def wait_single_node(
        self,
        timeout: float = DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        progress: ProgressCallback | None = None,
    ) -> WaitResult:
        """Wait until the job has ended on one target, for kinds that run on one; see `wait`."""
        return self._wait_on_snapshots(AggregatedJobSnap.any_finished, timeout, verbose, progress)

    def get_within_timeframe(self, start_time: datetime, end_time: datetime | None = None) -> list[JobSnap]:
        """Return what targets know about jobs of this id or kind in a time frame.

        Args:
            start_time: Jobs that started then or later; with a time zone.
            end_time: And had ended by then; with a time zone. Default: or have not ended.

        Raises:
            InvalidArgument: A time has no time zone.
            JobInfoNotFound: There are none.
        """
        for name, value in (("start_time", start_time), ("end_time", end_time)):
            if value is not None and value.utcoffset() is None:
                raise InvalidArgument(f"{name} must have a time zone, such as datetime.now(timezone.utc)")
        found = [
            snap
            for snap in self.get_details().list_snapshots()
            if snap.id == self._job_id or snap.kind == self._job_kind
            if _within(snap, start_time, end_time)
        ]
        if not found:
            raise JobInfoNotFound("No relevant job info found")
        return found

    def get_total_time(self) -> timedelta | None:
        """Return the time from the first start to the last end on any target; `None` while it isn't known."""
        starts, ends = [], []
        for snap in self.get_details().list_snapshots():
            try:
                start, end = parse_go_time(snap.start_time), parse_go_time(snap.end_time)
            except InvalidArgument:
                logger.warning(
                    "job '%s' has an invalid time: %r to %r", snap.id, snap.start_time, snap.end_time
                )
                return None
            if start is None or end is None:
                return None
            starts.append(start)
            ends.append(end)
        return max(ends) - min(starts) if ends else None

    def _query(self) -> dict[str, object]:
        return JobArgs(id=self._job_id, kind=self._job_kind).as_dict()

    def _find_kind(self, timeout: float) -> str:
        deadline = time.monotonic() + min(timeout, _GRACE)

        def look() -> str | None:
            details = _unless_too_new(self.get_details, deadline)
            if details is None:
                return None
            kind = next((snap.kind for snap in details.list_snapshots() if snap.kind), None)
            if kind is None and time.monotonic() >= deadline:
                raise JobInfoNotFound(f"No job info found for '{self._job_id}'")
            return kind

        return poll(look, timeout=timeout, action=f"job '{self._job_id}'", max_interval=0.2)

    def _wait_for_end(self, timeout: float, verbose: bool, progress: ProgressCallback | None) -> WaitResult:
        deadline = time.monotonic() + min(timeout, _GRACE)
        last = JobStatus()

        def look() -> JobStatus | None:
            nonlocal last
            status = _unless_too_new(self.status, deadline)
            if status is None:
                return None
            last = status
            if progress is not None:
                self._report(self.get_details(), progress)
            return status if status.end_time else None

        status = self._poll(look, timeout, verbose, lambda: f"Job status: {last}")
        error = status.err or ("aborted" if status.aborted else "")
        return self._ended(
            WaitResult(
                job_id=status.uuid or self._job_id,
                success=not error,
                error=error,
                end_time=from_nanoseconds(status.end_time),
            ),
            verbose,
        )

    def _wait_on_snapshots(
        self,
        is_done: Callable[[AggregatedJobSnap], bool],
        timeout: float,
        verbose: bool,
        progress: ProgressCallback | None,
    ) -> WaitResult:
        deadline = time.monotonic() + min(timeout, _GRACE)
        last: list[JobSnap] = []

        def look() -> list[JobSnap] | None:
            nonlocal last
            snaps = _unless_too_new(self.get_details, deadline)
            if snaps is None:
                return None
            last = snaps.list_snapshots()
            if progress is not None:
                self._report(snaps, progress)
            return last if is_done(snaps) else None

        snapshots = self._poll(look, timeout, verbose, lambda: f"Job snapshots: {last}")
        return self._ended(WaitResult.from_snapshots(self._job_id, snapshots), verbose)

    def _poll(
        self, look: Callable[[], T | None], timeout: float, verbose: bool, detail: Callable[[], str]
    ) -> T:
        if verbose:
            logger.info("Waiting for job '%s' (%s) for at most %g s", self._job_id, self._job_kind, timeout)
        return poll(
            look,
            timeout=timeout,
            action=f"job '{self._job_id or self._job_kind}'",
            max_interval=probing_frequency(int(timeout)),
            detail=detail,
        )

    def _ended(self, result: WaitResult, verbose: bool) -> WaitResult:
        if not result:
            logger.warning("Job '%s' failed: %s", result.job_id, result.error)
        elif verbose:
            logger.info("Job '%s' is done", result.job_id)
        return result

    def _report(self, snaps: AggregatedJobSnap, progress: ProgressCallback) -> None:
        stats = [snap.stats for snap in snaps.list_snapshots() if snap.stats]
        progress(
            ProgressUpdate(
                name=self._job_id or self._job_kind,
                objects=sum(one.objects for one in stats),
                total_objects=None,
                bytes=sum(one.bytes for one in stats),
                total_bytes=None,
            )
        )


def _unless_too_new(ask: Callable[[], T], deadline: float) -> T | None:
    """Return what `ask` returns, or `None` when the cluster doesn't know the job yet, until `deadline`."""
    try:
        return ask()
    except AISError as err:
        if err.status_code != 404 or time.monotonic() >= deadline:
            raise
        return None


def _within(snap: JobSnap, start_time: datetime, end_time: datetime | None) -> bool:
    started = parse_go_time(snap.start_time)
    if started is None or started < start_time:
        return False
    if end_time is None:
        return True
    ended = parse_go_time(snap.end_time)
    return ended is not None and ended <= end_time


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__, "Bucket", "BucketModel", "RequestClient", "Timeout", "get_logger", "is_valid_kind"
)
