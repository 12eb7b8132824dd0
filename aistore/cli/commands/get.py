"""`aistore get`: objects to files, or one to standard output."""

from __future__ import annotations

from pathlib import Path

import click

from aistore._files import replacing
from aistore.cli.command import Command
from aistore.cli.downloads import destination, download_folder, get_one
from aistore.cli.exits import USAGE, CliError
from aistore.cli.params import LOCATION, URI
from aistore.cli.progress import Meter
from aistore.cli.selection import Patterns, pattern_options
from aistore.cli.session import Session, pass_session
from aistore.cli.streaming import open_reader, reader_options, write_out
from aistore.cli.transfer import copy_out, resume_file
from aistore.cli.uri import parse_object, parse_uri


@click.command(
    name="get",
    cls=Command,
    examples=(
        "aistore get ais://images/cat.jpg                   to ./cat.jpg",
        "aistore get ais://images/cat.jpg pets/             to ./pets/cat.jpg",
        "aistore get ais://images/cat.jpg - | file -        to standard output",
        "aistore get -r ais://images/2026/ ./photos         a folder",
        "aistore get --resume ais://models/large.bin        going on where it stopped",
        "aistore get --archpath a/0.txt ais://shards/a.tar  a member of an archive",
        'wds.WebDataset("pipe:aistore get ais://shards/{000..009}.tar -")',
    ),
)
@click.argument("uri", type=URI)
@click.argument("dest", required=False, type=LOCATION)
@click.option("-r", "--recursive", is_flag=True, help="All objects below a bucket or folder.")
@click.option("--resume", is_flag=True, help="Keep what a stopped download got, and go on from there.")
@reader_options
@pattern_options
@pass_session
def command(
    session: Session,
    uri: str,
    dest: str | None,
    recursive: bool,
    resume: bool,
    byte_range: str | None,
    archpath: str | None,
    etl: str | None,
    etl_args: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Download an object to DEST: a file, a folder, or - for standard output (default: here).

    A file is there only once it is whole, and compared with the cluster's checksum.
    """
    special = [byte_range is not None, bool(archpath), bool(etl)]
    if recursive:
        if resume or any(special) or dest == "-":
            raise CliError("-r excludes --resume, --range, --archpath, --etl and -", USAGE)
        download_folder(session, parse_uri(uri), Path(dest or "."), Patterns(include, exclude))
        return
    where = parse_object(uri)
    if resume and (dest == "-" or any(special)):
        raise CliError("--resume is for a whole object and a file", USAGE)
    if dest == "-":
        write_out(session, where, byte_range, archpath, etl, etl_args)
        return
    path = destination(archpath or where.name, dest)
    if resume:
        resume_file(where.object_of(session.client), path, session.out)
    elif any(special):
        reader = open_reader(session, where, byte_range, archpath, etl, etl_args)
        with Meter(session.out, f"get {where.name}") as meter, replacing(path) as file:
            copy_out(reader, file.write, meter)
    else:
        get_one(session, where, path)
    session.out.note(f"{where} -> {path}")
