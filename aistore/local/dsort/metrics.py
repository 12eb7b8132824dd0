"""How far a run is, on each target, in the JSON form of protocol-ml/04."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from aistore.local.jobs.job import go_time

if TYPE_CHECKING:
    from aistore.local.dsort.spec import SortSpec
    from aistore.local.jobs import Job

_MAX_INT64 = str(2**63 - 1)
_NO_TIMES = {"total_ms": "0", "count": "0", "min_ms": _MAX_INT64, "max_ms": "0", "avg_ms": "0"}
_MAX_MESSAGES = 100

EXTRACTION = (
    *("total_count", "extracted_count", "extracted_size", "extracted_record_count"),
    *("extracted_to_disk_count", "extracted_to_disk_size"),
)
CREATION = ("to_create", "created_count", "moved_shard_count")


class Phase:
    """One of the three phases."""

    def __init__(self) -> None:
        self.began = 0
        self.ended = 0
        self.finished = False

    def begin(self) -> None:
        """It begins."""
        self.began = time.time_ns()

    def end(self, *, finished: bool = True) -> None:
        """It is over, done or broken off."""
        if self.began and not self.ended:
            self.ended = time.time_ns()
            self.finished = finished

    @property
    def elapsed(self) -> int:
        """Nanoseconds that it takes or took."""
        return (self.ended or time.time_ns()) - self.began if self.began else 0

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "started_time": go_time(self.began),
            "end_time": go_time(self.ended if self.finished else 0),
            "elapsed": self.elapsed,
            "running": bool(self.began and not self.ended),
            "finished": self.finished,
        }


class Metrics:
    """Phases, which all targets are in together, and what each target has done.

    Args:
        spec (SortSpec): What is done.
        targets (int): How many there are.
    """

    def __init__(self, spec: SortSpec, targets: int) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._counts = [dict.fromkeys((*EXTRACTION, *CREATION), 0) for _ in range(targets)]
        self.extraction, self.sorting, self.creation = Phase(), Phase(), Phase()
        self.warnings: list[str] = []
        self.error = ""

    def add(self, target: int, **counts: int) -> None:
        """Count something at a target."""
        with self._lock:
            mine = self._counts[target]
            for key, count in counts.items():
                mine[key] += count

    def set_total(self, count: int) -> None:
        """How many shards there are to read, which every target knows."""
        for counts in self._counts:
            counts["total_count"] = count

    def warn(self, message: str) -> None:
        """Note something odd."""
        if len(self.warnings) < _MAX_MESSAGES:
            self.warnings.append(message)

    def close(self) -> None:
        """Break off the phase that is running."""
        for phase in (self.extraction, self.sorting, self.creation):
            phase.end(finished=False)

    def info(self, job: Job, nodes: list[str]) -> dict[str, Any]:
        """The answer to a query: state by target."""
        stats = [snapshot["stats"] for snapshot in job.snapshots().values()]
        return {
            node: self._info(job, counts, own["loc-objs"], own["loc-bytes"], self._errors(job, i))
            for i, (node, counts, own) in enumerate(zip(nodes, self._counts, stats, strict=True))
        }

    def summary(self, job: Job) -> dict[str, Any]:
        """The line of a list: all targets together."""
        stats = [snapshot["stats"] for snapshot in job.snapshots().values()]
        objects, size = (str(sum(int(own[key]) for own in stats)) for key in ("loc-objs", "loc-bytes"))
        counts = {key: sum(mine[key] for mine in self._counts) for key in self._counts[0]}
        counts["total_count"] = self._counts[0]["total_count"]
        return self._info(job, counts, objects, size, [self.error] if self.error else [])

    def _errors(self, job: Job, target: int) -> list[str]:
        """The first target has the cause, the others only know that it is over."""
        if self.error and not target:
            return [self.error]
        return [f"t[{job.targets[target]}]: [dsort] {job.id} aborted"] if job.aborted else []

    def _info(
        self, job: Job, counts: dict[str, int], objects: str, size: str, errors: list[str]
    ) -> dict[str, Any]:
        durations = {
            "started_meta_sorting": self.extraction.elapsed,
            "started_shard_creation": self.sorting.elapsed,
            "finished_shard_creation": self.creation.elapsed,
        }
        over = not job.is_running
        ended = job.ended if over and not job.aborted else 0
        return {
            "id": job.id,
            "src-bck": self._spec.input_bck.as_dict(),
            "dst-bck": self._spec.output_bck.as_dict(),
            "started_time": go_time(job.started),
            "finish_time": go_time(ended),
            **{key: value for key, value in durations.items() if value},
            "loc-objs": objects,
            "loc-bytes": size,
            "Metrics": self._metrics(job, counts, errors),
            "aborted": job.aborted,
            "archived": over,
        }

    def _metrics(self, job: Job, counts: dict[str, int], errors: list[str]) -> dict[str, Any]:
        messages = {"warnings": list(self.warnings), "errors": errors}
        extraction = {key: str(counts[key]) for key in EXTRACTION}
        creation = {key: str(counts[key]) for key in CREATION}
        # Results appear when the run is over: until then the last phase is not finished.
        creation_phase = self.creation.as_dict()
        if job.is_running:
            creation_phase |= {"running": bool(self.creation.began), "finished": False}
        return {
            "local_extraction": self.extraction.as_dict() | extraction,
            "meta_sorting": self.sorting.as_dict() | {"sent_stats": _NO_TIMES, "recv_stats": _NO_TIMES},
            "shard_creation": creation_phase | creation,
            "description": self._spec.description,
            **{key: value for key, value in messages.items() if value},
            "aborted": job.aborted,
            "archived": not job.is_running,
        }
