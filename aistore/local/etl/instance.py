"""One ETL: what it was started from, its stage, its processes while it runs, and what it has done."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from aistore.local.jobs import MAX_THREADS, JobThreads
from aistore.local.shares import Pool
from aistore.sdk.etl.etl_const import ETL_STAGE_ABORTED, ETL_STAGE_INIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aistore.local.etl.pod import Pod
    from aistore.local.etl.spec import EtlSpec
    from aistore.local.jobs import Job

_MAX_ERRORS = 128
_THREADS = 16
_SHARE = 12
_JOBS = 8


class Etl:
    """An ETL.

    Args:
        spec (EtlSpec): Its init message.
        targets (int): How many there are.

    Attributes:
        stage: `Initializing`, `Running` or `Aborted`.
        job: The job that it is while it runs.
        pods: Its processes by target ID.
        secret: What its processes show to read and write objects; new at every start.
        own_secret: What is shown to its processes; new at every start.
        folder: Where its processes work.
        cancelled: Set when it is to stop.
        threads: For inline transforms: one that hangs holds up no other ETL.
        job_threads: For its jobs, likewise.
    """

    def __init__(self, spec: EtlSpec, targets: int) -> None:
        self.spec = spec
        self.stage = ETL_STAGE_ABORTED
        self.job: Job | None = None
        self.pods: dict[str, Pod] = {}
        self.secret = self.own_secret = ""
        self.folder: Path | None = None
        self.cancelled = threading.Event()
        self._is_abandoned: Callable[[], bool] = lambda: False
        self.threads = Pool(f"etl-{spec.name}", _THREADS, _SHARE)
        self.job_threads = JobThreads.make(f"etl-{spec.name}", _JOBS, MAX_THREADS)
        self._lock = threading.Lock()
        self._errors: deque[dict[str, Any]] = deque(maxlen=_MAX_ERRORS * targets)
        self._counts = (0, 0, 0)
        self._reading: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    def begin(self, folder: Path, is_abandoned: Callable[[], bool]) -> None:
        """Begin a start, which ends early when the ETL is stopped, or its client is gone."""
        self.stage = ETL_STAGE_INIT
        self.cancelled = threading.Event()
        self._is_abandoned = is_abandoned
        self.secret, self.own_secret = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.folder = folder

    def is_cancelled(self) -> bool:
        """Whether a start is to end."""
        return self.cancelled.is_set() or self._is_abandoned()

    def is_secret(self, text: str) -> bool:
        """Whether this is the secret of the present run."""
        return bool(self.secret) and hmac.compare_digest(
            self.secret.encode(), text.encode("utf-8", "replace")
        )

    def begin_reading(self, uname: str) -> None:
        """Let the processes read an object, as its caller may, until `end_reading` is called."""
        with self._lock:
            self._reading[uname] += 1

    def end_reading(self, uname: str) -> None:
        """End the transform of an object."""
        with self._lock:
            self._reading[uname] -= 1
            if not self._reading[uname]:
                del self._reading[uname]

    def may_read(self, uname: str) -> bool:
        """Whether an object is being transformed."""
        return uname in self._reading

    def count(self, received: int, sent: int) -> None:
        """Count an object that was transformed inline."""
        with self._lock:
            objects, in_bytes, out_bytes = self._counts
            self._counts = (objects + 1, in_bytes + received, out_bytes + sent)

    def add_error(self, full_name: str, message: str, code: int) -> None:
        """Note an object that could not be transformed inline."""
        with self._lock:
            self._errors.append({"obj_name": full_name, "msg": message, "ecode": code})

    def errors(self) -> list[dict[str, Any]]:
        """The newest failed objects of inline transforms."""
        with self._lock:
            return list(self._errors)

    def info(self) -> dict[str, Any]:
        """Its line in the list."""
        objects, in_bytes, out_bytes = self._counts
        running = self.job is not None and self.job.is_running
        return {
            "id": self.name,
            "stage": self.stage,
            "xaction_id": self.job.id if running and self.job is not None else "",
            "obj_count": objects,
            "in_bytes": in_bytes,
            "out_bytes": out_bytes,
        }
