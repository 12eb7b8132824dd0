"""Jobs: work that goes on after its request was answered.

`Jobs` runs each job on a thread of a bounded pool, finds jobs for queries, and remembers them across a
restart; one that a restart interrupted is aborted.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from aistore.local.errors import LocalError
from aistore.local.jobs.job import Aborted, Job
from aistore.local.nodes import new_id
from aistore.local.work import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from aistore.local.catalog import Catalog
    from aistore.local.names import Bck
    from aistore.local.nodes import Nodes

__all__ = ["Aborted", "Job", "JobThreads", "Jobs"]

log = logging.getLogger(__name__)

T = TypeVar("T")
_END = object()

_DOCUMENT = "job"
_MAX_AT_ONCE = 16
_MAX_SORTS = 4
_SORT_WORKERS = 16
_MAX_UNFINISHED = 1000
_MAX_NAMES = 4_000_000
_MAX_KEPT = 1000
MAX_THREADS = 32
_PREFIXES = {"copy-listrange": "tco-", "etl-listrange": "tco-", "get-batch": "gbt-", "etl-inline": "etl-"}
_PREFIXES |= {"dsort": "srt-"}


class JobThreads(NamedTuple):
    """Threads for jobs of one kind: one for each that runs, and those that work for them."""

    runs: ThreadPoolExecutor
    workers: ThreadPoolExecutor

    @classmethod
    def make(cls, name: str, jobs: int, workers: int) -> JobThreads:
        """Threads for so many jobs at a time."""
        return cls(
            ThreadPoolExecutor(jobs, thread_name_prefix=f"{name}-job"),
            ThreadPoolExecutor(workers, thread_name_prefix=f"{name}-worker"),
        )


class Jobs:
    """All jobs, those of earlier runs too (the newest thousand).

    Args:
        catalog (Catalog): Keeps their records.
        nodes (Nodes): The targets they run on.

    Attributes:
        before_query: Called before jobs are listed.
    """

    def __init__(self, catalog: Catalog, nodes: Nodes) -> None:
        self._catalog = catalog
        self._documents = catalog.documents
        self._nodes = nodes
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._threads = JobThreads.make("any", _MAX_AT_ONCE, MAX_THREADS)
        self._of_kind = {"dsort": JobThreads.make("dsort", _MAX_SORTS, _SORT_WORKERS)}
        self._used: weakref.WeakSet[ThreadPoolExecutor] = weakref.WeakSet()
        self.before_query: list[Callable[[], None]] = []
        self._load()

    def _load(self) -> None:
        records = sorted(
            (record for _, record in self._documents.items(_DOCUMENT)), key=lambda r: r["started"]
        )
        for record in records:
            job = self._jobs[record["id"]] = Job.from_record(record)
            if not record["ended"]:
                self._keep(job)
        self._catalog.buckets.drop_provisional()
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

    def new(self, kind: str, *, targets: Sequence[str] = (), **about: Any) -> Job:
        """A job that has nothing to run but serves requests: `end` it when it is over.

        Args:
            kind (str): The kind of job.
            targets: IDs of the targets that it runs on, by default all.
            about: See `Job`.
        """
        node_ids = targets or [target.id for target in self._nodes.targets]
        with self._lock:
            job = Job(self._new_id(kind), kind, node_ids, **about)
            self._jobs[job.id] = job
        return job

    def _new_id(self, kind: str) -> str:
        if kind == "rebalance":
            # These are numbered.
            numbers = (int(job.id[1:]) for job in self._jobs.values() if job.kind == kind)
            return f"g{max(numbers, default=0) + 1}"
        return _PREFIXES.get(kind, "") + new_id()

    def start(
        self,
        kind: str,
        work: Callable[[Job], None],
        undo: Callable[[], None] | None = None,
        threads: JobThreads | None = None,
        /,
        **about: Any,
    ) -> Job:
        """Run `work(job)` in the background; what it raises becomes the job's error.

        Args:
            kind (str): The kind of job.
            work: Does it; calls `job.check()` between objects.
            undo: Takes back what was made for the job, when it is aborted before its work begins.
            threads (JobThreads | None): The threads that it runs on. Default: those of all jobs of its kind.
            about: See `Job`.

        Raises:
            LocalError: Too many jobs have not ended (429).
        """
        with self._lock:
            running = [job for job in self._jobs.values() if job.is_running]
            names = sum(job.names for job in running)
        if len(running) >= _MAX_UNFINISHED or (names and names + about.get("names", 0) > _MAX_NAMES):
            raise LocalError(
                f"{len(running)} jobs with {names} names have not ended: retry later", status=429
            )
        job = self.new(kind, **about)
        job.serves = False
        job.threads = threads or self._of_kind.get(kind, self._threads)
        self._used.update(job.threads)
        self._keep(job)
        job.threads.runs.submit(self._run, job, work, undo)
        return job

    def _run(self, job: Job, work: Callable[[Job], None], undo: Callable[[], None] | None) -> None:
        try:
            if not job.is_aborting:
                with until(job.check):
                    work(job)
            elif undo is not None:
                undo()
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

    def each(self, job: Job, items: Iterable[T], work: Callable[[T], None], workers: int) -> None:
        """Call `work` for every item, in up to so many threads; the caller's is one.

        The first error stops it and is raised when no call is running any more.

        Raises:
            Aborted: The job was aborted.
        """
        job.workers = workers = max(1, min(workers, MAX_THREADS))
        source = iter(items)
        lock = threading.Lock()
        failures: list[BaseException] = []

        def loop() -> None:
            while not failures:
                try:
                    job.check()
                    with until(job.check), lock:
                        item = next(source, _END)
                    if item is _END:
                        return
                    with until(job.check):
                        work(cast("T", item))
                except BaseException as err:  # noqa: BLE001 - raised again by the caller's thread
                    failures.append(err)

        others = [self._workers_of(job).submit(loop) for _ in range(workers - 1)]
        loop()
        wait([other for other in others if not other.cancel()])
        if failures:
            raise failures[0]

    def submit(self, job: Job, work: Callable[[], None]) -> Future[None]:
        """Do something for a job in one of its threads."""

        def until_abort() -> None:
            with until(job.check):
                work()

        return self._workers_of(job).submit(until_abort)

    def _workers_of(self, job: Job) -> ThreadPoolExecutor:
        return (job.threads or self._threads).workers

    def end(self, job: Job) -> None:
        """Set a job's end and keep its record."""
        job.finish()
        try:
            self._keep(job)
            if job.on_end is not None:
                job.on_end()
        except Exception:
            log.exception("the record of job %s[%s] could not be kept", job.kind, job.id)
        self._forget_old()

    def abort(self, job: Job, reason: str) -> None:
        """Ask a job to end; one that only serves requests ends at once."""
        if job.on_abort is not None:
            job.on_abort()
            return
        job.abort(reason)
        if job.serves:
            self.end(job)

    def abort_of(self, bck: Bck, reason: str) -> None:
        """Abort what reads from a bucket, writes to it or serves its requests."""
        for job in self.all():
            if job.is_running and bck in (job.bck, job.src, job.dst):
                self.abort(job, reason)

    def get(self, job_id: str) -> Job | None:
        """The job of this ID, or None."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every job, the oldest first."""
        for refresh in self.before_query:
            refresh()
        with self._lock:
            return list(self._jobs.values())

    def stop(self) -> None:
        """Abort what runs and wait for it."""
        for job in self.all():
            job.abort("the cluster is shutting down")
        for pool in list(self._used):
            pool.shutdown(wait=True, cancel_futures=True)
        for job in self.all():
            if job.is_running:
                self.end(job)
