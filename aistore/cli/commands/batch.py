"""`aistore batch`: many objects with one request (Get-Batch)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aistore._files import ErrNotAFile, Folder
from aistore.cli import interrupt
from aistore.cli.command import Command
from aistore.cli.exits import NOT_FOUND, USAGE, CliError
from aistore.cli.params import BUCKET
from aistore.cli.progress import Meter
from aistore.cli.session import Session, pass_session
from aistore.cli.text import plural
from aistore.cli.transfer import CHUNK
from aistore.cli.uri import parse_bucket

if TYPE_CHECKING:
    from aistore.sdk.batch.batch import Batch

_FORMATS = (".tar", ".tgz", ".tar.gz", ".tar.lz4", ".zip")


@click.command(
    name="batch",
    cls=Command,
    examples=(
        "aistore batch ais://images a.jpg b.jpg --to ./here",
        "aistore batch ais://images --names list.txt --to - > images.tar",
        "aistore ls -r ais://images | aistore batch ais://images --names - --to ./all",
        "aistore batch ais://images --names list.txt --format .tgz --to - > images.tgz",
    ),
)
@click.argument("uri", type=BUCKET)
@click.argument("names", nargs=-1)
@click.option("--names", "listed", metavar="FILE", help="Names, one a line; - for standard input.")
@click.option("-0", "--null", is_flag=True, help="Names in the file end with a NUL instead.")
@click.option("--to", "target", required=True, metavar="DIR|-", help="Folder, or - for an archive on stdout.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), default=".tar", help="Of the archive.")
@click.option("--skip-missing", is_flag=True, help="Objects that are not there are no failure.")
@pass_session
def command(
    session: Session,
    uri: str,
    names: tuple[str, ...],
    listed: str | None,
    null: bool,
    target: str,
    kind: str,
    skip_missing: bool,
) -> None:
    """Read many objects of a bucket, in order, with one request: into a folder, or as an archive."""
    where = parse_bucket(uri)
    wanted = [*names, *(_read_names(listed, null) if listed else ())]
    if not wanted:
        raise CliError("no names: give some, or --names FILE", USAGE)
    if kind != ".tar" and target != "-":
        raise CliError("--format is for an archive on standard output", USAGE)
    batch = session.client.batch(
        wanted,
        bucket=where.of(session.client),
        output_format=kind,
        cont_on_err=skip_missing or target != "-",
        only_obj_name=True,
    )
    if target == "-":
        _write_archive(session, batch)
    else:
        _write_files(session, batch, Folder(Path(target)), skip_missing)


def _read_names(path: str, null: bool) -> list[str]:
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    text = content.decode("utf-8", "surrogateescape")
    return [name for name in (text.split("\0" if null else "\n")) if name]


def _write_archive(session: Session, batch: Batch) -> None:
    body = batch.get(raw=True)
    try:
        with Meter(session.out, "batch", shown=not session.out.is_terminal) as meter:
            while piece := body.read(CHUNK):
                interrupt.check()
                session.out.write(piece)
                meter.add_bytes(len(piece))
    finally:
        body.close()
    session.out.flush()


def _write_files(session: Session, batch: Batch, folder: Folder, skip_missing: bool) -> None:
    total = len(batch)
    unfit = folder.unfit(entry.obj_name for entry in batch.requests_list)
    missing = 0
    with Meter(session.out, "batch", total_objects=total) as meter, batch.get() as results:
        for info, data in results:
            if info.err_msg:
                missing += 1
                session.out.complain(f"{info.obj_name}: {info.err_msg}")
                continue
            if info.obj_name in unfit:
                continue
            try:
                with folder.replacing(info.obj_name) as file:
                    file.write(data)
            except ErrNotAFile as err:
                unfit.update(err.names)
                continue
            meter.add_bytes(len(data))
            meter.add_object()
    session.out.note(f"{plural(total - missing - len(unfit), 'object')} -> {folder.root}")
    if unfit:
        raise ErrNotAFile(unfit, folder.root)
    if missing and not skip_missing:
        raise CliError(f"{plural(missing, 'object')} of {total:,} could not be read", NOT_FOUND)
