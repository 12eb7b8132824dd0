"""The runs that are known: started, watched, aborted, forgotten."""

from __future__ import annotations

import re
import shutil
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local.dsort.key_map import check_url
from aistore.local.dsort.metrics import Metrics
from aistore.local.dsort.sort import Sorter
from aistore.local.dsort.spec import parse_spec
from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.local.jobs import transfer
from aistore.local.jobs.job import Aborted
from aistore.local.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Collection

    from aistore.local.catalog import Bucket
    from aistore.local.dsort.spec import SortSpec
    from aistore.local.jobs import Job
    from aistore.local.state import State

_DOCUMENT = "dsort"
_FOLDER = "dsort"
_MAX_KEPT = 200


class _Run(NamedTuple):
    """A run of this server, or what is kept of one: its state by target, and all together."""

    kept: tuple[dict[str, Any], dict[str, Any]] | None = None
    live: tuple[Job, Metrics] | None = None

    def info(self) -> dict[str, Any]:
        """State by target."""
        if self.live is not None:
            job, metrics = self.live
            return metrics.info(job, list(job.targets))
        assert self.kept is not None
        return self.kept[0]

    def summary(self) -> dict[str, Any]:
        """State of all targets together."""
        if self.live is not None:
            job, metrics = self.live
            return metrics.summary(job)
        assert self.kept is not None
        return self.kept[1]

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.live is not None and self.live[0].is_running


class DsortRoom:
    """All runs, those of earlier runs of the server too (the newest two hundred).

    Args:
        state (State): The cluster.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._documents = state.catalog.documents
        self._lock = threading.Lock()
        self._folder = state.root / _FOLDER
        shutil.rmtree(self._folder, ignore_errors=True)
        records = state.catalog.documents.items(_DOCUMENT)
        self._runs: dict[str, _Run] = {}
        for run_id, record in sorted(records, key=lambda item: item[1]["started"]):
            run = self._restore(run_id, record)
            if run is not None:
                self._runs[run_id] = run

    def _restore(self, run_id: str, record: dict[str, Any]) -> _Run | None:
        if "info" in record:
            return _Run(kept=(record["info"], record["summary"]))
        job = self._state.jobs.get(run_id)
        if job is None:
            return None
        # It was running when the server ended: its job is aborted, how far it was nobody knows.
        metrics = Metrics(parse_spec(record["value"]), len(job.targets))
        metrics.error = job.abort_error
        return _Run(live=(job, metrics))

    def start(self, value: Any, spec: SortSpec, hosts: Collection[str]) -> str:
        """Start a run; returns its ID.

        Args:
            value (Any): The specification.
            spec (SortSpec): The same, parsed.
            hosts: `host:port` that the caller knows this cluster by.

        Raises:
            LocalError: The input bucket doesn't exist, or the key map is somewhere else.
        """
        state = self._state
        source = state.catalog.buckets.get(spec.input_bck)
        if spec.key_map_url:
            check_url(state, spec.key_map_url, hosts)
        metrics = Metrics(spec, len(state.nodes.targets))
        what = f"dsort {spec.input_bck}=>{spec.output_bck}{' (dry run)' if spec.dry_run else ''}"
        about = {"bck": spec.input_bck, "src": spec.input_bck, "dst": spec.output_bck, "what": what}
        known = threading.Event()

        def work(job: Job) -> None:
            known.wait()
            self._work(job, spec, metrics, source, hosts)

        job = state.jobs.start("dsort", work, names=len(spec.input_names), **about)
        try:
            self._documents.put(_DOCUMENT, job.id, {"started": job.started, "value": value})
            job.on_end = lambda: self._keep(job, metrics)
            self._remember(job, metrics)
        finally:
            known.set()
        return job.id

    def _remember(self, job: Job, metrics: Metrics) -> None:
        with self._lock:
            self._runs[job.id] = _Run(live=(job, metrics))
            surplus = len(self._runs) - _MAX_KEPT
            old = [run_id for run_id, run in self._runs.items() if not run.is_running][: max(surplus, 0)]
            for run_id in old:
                del self._runs[run_id]
        for run_id in old:
            self._documents.delete(_DOCUMENT, run_id)

    def _work(
        self,
        job: Job,
        spec: SortSpec,
        metrics: Metrics,
        source: Bucket,
        hosts: Collection[str],
    ) -> None:
        folder = self._folder / job.id
        catalog = self._state.catalog
        output = None if spec.dry_run else transfer.open_destination(catalog, spec.output_bck, source)
        try:
            folder.mkdir(parents=True)
            sorter = Sorter(self._state, job, spec, metrics, folder)
            sorter.run(output.bucket if output is not None else None, hosts)
        except BaseException as err:
            metrics.close()
            if not isinstance(err, Aborted):
                metrics.error = err.message if isinstance(err, LocalError) else f"{type(err).__name__}: {err}"
            if output is not None:
                output.discard(catalog)
            raise
        finally:
            if output is not None:
                output.settle(catalog)
            shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, job: Job, metrics: Metrics) -> None:
        with self._lock:
            if job.id not in self._runs:
                return
        state = {"info": metrics.info(job, list(job.targets)), "summary": metrics.summary(job)}
        self._documents.put(_DOCUMENT, job.id, {"started": job.started, **state})

    def _find(self, run_id: str, missing: NotFound) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise missing
        return run

    def info(self, run_id: str) -> dict[str, Any]:
        """State of a run by target.

        Raises:
            NotFound: There is none.
        """
        missing = NotFound(f"[dsort] {run_id} does not exist", with_node=True, tcode="")
        return self._find(run_id, missing).info()

    def all(self, pattern: str, *, only_active: bool) -> list[dict[str, Any]]:
        """Every run, the oldest first, whose description matches.

        Raises:
            InvalidRequest: A malformed regular expression, or one that takes too long.
        """
        try:
            patterns = Patterns([pattern])
        except re.error as err:
            raise InvalidRequest(f"[dsort] invalid regex {pattern!r}: {err}") from err
        with self._lock:
            runs = list(self._runs.values())
        found = [run.summary() for run in runs if run.is_running or not only_active]
        with patterns:
            return [summary for summary in found if patterns.find(summary["Metrics"]["description"])]

    def abort(self, run_id: str) -> None:
        """Abort a run; one that is over stays as it is.

        Raises:
            NotFound: There is none.
        """
        run = self._find(run_id, NotFound(f"dsort job {run_id} does not exist"))
        if run.live is not None:
            self._state.jobs.abort(run.live[0], "user abort")

    def remove(self, run_id: str) -> None:
        """Forget a run that is over.

        Raises:
            NotFound: There is none.
            InvalidRequest: It is not over.
        """
        missing = NotFound(f'invalid request: job "{run_id}" does not exist', tcode="")
        if self._find(run_id, missing).is_running:
            raise InvalidRequest(f"[dsort] {run_id} is still running: abort it first")
        with self._lock:
            self._runs.pop(run_id, None)
        self._documents.delete(_DOCUMENT, run_id)
