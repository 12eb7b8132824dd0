"""`aistore cp`: within the cluster, to it, or from it."""

from __future__ import annotations

from pathlib import Path

import click

from aistore.cli.command import Command
from aistore.cli.copying import copy_folder, copy_object
from aistore.cli.downloads import destination, download_folder, get_one
from aistore.cli.exits import USAGE, CliError
from aistore.cli.params import LOCATION
from aistore.cli.selection import Patterns, pattern_options
from aistore.cli.session import Session, pass_session
from aistore.cli.uploads import plan_uploads, upload_all
from aistore.cli.uri import is_uri, parse_object, parse_uri


@click.command(
    name="cp",
    cls=Command,
    examples=(
        "aistore cp ais://a/cat.jpg ais://b/                 within the cluster",
        "aistore cp -r ais://a/2026/ ais://b/old/            a folder",
        "aistore cp -r ais://a ais://b                       a bucket, by a job of the cluster",
        "aistore cp --etl shout-it ais://a/1.txt ais://b/    transformed",
        "aistore cp cat.jpg ais://a/                         as put",
        "aistore cp -r ais://a/2026/ ./photos                as get",
    ),
)
@click.argument("source", type=LOCATION)
@click.argument("target", type=LOCATION)
@click.option("-r", "--recursive", is_flag=True, help="All objects or files below a folder.")
@click.option("--etl", metavar="NAME", help="Transform objects on the way; within the cluster.")
@pattern_options
@pass_session
def command(
    session: Session,
    source: str,
    target: str,
    recursive: bool,
    etl: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Copy an object or file, or a folder (-r). One side at least is a URI."""
    patterns = Patterns(include, exclude)
    ends = is_uri(source), is_uri(target)
    if etl and ends != (True, True):
        raise CliError("--etl is for copies within the cluster; see also `aistore get --etl`", USAGE)
    if ends == (True, True):
        if recursive:
            copy_folder(session, parse_uri(source), parse_uri(target), patterns, etl)
        else:
            copy_object(session, parse_object(source), parse_uri(target), etl)
    elif ends == (False, True):
        where = parse_uri(target)
        upload_all(session, plan_uploads(session, [source], where, recursive, patterns), where)
    elif ends == (True, False):
        if recursive:
            download_folder(session, parse_uri(source), Path(target), patterns)
        else:
            uri = parse_object(source)
            path = destination(uri.name, target)
            get_one(session, uri, path)
            session.out.note(f"{uri} -> {path}")
    else:
        raise CliError("neither is a URI: files are copied by cp", USAGE)
