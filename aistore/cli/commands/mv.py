"""`aistore mv`: as cp, and then the source goes."""

from __future__ import annotations

from pathlib import Path

import click

from aistore.cli.command import Command
from aistore.cli.copying import copy_folder, copy_object
from aistore.cli.downloads import destination, download_folder, get_one
from aistore.cli.exits import USAGE, CliError
from aistore.cli.params import LOCATION
from aistore.cli.removal import remove_objects
from aistore.cli.selection import Patterns
from aistore.cli.session import Session, pass_session
from aistore.cli.uploads import plan_uploads, upload_all
from aistore.cli.uri import is_uri, parse_object, parse_uri

# A pattern that leaves out nothing: objects are copied one by one, so that it is known which may go.
_ONE_BY_ONE = Patterns(include=("*",))


@click.command(
    name="mv",
    cls=Command,
    examples=(
        "aistore mv ais://a/cat.jpg ais://a/tom.jpg     rename",
        "aistore mv -r ais://a/2025/ ais://old/2025/    a folder",
        "aistore mv results.json ais://a/               the file goes once it is uploaded",
        "aistore bucket rename ais://a ais://b          a whole bucket",
    ),
)
@click.argument("source", type=LOCATION)
@click.argument("target", type=LOCATION)
@click.option("-r", "--recursive", is_flag=True, help="All objects or files below a folder.")
@pass_session
def command(session: Session, source: str, target: str, recursive: bool) -> None:
    """Move an object or file, or a folder (-r): copy, then remove what was copied.

    Nothing is removed before everything is copied. Objects that were overwritten meanwhile are removed all
    the same: no program should write to what is moved.
    """
    ends = is_uri(source), is_uri(target)
    if ends == (False, False):
        raise CliError("neither is a URI: files are moved by mv", USAGE)
    if not ends[0]:
        where = parse_uri(target)
        plan = plan_uploads(session, [source], where, recursive, Patterns())
        upload_all(session, plan, where)
        for path, _ in plan:
            path.unlink()
        return
    if recursive:
        uri = parse_uri(source)
        if ends[1]:
            moved = copy_folder(session, uri, parse_uri(target), _ONE_BY_ONE)
        else:
            moved = download_folder(session, uri, Path(target), Patterns())
        remove_objects(session, uri, [one.entry.name for one in moved])
        return
    uri = parse_object(source)
    if ends[1]:
        copy_object(session, uri, parse_uri(target))
    else:
        path = destination(uri.name, target)
        get_one(session, uri, path)
        session.out.note(f"{uri} -> {path}")
    uri.object_of(session.client).delete()
