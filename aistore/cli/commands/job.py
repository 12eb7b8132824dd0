"""`aistore job`: jobs of the cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from aistore.cli.command import Group
from aistore.cli.exits import NOT_FOUND, USAGE, CliError
from aistore.cli.jobs import WEEK, show_job, wait_for
from aistore.cli.params import BUCKET
from aistore.cli.session import Session, pass_session
from aistore.cli.text import human_size
from aistore.cli.uri import bucket_uri, parse_bucket

_SECONDS = 1.0
_HEADERS = ("JOB", "KIND", "STATE", "ENDED")


@click.group(
    name="job",
    cls=Group,
    examples=(
        "aistore job ls --watch",
        "aistore job show g7Xq2LmPk",
        "aistore job wait g7Xq2LmPk",
        "aistore job start lru --bucket ais://images",
        "aistore job stop g7Xq2LmPk",
    ),
)
def command() -> None:
    """List, watch, start and stop jobs."""


@command.command(
    examples=("aistore job ls", "aistore job ls --running --kind copy-bck", "aistore job ls --watch")
)
@click.option("--kind", default="", metavar="KIND", help="Only jobs of this kind.")
@click.option("--running", is_flag=True, help="Only jobs that run.")
@click.option("--watch", is_flag=True, help="Show it again when it changes, until Ctrl-C.")
@pass_session
def ls(session: Session, kind: str, running: bool, watch: bool) -> None:
    """List the jobs, those that have ended too."""

    def look() -> list[dict[str, Any]]:
        return [row for row in _jobs(session, kind) if not running or row["state"] == "running"]

    def show(rows: list[dict[str, Any]]) -> None:
        if session.json:
            for row in rows:
                session.out.record(row)
        else:
            session.out.table(_HEADERS, [tuple(row.values()) for row in rows])

    _repeat(session, look, show, watch=watch)


def _jobs(session: Session, kind: str) -> list[dict[str, Any]]:
    cluster = session.client.cluster()
    # Some kinds run on without an entry among the states.
    running = dict(_running(text) for text in cluster.list_running_jobs(job_kind=kind))
    rows = {}
    for status in cluster.list_jobs_status(job_kind=kind):
        state = "failed" if status.err else "aborted" if status.aborted else "ended"
        if status.uuid in running or not status.end_time:
            state = "running"
        rows[status.uuid] = _row(status.uuid, status.kind, state, status.end_time)
    for job_id, its_kind in running.items():
        rows.setdefault(job_id, _row(job_id, its_kind, "running", 0))
    return list(rows.values())


def _running(text: str) -> tuple[str, str]:
    kind, _, rest = text.partition("[")
    return rest.removesuffix("]"), kind


def _row(job_id: str, kind: str, state: str, ended: int) -> dict[str, Any]:
    from aistore.cli.text import iso_time

    return {"job": job_id, "kind": kind, "state": state, "ended": iso_time(str(ended)) if ended else ""}


@command.command(examples=("aistore job show g7Xq2LmPk", "aistore job show --watch g7Xq2LmPk"))
@click.argument("job_id", metavar="JOB")
@click.option("--watch", is_flag=True, help="Show it again when it changes, until it ends.")
@pass_session
def show(session: Session, job_id: str, watch: bool) -> None:
    """Show what each target says about a job."""
    _repeat(
        session,
        lambda: _snapshots(session, job_id),
        lambda rows: _show_snapshots(session, rows),
        watch=watch,
        until=lambda rows: all(row["state"] != "running" for row in rows),
    )


def _snapshots(session: Session, job_id: str) -> list[dict[str, Any]]:
    rows = []
    for target, snaps in session.client.job(job_id).get_details().root.items():
        for snap in snaps or ():
            state = "aborted" if snap.was_aborted() else "ended" if snap.has_ended() else "running"
            rows.append(
                {
                    "target": target,
                    "job": snap.id,
                    "kind": snap.kind,
                    "state": "idle" if snap.is_idle and state == "running" else state,
                    "objects": snap.stats.objects if snap.stats else 0,
                    "bytes": snap.stats.bytes if snap.stats else 0,
                    "bucket": str(bucket_uri(snap.bucket)) if snap.bucket and snap.bucket.name else "",
                    "started": snap.start_time,
                    "ended": snap.end_time if snap.has_ended() else "",
                    "error": snap.abort_err,
                }
            )
    if not rows:
        raise CliError(f"there is no job {job_id!r}", NOT_FOUND)
    return rows


def _show_snapshots(session: Session, rows: list[dict[str, Any]]) -> None:
    if session.json:
        for row in rows:
            session.out.record(row)
        return
    names = ("target", "kind", "state", "objects", "bytes", "bucket", "started", "ended", "error")
    cells = [tuple(human_size(row[name]) if name == "bytes" else row[name] for name in names) for row in rows]
    session.out.table([name.upper() for name in names], cells)


def _repeat(
    session: Session,
    look: Callable[[], list[dict[str, Any]]],
    show: Callable[[list[dict[str, Any]]], None],
    *,
    watch: bool,
    until: Callable[[list[dict[str, Any]]], bool] = lambda _rows: False,
) -> None:
    last: Any = None
    while True:
        rows = look()
        if rows != last:
            show(rows)
            session.out.flush()
        last = rows
        if not watch or until(rows):
            return
        time.sleep(_SECONDS)


@command.command(examples=("aistore job wait g7Xq2LmPk --timeout 600", "aistore job wait --kind copy-bck"))
@click.argument("job_id", required=False, default="", metavar="[JOB]")
@click.option("--kind", default="", metavar="KIND", help="All jobs of this kind instead of one.")
@click.option(
    "--timeout", "limit", type=click.FloatRange(min=0), default=WEEK, help="Seconds (default: a week)."
)
@pass_session
def wait(session: Session, job_id: str, kind: str, limit: float) -> None:
    """Wait for a job to end; the exit code is 1 if it fails. Ctrl-C ends the waiting, not the job."""
    if not job_id and not kind:
        raise CliError("give the id of a job, or --kind", USAGE)
    wait_for(session, job_id, f"job {job_id or kind}", limit, kind)
    session.out.note(f"job {job_id or kind} is done")


@command.command(examples=("aistore job stop g7Xq2LmPk", "aistore job stop --kind copy-bck"))
@click.argument("job_id", required=False, default="", metavar="[JOB]")
@click.option("--kind", default="", metavar="KIND", help="All jobs of this kind instead of one.")
@pass_session
def stop(session: Session, job_id: str, kind: str) -> None:
    """Stop a job, or all of a kind."""
    session.client.job(job_id, kind).abort()
    session.out.note(f"job {job_id or kind} is stopped")


@command.command(examples=("aistore job start rebalance", "aistore job start lru --bucket ais://images"))
@click.argument("kind")
@click.option("--bucket", "buckets", multiple=True, type=BUCKET, metavar="URI", help="Only on this bucket.")
@click.option("--force", is_flag=True, help="Despite a job that is in its way.")
@pass_session
def start(session: Session, kind: str, buckets: tuple[str, ...], force: bool) -> None:
    """Start a job of a kind that can be started so (rebalance, lru, ...) and print its id."""
    where = [parse_bucket(text).of(session.client) for text in buckets]
    show_job(session, session.client.job(job_kind=kind).start(force=force, buckets=where))
