"""`aistore cat`: objects to standard output."""

from __future__ import annotations

import click

from aistore.cli.command import Command
from aistore.cli.params import URI
from aistore.cli.session import Session, pass_session
from aistore.cli.streaming import reader_options, write_out
from aistore.cli.uri import parse_object


@click.command(
    name="cat",
    cls=Command,
    examples=(
        "aistore cat ais://logs/today.txt | head",
        "aistore cat --archpath 000.json ais://shards/a.tar",
        "aistore cat --etl shout-it ais://texts/1.txt",
        "aistore cat --range 0-99 ais://logs/today.txt",
    ),
)
@click.argument("uris", nargs=-1, required=True, type=URI)
@reader_options
@pass_session
def command(
    session: Session,
    uris: tuple[str, ...],
    byte_range: str | None,
    archpath: str | None,
    etl: str | None,
    etl_args: str | None,
) -> None:
    """Write objects to standard output, one after the other."""
    for uri in [parse_object(text) for text in uris]:
        write_out(session, uri, byte_range, archpath, etl, etl_args)
