"""Jobs: work that goes on after its request was answered.

`Jobs` runs each job on a thread of a bounded pool, finds jobs for queries, and remembers them across a restart;
one that a restart interrupted is aborted.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aistore.local.errors import LocalError
from aistore.local.jobs.job import Aborted, Job
from aistore.local.nodes import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.local.catalog import Catalog
    from aistore.local.nodes import Nodes

__all__ = ["Aborted", "Job", "Jobs"]

log = logging.getLogger(__name__)

_DOCUMENT = "job"
_MAX_AT_ONCE = 16
_MAX_KEPT = 1000
_STOP_SECONDS = 30.0
_PREFIXES = {"copy-listrange": "tco-", "etl-listrange": "tco-", "get-batch": "gbt-", "etl-inline": "etl-"}


class Jobs:
    """All jobs, those of earlier runs too (the newest thousand).

    Args:
        catalog (Catalog): Keeps their records.
        nodes (Nodes): The targets they run on.
    """

    def __init__(self, catalog: Catalog, nodes: Nodes) -> None:
        self._documents = catalog.documents
        self._nodes = nodes
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._threads = ThreadPoolExecutor(_MAX_AT_ONCE, thread_name_prefix="job")
        self._load()

    def _load(self) -> None:
        records = sorted(
            (record for _, record in self._documents.items(_DOCUMENT)), key=lambda r: r["started"]
        )
        for record in records:
            job = self._jobs[record["id"]] = Job.from_record(record)
            if not record["ended"]:
                self._keep(job)
        self._forget_old()

    def _keep(self, job: Job) -> None:
        self._documents.put(_DOCUMENT, job.id, job.as_record())

    def _forget_old(self) -> None:
        with self._lock:
            surplus = len(self._jobs) - _MAX_KEPT
            old = [job.id for job in self._jobs.values() if not job.is_running][: max(surplus, 0)]
            for job_id in old:
                del self._jobs[job_id]
        for job_id in old:
            self._documents.delete(_DOCUMENT, job_id)

    def new(self, kind: str, **about: Any) -> Job:
        """A job that is known to queries but has nothing to run: `finish` it when it is over."""
        node_ids = [target.id for target in self._nodes.targets]
        job = Job(_PREFIXES.get(kind, "") + new_id(), kind, node_ids, **about)
        with self._lock:
            self._jobs[job.id] = job
        return job

    def start(self, kind: str, work: Callable[[Job], None], **about: Any) -> Job:
        """Run `work(job)` in the background; what it raises becomes the job's error.

        Args:
            kind (str): The kind of job.
            work: Does it; calls `job.check()` between objects.
            about: See `Job`.
        """
        job = self.new(kind, **about)
        self._keep(job)
        self._threads.submit(self._run, job, work)
        return job

    def _run(self, job: Job, work: Callable[[Job], None]) -> None:
        try:
            job.check()
            work(job)
        except Aborted:
            pass
        except LocalError as err:
            job.failed(err.message)
            job.abort(err.message)
        except Exception as err:
            log.exception("job %s[%s] failed", job.kind, job.id)
            job.failed(f"{type(err).__name__}: {err}")
            job.abort(str(err))
        finally:
            self.end(job)

    def end(self, job: Job) -> None:
        """Set a job's end and keep its record."""
        job.finish()
        try:
            self._keep(job)
        except Exception:
            log.exception("the record of job %s[%s] could not be kept", job.kind, job.id)
        self._forget_old()

    def get(self, job_id: str) -> Job | None:
        """The job of this ID, or None."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every job, the oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def stop(self) -> None:
        """Abort what runs and wait for it."""
        for job in self.all():
            job.abort("the cluster is shutting down")
        self._threads.shutdown(wait=True, cancel_futures=True)
        for job in self.all():
            if job.is_running:
                self.end(job)
