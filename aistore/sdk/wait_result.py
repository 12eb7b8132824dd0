"""How a wait for a job ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aistore.sdk.const import GO_ZERO_TIME
from aistore.sdk.gotime import parse_go_time
from aistore.sdk.types import JobSnap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GO_ZERO_TIME", "WaitResult"]


@dataclass
class WaitResult:
    """Outcome of waiting for a job; true when the job succeeded.

    Args:
        job_id: Id of the job.
        success: Whether it ended without an error and was not aborted.
        error: What went wrong, `aborted` when nothing more is known; empty or `None` when nothing did, as in
            the 2.0.0 package: "" from a job's status, `None` from snapshots. Default: `None`.
        end_time: When it ended, with its time zone. Default: `None`, not known.
    """

    job_id: str
    success: bool
    error: str | None = None
    end_time: datetime | None = None

    def __bool__(self) -> bool:
        return self.success

    @classmethod
    def from_snapshots(cls, job_id: str, snapshots: list[JobSnap]) -> Self:
        """Sum up the snapshots of all targets: the first error, and the latest end if all have ended."""
        error = next((snap.abort_err for snap in snapshots if snap.abort_err), None)
        if error is None and any(snap.aborted for snap in snapshots):
            error = "aborted"
        ends = [parse_go_time(snap.end_time) for snap in snapshots]
        known = [end for end in ends if end is not None]
        return cls(
            job_id=job_id,
            success=error is None,
            error=error,
            end_time=max(known) if known and len(known) == len(ends) else None,
        )
