"""`aistore sync`: make one side the same as the other."""

from __future__ import annotations

import click

from aistore.cli.command import Command
from aistore.cli.exits import USAGE, CliError
from aistore.cli.params import LOCATION
from aistore.cli.selection import Patterns
from aistore.cli.session import Session, pass_session
from aistore.cli.syncing import sync
from aistore.cli.uri import is_uri


@click.command(
    name="sync",
    cls=Command,
    examples=(
        "aistore sync ./photos ais://images/photos/         upload what differs",
        "aistore sync ais://images/photos/ ./photos         download what differs",
        "aistore sync --delete ./photos ais://images/       and remove what is not in ./photos",
        "aistore sync --dry-run ./photos ais://images/      only show it",
    ),
)
@click.argument("source", type=LOCATION)
@click.argument("target", type=LOCATION)
@click.option("--delete", is_flag=True, help="Remove from TARGET what is not in SOURCE.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--size-only", is_flag=True, help="Take files of the same size for the same.")
@click.option("-y", "--yes", is_flag=True, help="With --delete: also when SOURCE is empty.")
@click.option("--include", multiple=True, metavar="PATTERN", help="Only names that match; * also matches /.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out names that match.")
@pass_session
def command(
    session: Session,
    source: str,
    target: str,
    delete: bool,
    dry_run: bool,
    size_only: bool,
    yes: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Make TARGET the same as SOURCE: one is a folder here, the other a bucket or a folder in one.

    What differs in size or checksum is transferred; done twice, nothing is. Every file and object is there
    whole or not at all, at any moment.
    """
    if is_uri(source) == is_uri(target):
        raise CliError("one of the two must be a URI, the other a folder here", USAGE)
    patterns = Patterns(include, exclude)
    sync(session, source, target, patterns, delete=delete, dry_run=dry_run, size_only=size_only, yes=yes)
