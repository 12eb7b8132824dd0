"""`aistore serve`: the single-machine AIStore, with the options of `python -m aistore.local`."""

from __future__ import annotations

import signal

import click

from aistore.cli import standard_streams


@click.command(
    name="serve",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run a single-machine AIStore here."""
    from aistore.local.__main__ import main

    # A server works without the streams that it tells its address on.
    standard_streams.ignore_closed()
    # The server stops in its own way on these.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return main(arguments, "aistore serve")
