"""Options of reading one object, and an object as a stream on standard output."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aistore.cli.exits import USAGE, CliError
from aistore.cli.progress import Meter
from aistore.cli.transfer import CHUNK, copy_out

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri
    from aistore.sdk.obj.object_reader import ObjectReader

F = TypeVar("F", bound=Callable[..., Any])

_RANGE = re.compile(r"(\d*)-(\d*)", re.ASCII)


def reader_options(function: F) -> F:
    """Add the options of reading one object to a command."""
    for option in (
        click.option("--etl-args", metavar="TEXT", help="Arguments for the ETL."),
        click.option("--etl", metavar="NAME", help="Transform the object on the way."),
        click.option("--archpath", metavar="PATH", help="Only this member of an archive."),
        click.option(
            "--range", "byte_range", metavar="A-B", help="Only these bytes: 0-99, 100-, or -50 for the last."
        ),
    ):
        function = option(function)
    return function


def open_reader(
    session: Session,
    uri: Uri,
    byte_range: str | None,
    archpath: str | None,
    etl: str | None,
    etl_args: str | None,
) -> ObjectReader:
    """Return the reader that the options ask for.

    Raises:
        CliError: They cannot be right, or exclude each other (exit code 2).
    """
    from aistore.sdk.archive_config import ArchiveConfig
    from aistore.sdk.etl.etl_config import ETLConfig

    if byte_range is not None and not _RANGE.fullmatch(byte_range):
        raise CliError(f"--range {byte_range!r}: expected A-B, A- or -N", USAGE)
    if etl_args is not None and not etl:
        raise CliError("--etl-args needs --etl", USAGE)
    if byte_range is not None and (etl or archpath):
        raise CliError("--range excludes --etl and --archpath", USAGE)
    return uri.object_of(session.client).get_reader(
        archive_config=ArchiveConfig(archpath=archpath) if archpath else None,
        etl=ETLConfig(etl, etl_args) if etl else None,
        byte_range=f"bytes={byte_range}" if byte_range is not None else None,
        chunk_size=CHUNK,
    )


def write_out(
    session: Session,
    uri: Uri,
    byte_range: str | None = None,
    archpath: str | None = None,
    etl: str | None = None,
    etl_args: str | None = None,
) -> None:
    """Write an object to standard output, with progress if only standard error is a terminal."""
    reader = open_reader(session, uri, byte_range, archpath, etl, etl_args)
    session.out.write(b"")
    with Meter(session.out, f"get {uri.name}", shown=not session.out.is_terminal) as meter:
        copy_out(reader, session.out.write, meter)
    session.out.flush()
