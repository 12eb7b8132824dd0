"""Copies within a cluster: the bytes never come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.cli import interrupt
from aistore.cli.exits import USAGE, CliError
from aistore.cli.jobs import show_job, wait_for_own
from aistore.cli.progress import Meter
from aistore.cli.selection import Patterns, Selected, folder_hint, select_all
from aistore.cli.text import human_size, plural
from aistore.cli.transfer import WORKERS

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri


def object_target(source: Uri, target: Uri) -> Uri:
    """Return the object that a copy of an object becomes.

    Raises:
        CliError: It is the same object.
    """
    if not target.bucket:
        raise CliError(f"{target} names no bucket", USAGE)
    if not target.name or target.name.endswith("/"):
        target = target.below(target.name + source.name.rsplit("/", 1)[-1])
    if target == source:
        raise CliError(f"{source} and {target} are the same object", USAGE)
    return target


def copy_object(session: Session, source: Uri, target: Uri, etl: str | None = None) -> Uri:
    """Copy an object within the cluster and return the copy."""
    from aistore.sdk.etl.etl_config import ETLConfig

    target = object_target(source, target)
    with folder_hint(session, source):
        source.object_of(session.client).copy(
            target.object_of(session.client), etl=ETLConfig(etl) if etl else None
        )
    session.out.note(f"{source} -> {target}")
    return target


def copy_folder(
    session: Session, source: Uri, target: Uri, patterns: Patterns, etl: str | None = None
) -> list[Selected]:
    """Copy the objects below a folder, each by its name below it; the first failure ends it.

    Returns:
        What was copied; empty when a job of the cluster copied the whole bucket.

    Raises:
        CliError: Source and target are in each other.
    """
    if not target.bucket:
        raise CliError(f"{target} names no bucket", USAGE)
    same = source.below("") == target.below("")
    if same and (target.folder.startswith(source.folder) or source.folder.startswith(target.folder)):
        raise CliError(f"{source} and {target} are in each other", USAGE)
    if not source.name and not etl and patterns == Patterns():
        copy_bucket(session, source, target.below(""), prepend=target.folder)
        return []
    from aistore.sdk.etl.etl_config import ETLConfig
    from aistore.sdk.parallel import ordered_map

    chosen = select_all(session, source, patterns)
    to_bucket = target.of(session.client)
    from_bucket = source.of(session.client)

    def copy(one: Selected) -> None:
        interrupt.check()
        from_bucket.object(one.entry.name).copy(
            to_bucket.object(target.folder + one.relative), etl=ETLConfig(etl) if etl else None
        )
        meter.add_bytes(one.entry.size)
        meter.add_object()

    total = sum(one.entry.size for one in chosen)
    with Meter(session.out, "cp", total_bytes=total, total_objects=len(chosen)) as meter:
        for _ in ordered_map(copy, chosen, WORKERS):
            pass
    session.out.note(f"{plural(len(chosen), 'object')}, {human_size(total)} -> {target}")
    return chosen


def copy_bucket(
    session: Session, source: Uri, target: Uri, *, prefix: str = "", prepend: str = "", wait: bool = True
) -> None:
    """Have a job of the cluster copy a bucket's objects."""
    job_id = source.of(session.client).copy(target.of(session.client), prefix_filter=prefix, prepend=prepend)
    if wait:
        wait_for_own(session, job_id, f"cp {source}")
        session.out.note(f"{source} -> {target}")
    else:
        show_job(session, job_id)
