"""One job: what it is about, how far it is on each target, and how it ended."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from aistore.local.gotime import format_go
from aistore.local.jobs.kinds import IDLE_KINDS
from aistore.local.names import parse_uname
from aistore.local.work import AbandonedError
from aistore.sdk.const import GO_ZERO_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aistore.local.jobs import JobThreads
    from aistore.local.names import Bck

MAX_OBJECT_ERRORS = 128
"""Failed objects that are remembered, for each target."""

_MAX_MESSAGE = 4096
_NO_BCK = {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}
_COUNTERS = ("loc-objs", "loc-bytes", "out-objs", "out-bytes", "in-objs", "in-bytes")
_WORKERS_SHIFT = 10
_RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00"


class Aborted(AbandonedError):  # noqa: N818 - a request to end, not an error
    """Raised inside a job's work when the job was aborted."""


def go_time(nanoseconds: int) -> str:
    """A time as Go prints it in JSON; 0 is its zero time."""
    return format_go(nanoseconds, _RFC3339_NANO) if nanoseconds else GO_ZERO_TIME


class Job:
    """A job. Its counters are written by its workers and read by queries, at any time.

    Args:
        id (str): Its ID.
        kind (str): Its kind.
        targets: IDs of the targets.
        bck (Bck | None): The bucket it is listed under.
        src (Bck | None): Where it reads from.
        dst (Bck | None): Where it writes to.
        what (str): One line about it, as in `ctlmsg`.
        names (int): How many names of objects it holds.
        etls (frozenset[str]): Names of the ETLs that it needs; it is aborted when one of them ends.

    Attributes:
        threads: The threads that it runs on; None for one that only serves requests.
        on_abort: Called in place of aborting it.
        on_end: Called when it has ended.
    """

    def __init__(
        self,
        id: str,
        kind: str,
        targets: Sequence[str],
        *,
        bck: Bck | None = None,
        src: Bck | None = None,
        dst: Bck | None = None,
        what: str = "",
        names: int = 0,
        etls: frozenset[str] = frozenset(),
    ) -> None:
        self.id = id
        self.etls = etls
        self.kind = kind
        self.targets = tuple(targets)
        self.bck, self.src, self.dst = bck, src, dst
        self.what = what
        self.names = names
        self.started = time.time_ns()
        self.ended = 0
        self.aborted = False
        self.abort_error = ""
        self.error = ""
        self.workers = 1
        self.serves = True
        self.threads: JobThreads | None = None
        self.on_abort: Callable[[], object] | None = None
        self.on_end: Callable[[], object] | None = None
        self.object_errors: list[dict[str, Any]] = []
        self._busy = True
        self._abort = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._counts = [dict.fromkeys(_COUNTERS, 0) for _ in self.targets]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return not self.ended

    @property
    def is_aborting(self) -> bool:
        """Whether it was asked to end."""
        return self._abort.is_set()

    @property
    def is_idle(self) -> bool:
        """Whether it is of a kind that idles, and has nothing to do."""
        return self.kind in IDLE_KINDS and not self._busy and not self.aborted

    def set_busy(self, busy: bool) -> None:
        """Whether there is work; a job that serves requests says so itself."""
        self._busy = busy

    # Counting

    def moved(self, source: int, destination: int, size: int) -> None:
        """Count an object processed at one target whose result went to a target, maybe the same."""
        with self._lock:
            counts = self._counts[source]
            counts["loc-objs"] += 1
            counts["loc-bytes"] += size
            if destination != source:
                counts["out-objs"] += 1
                counts["out-bytes"] += size
                received = self._counts[destination]
                received["in-objs"] += 1
                received["in-bytes"] += size

    def failed(self, message: str, *, full_name: str = "", code: int = 0) -> None:
        """Note that something went wrong with an object; the first message is the job's error."""
        with self._lock:
            if not self.error:
                self.error = message
            message = message[:_MAX_MESSAGE]
            if full_name and len(self.object_errors) < MAX_OBJECT_ERRORS * len(self.targets):
                self.object_errors.append({"obj_name": full_name, "msg": message, "ecode": code})

    @property
    def objects(self) -> int:
        """Objects processed, on all targets."""
        return sum(counts["loc-objs"] for counts in self._counts)

    # Ending

    def check(self) -> None:
        """Raise if the job was aborted: called between objects.

        Raises:
            Aborted: It was.
        """
        if self._abort.is_set():
            raise Aborted(self.abort_error)

    def pause(self, seconds: float) -> None:
        """Wait, no longer than until the job is aborted.

        Raises:
            Aborted: It was.
        """
        self._abort.wait(seconds)
        self.check()

    def abort(self, reason: str) -> None:
        """Ask the job to end; objects in progress are finished or discarded whole."""
        with self._lock:
            if self.ended:
                return
            if not self._abort.is_set():
                self.abort_error = reason
            self._abort.set()

    def finish(self) -> None:
        """Set the end; what the job does is done."""
        with self._lock:
            if self.ended:
                return
            self.aborted = self._abort.is_set()
            self._busy = False
            self.ended = time.time_ns()
        self._done.set()

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most so many seconds; whether it came."""
        return self._done.wait(timeout)

    # Reporting

    def status(self) -> dict[str, Any]:
        """State in the whole cluster."""
        error = self.error or (self.abort_error if self.aborted else "")
        status = {"kind": self.kind, "uuid": self.id, "err": error}
        return status | {"end_time": self.ended, "aborted": self.aborted}

    def snapshots(self) -> dict[str, dict[str, Any]]:
        """State on each target."""
        with self._lock:
            return {node: self._snapshot(self._counts[i]) for i, node in enumerate(self.targets)}

    def _snapshot(self, counts: dict[str, int]) -> dict[str, Any]:
        buckets = {"bck": self.bck, "src-bck": self.src, "dst-bck": self.dst}
        return {
            "ext": None,
            "start-time": go_time(self.started),
            "end-time": go_time(self.ended),
            **{key: bck.as_dict() if bck else _NO_BCK for key, bck in buckets.items()},
            "id": self.id,
            "kind": self.kind,
            "ctlmsg": self.what,
            "abort-err": self.abort_error if self.aborted else "",
            "err": self.error,
            "glob.id": str(1 | self.workers << _WORKERS_SHIFT),
            "stats": {key: str(value) for key, value in counts.items()},
            "aborted": self.aborted,
            "is_idle": self.is_idle,
        }

    # Keeping

    def as_record(self) -> dict[str, Any]:
        """What is kept across a restart."""
        bcks = {
            key: bck.uname() if bck else ""
            for key, bck in (("bck", self.bck), ("src", self.src), ("dst", self.dst))
        }
        return {
            "id": self.id,
            "kind": self.kind,
            "targets": list(self.targets),
            **bcks,
            "what": self.what,
            "etls": sorted(self.etls),
            "started": self.started,
            "ended": self.ended,
            "aborted": self.aborted,
            "abort_error": self.abort_error,
            "error": self.error,
            "workers": self.workers,
            "object_errors": self.object_errors,
            "counts": self._counts,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Job:
        """A job of an earlier run; one that had not ended counts as aborted."""
        bcks = {key: parse_uname(record[key])[0] if record[key] else None for key in ("bck", "src", "dst")}
        job = cls(
            record["id"],
            record["kind"],
            record["targets"],
            bck=bcks["bck"],
            src=bcks["src"],
            dst=bcks["dst"],
            what=record["what"],
            etls=frozenset(record["etls"]),
        )
        job.started = record["started"]
        job.error = record["error"]
        job.workers = record["workers"]
        job.object_errors = record["object_errors"]
        job._counts = record["counts"]
        job.ended = record["ended"] or time.time_ns()
        job.aborted = record["aborted"] or not record["ended"]
        job.abort_error = record["abort_error"] if record["ended"] else "the cluster was restarted"
        job._busy = False
        job._done.set()
        return job
