"""`aistore put`: files, folders and standard input to objects."""

from __future__ import annotations

import click

from aistore.cli.command import Command
from aistore.cli.exits import USAGE, CliError
from aistore.cli.params import LOCATION
from aistore.cli.selection import Patterns, pattern_options
from aistore.cli.session import Session, pass_session
from aistore.cli.uploads import plan_uploads, put_standard_input, upload_all
from aistore.cli.uri import parse_uri


@click.command(
    name="put",
    cls=Command,
    examples=(
        "aistore put cat.jpg ais://images                  as cat.jpg",
        "aistore put cat.jpg ais://images/2026/            as 2026/cat.jpg",
        "aistore put cat.jpg ais://images/tom.jpg          as tom.jpg",
        "aistore put -r ./photos ais://images/2026/        a folder's files, by their paths in it",
        "aistore put *.jpg ais://images                    several",
        "tar c ./photos | aistore put - ais://b/all.tar    standard input",
        "aistore put -- -odd-name ais://images             a name that begins with a dash",
    ),
)
@click.argument("sources", nargs=-1, required=True, type=LOCATION)
@click.argument("uri", type=LOCATION)
@click.option("-r", "--recursive", is_flag=True, help="Folders, too: the files in them, at any depth.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@pattern_options
@pass_session
def command(
    session: Session,
    sources: tuple[str, ...],
    uri: str,
    recursive: bool,
    dry_run: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Upload files, folders (-r) or standard input (-) to a bucket or folder, or as an object."""
    where = parse_uri(uri)
    if not where.bucket:
        raise CliError(f"{uri!r} names no bucket", USAGE)
    if "-" in sources:
        if len(sources) > 1 or dry_run:
            raise CliError("- stands alone: standard input becomes one object", USAGE)
        put_standard_input(session, where)
        return
    plan = plan_uploads(session, sources, where, recursive, Patterns(include, exclude))
    if dry_run:
        for path, name in plan:
            if session.json:
                session.out.record({"path": str(path), "uri": str(where.below(name))})
            else:
                session.out.line(f"{path} -> {where.below(name)}")
        return
    upload_all(session, plan, where)
