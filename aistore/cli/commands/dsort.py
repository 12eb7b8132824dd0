"""`aistore dsort`: sorting and resharding of archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aistore.cli.command import Group
from aistore.cli.exits import FAILURE, CliError
from aistore.cli.jobs import WEEK, show_job
from aistore.cli.session import Session, pass_session


@click.group(
    name="dsort",
    cls=Group,
    examples=(
        "aistore dsort start spec.json",
        "aistore dsort start --wait spec.yaml",
        "aistore dsort ls",
        "aistore dsort show srt-PlIeF2GlS",
        "aistore dsort rm srt-PlIeF2GlS",
    ),
)
def command() -> None:
    """Sort and reshard archives."""


@command.command(examples=("aistore dsort start spec.json", "aistore dsort start --wait spec.yaml"))
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--wait", is_flag=True, help="Wait for the end.")
@pass_session
def start(session: Session, spec: Path, wait: bool) -> None:
    """Start what a JSON or YAML file says, and print the id."""
    run = session.client.dsort()
    show_job(session, run.start(spec))
    if wait:
        session.out.flush()
        _wait(session, run.dsort_id, WEEK)


@command.command(examples=("aistore dsort ls", "aistore dsort ls --json"))
@pass_session
def ls(session: Session) -> None:
    """List the runs, those that have ended too."""
    rows = _request(session, "get").json() or []
    if session.json:
        for row in rows:
            session.out.record(row)
        return
    cells = [
        (row.get("id"), _bucket(row, "src_bck"), _bucket(row, "dst_bck"), _state(row), row.get("objects"))
        for row in rows
    ]
    session.out.table(("ID", "FROM", "TO", "STATE", "OBJECTS"), cells)


def _bucket(row: dict[str, Any], key: str) -> str:
    bucket = row.get(key) or {}
    return f"{bucket.get('provider', '')}://{bucket.get('name', '')}"


def _state(row: dict[str, Any]) -> str:
    if row.get("aborted"):
        return "aborted"
    return "ended" if row.get("archived") or row.get("finish_time") else "running"


@command.command(examples=("aistore dsort show srt-PlIeF2GlS", "aistore dsort show --json srt-PlIeF2GlS"))
@click.argument("run_id", metavar="ID")
@pass_session
def show(session: Session, run_id: str) -> None:
    """Show how far a run is on each target."""
    infos = session.client.dsort(run_id).get_job_info()
    if session.json:
        session.out.document({target: info.model_dump() for target, info in infos.items()})
        return
    cells = []
    for target, info in infos.items():
        metrics = info.metrics
        phases = (metrics.local_extraction, metrics.meta_sorting, metrics.shard_creation)
        done = ["done" if one.finished else "running" if one.running else "-" for one in phases]
        errors = "; ".join(metrics.errors or ())
        state = "aborted" if metrics.aborted else ""
        cells.append((target, *done, metrics.shard_creation.created_count, state or errors))
    session.out.table(("TARGET", "EXTRACTION", "SORTING", "CREATION", "SHARDS", "ERRORS"), cells)


@command.command(examples=("aistore dsort wait srt-PlIeF2GlS --timeout 600",))
@click.argument("run_id", metavar="ID")
@click.option(
    "--timeout", "limit", type=click.FloatRange(min=0), default=WEEK, help="Seconds (default: a week)."
)
@pass_session
def wait(session: Session, run_id: str, limit: float) -> None:
    """Wait for a run to end; the exit code is 1 if it fails."""
    _wait(session, run_id, limit)


def _wait(session: Session, run_id: str, limit: float) -> None:
    result = session.client.dsort(run_id).wait(timeout=limit, verbose=False)
    if not result:
        raise CliError(f"dsort {run_id} failed: {result.error or 'no reason was given'}", FAILURE)
    session.out.note(f"dsort {run_id} is done")


@command.command(examples=("aistore dsort abort srt-PlIeF2GlS",))
@click.argument("run_id", metavar="ID")
@pass_session
def abort(session: Session, run_id: str) -> None:
    """Abort a run."""
    session.client.dsort(run_id).abort()
    session.out.note(f"dsort {run_id} is aborted")


@command.command(examples=("aistore dsort rm srt-PlIeF2GlS",))
@click.argument("run_id", metavar="ID")
@pass_session
def rm(session: Session, run_id: str) -> None:
    """Forget a run that has ended."""
    _request(session, "delete", {"uuid": run_id})
    session.out.note(f"dsort {run_id} is forgotten")


def _request(session: Session, method: str, params: dict[str, str] | None = None) -> Any:
    from aistore.sdk.const import URL_PATH_DSORT

    return session.client.cluster().client.request(method, path=URL_PATH_DSORT, params=params or {})
