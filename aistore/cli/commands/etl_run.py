"""`aistore etl run`: an ETL class tried on this machine."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from aistore._files import followed, replacing
from aistore.cli.command import Command
from aistore.cli.etl_class import load_class
from aistore.cli.exits import NOT_FOUND, CliError
from aistore.cli.params import LOCATION
from aistore.cli.session import Session, pass_session
from aistore.cli.uri import is_uri, parse_object


@click.command(
    name="run",
    cls=Command,
    examples=(
        "aistore etl run shout.py:Shout hello.txt",
        "echo hello | aistore etl run shout.py:Shout -",
        "aistore etl run shout.py:Shout ais://texts/1.txt --output loud.txt",
    ),
)
@click.argument("source", metavar="FILE:CLASS")
@click.argument("data", metavar="INPUT", type=LOCATION)
@click.option("--etl-args", default="", metavar="TEXT", help="Arguments for the transform.")
@click.option("-o", "--output", metavar="FILE", help="Where the result goes (default: standard output).")
@pass_session
def run(session: Session, source: str, data: str, etl_args: str, output: str | None) -> None:
    """Run a class's transform here, on a file, an object, a URL or standard input (-)."""
    from aistore.sdk.etl.webserver.trial import try_transform

    # What the class prints is no part of the result.
    with contextlib.redirect_stdout(sys.stderr):
        cls = load_class(source)
    path = ""
    content: bytes | str | Path
    if data == "-":
        content = sys.stdin.buffer.read()
    elif data.startswith(("http://", "https://")):
        content = data
    elif is_uri(data):
        where = parse_object(data)
        content = b"".join(where.object_of(session.client).get_reader())
        path = f"{where.bucket}/{where.name}"
    else:
        content = Path(data)
        if not content.is_file():
            raise CliError(f"{data}: there is no such file", NOT_FOUND)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            result = try_transform(cls, content, path, etl_args)
    except Exception as error:
        raise CliError(f"{cls.__name__}.transform raised {type(error).__name__}: {error}") from error
    if output is None:
        session.out.write(result)
        session.out.flush()
    else:
        with replacing(followed(output)) as file:
            file.write(result)
