"""`aistore rm`: objects and folders."""

from __future__ import annotations

import click

from aistore.cli.command import Command
from aistore.cli.params import URI
from aistore.cli.removal import confirm, remove_objects
from aistore.cli.selection import Patterns, folder_hint, pattern_options, select_all
from aistore.cli.session import Session, pass_session
from aistore.cli.text import human_size, neutralise, plural
from aistore.cli.uri import Uri, parse_object, parse_uri


@click.command(
    name="rm",
    cls=Command,
    examples=(
        "aistore rm ais://images/cat.jpg ais://images/dog.jpg",
        "aistore rm -r ais://images/2025/                     asks first",
        "aistore rm -r --yes ais://images/2025/               does not",
        "aistore rm -r --include '*.tmp' ais://images         of a whole bucket",
        "aistore bucket rm ais://images                       the bucket itself",
    ),
)
@click.argument("uris", nargs=-1, required=True, type=URI)
@click.option("-r", "--recursive", is_flag=True, help="All objects below a folder or bucket.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pattern_options
@pass_session
def command(
    session: Session,
    uris: tuple[str, ...],
    recursive: bool,
    dry_run: bool,
    yes: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Remove objects, or all that are below a folder (-r): `-r ais://b/a` means a/..., never ab."""
    if not recursive:
        for where in [parse_object(text) for text in uris]:
            if dry_run:
                _show(session, where)
            else:
                with folder_hint(session, where):
                    where.object_of(session.client).delete()
        return
    parsed = [parse_uri(text) for text in uris]
    for where in parsed:
        chosen = select_all(session, where, Patterns(include, exclude))
        names = [one.entry.name for one in chosen]
        if dry_run:
            for name in names:
                _show(session, where.below(name))
        elif names:
            size = human_size(sum(one.entry.size for one in chosen))
            below = neutralise(str(where.below(where.folder)))
            confirm(f"Remove {plural(len(names), 'object')} ({size}) below {below}?", yes=yes)
            remove_objects(session, where, names)
            session.out.note(f"{plural(len(names), 'object')} removed")


def _show(session: Session, where: Uri) -> None:
    if session.json:
        session.out.record({"uri": str(where)})
    else:
        session.out.line(str(where))
