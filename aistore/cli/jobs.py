"""Waiting for jobs of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.cli import interrupt
from aistore.cli.exits import CliError, explain
from aistore.cli.progress import Meter

if TYPE_CHECKING:
    from aistore.cli.session import Session

WEEK = 7 * 24 * 3600.0
"""How long a job that was started here may take, in seconds."""


def wait_for(session: Session, job_id: str, what: str, timeout: float = WEEK, kind: str = "") -> None:
    """Wait for a job, with progress.

    Raises:
        CliError: It failed or was aborted.
        Timeout: It took longer; it goes on.
    """
    with Meter(session.out, what) as meter:
        result = session.client.job(job_id, kind).wait(timeout, verbose=False, progress=meter.show)
    if not result:
        raise CliError(f"job {job_id or kind} failed: {result.error or 'no reason was given'}")


def show_job(session: Session, job_id: str) -> None:
    """Write the id of a job that nobody waits for."""
    if session.json:
        session.out.record({"job": job_id})
    else:
        session.out.line(job_id)


def wait_for_own(session: Session, job_id: str, what: str) -> None:
    """Wait for a job that was started here; Ctrl-C aborts it."""
    try:
        wait_for(session, job_id, what)
    except KeyboardInterrupt:
        from aistore.sdk.errors import SDKError

        interrupt.take_time()
        try:
            session.client.job(job_id).abort()
        except SDKError as error:
            session.out.complain(f"aistore: job {job_id} could not be aborted: {explain(error)[1]}")
        else:
            session.out.complain(f"aistore: job {job_id} is aborted")
        raise
