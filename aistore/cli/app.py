"""The command `aistore`: its commands, and how a run begins and ends."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from aistore.cli import exits, interrupt, standard_streams
from aistore.cli.command import Group
from aistore.cli.session import Session
from aistore.cli.text import neutralise, one_line
from aistore.version import __version__

_PACKAGE = "aistore.cli.commands"
COMMANDS = {
    "serve": "Run a single-machine AIStore here.",
    "ls": "List buckets, or objects of a bucket.",
    "put": "Upload files, folders or standard input.",
    "get": "Download objects, or write one to standard output.",
    "cat": "Write objects to standard output.",
    "head": "Show the properties of an object.",
    "cp": "Copy objects within the cluster, to it or from it.",
    "mv": "Move objects within the cluster, to it or from it.",
    "rm": "Remove objects.",
    "sync": "Make a folder or bucket the same as another, by checksum.",
    "bucket": "Create, remove, inspect and copy buckets.",
    "job": "List, watch, start and stop jobs.",
    "etl": "Start, try, run and remove ETLs.",
    "dsort": "Sort and reshard archives.",
    "batch": "Read many objects with one request.",
    "cluster": "Show nodes, health and load.",
    "auth": "Log in and out; manage users, roles and clusters.",
    "completion": "Print a script that completes commands in your shell.",
}


@click.group(
    cls=Group,
    lazy={name: (f"{_PACKAGE}.{name}", text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=(
        "aistore serve --dir ./ais-data                  a cluster on this machine",
        "export AIS_ENDPOINT=http://localhost:8080",
        "aistore bucket create ais://images",
        "aistore put -r ./photos ais://images/2026/",
        "aistore ls -l ais://images/2026/",
        "aistore get ais://images/2026/cat.jpg",
        "aistore cat ais://images/list.txt | head",
    ),
)
@click.version_option(__version__, message="aistore %(version)s")
def cli() -> None:
    """Work with an AIStore cluster from a shell.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not permitted, 5 no answer,
    124 --max-time, 130 Ctrl-C.
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What follows the command's name.
    """
    session = Session()
    try:
        interrupt.install()
        standard_streams.replace_closed()
        if "_AISTORE_COMPLETE" in os.environ:
            from aistore.cli import completion

            completion.register()
        result = cli.main(list(arguments), prog_name="aistore", standalone_mode=False, obj=session)
        session.out.flush()
        code = result if isinstance(result, int) else 0
    except (click.Abort, KeyboardInterrupt, exits.Interrupted):
        code = interrupt.exit_code()
        limit = f": not done in {session.max_time:g} s (--max-time)" if code == exits.TIME_IS_UP else ""
        _say(f"aistore: stopped{limit}")
    except SystemExit as stop:  # from the parser of `aistore serve`
        code = stop.code if isinstance(stop.code, int) else exits.FAILURE
    except exits.OutputClosed:
        code = exits.OUTPUT_CLOSED
    except click.ClickException as error:
        code = _refuse(error)
    except Exception as error:  # noqa: BLE001 - the one place where errors become words
        code = _fail(error, session)
    finally:
        interrupt.end_limit()
    _close_output()
    return code


def _refuse(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say(error.format_message())
        return error.exit_code
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "aistore"
    _say(f"{path}: {one_line(error.format_message())}")
    if context is not None:
        _say(f"Try '{path} --help'.")
    return error.exit_code


def _fail(error: Exception, session: Session) -> int:
    code, message = exits.explain(error)
    if session.debug:
        sys.stderr.write(neutralise(traceback.format_exc(), keep="\n\t"))
    _say(f"aistore: {neutralise(message)}")
    return code


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _close_output() -> None:
    # What the interpreter would flush at its end fails without a word when nobody reads it.
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
