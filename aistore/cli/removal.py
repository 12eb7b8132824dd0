"""Removing objects, and asking before it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistore.cli import interrupt
from aistore.cli.exits import USAGE, CliError
from aistore.cli.progress import Meter
from aistore.cli.transfer import WORKERS

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal whether to go on; elsewhere `--yes` has said so.

    Raises:
        CliError: The answer is no (exit code 1), or nobody can be asked (exit code 2).
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CliError(f"{question} There is no terminal to ask on: add --yes", USAGE)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("nothing was removed")


def remove_objects(session: Session, bucket: Uri, names: Sequence[str]) -> None:
    """Remove objects of a bucket, several at a time; one that is gone already is no failure."""
    from aistore.sdk.errors import ErrObjNotFound
    from aistore.sdk.parallel import ordered_map

    where = bucket.of(session.client)

    def remove(name: str) -> None:
        interrupt.check()
        with contextlib.suppress(ErrObjNotFound):
            where.object(name).delete()
        meter.add_object()

    with Meter(session.out, "rm", total_objects=len(names), shown=len(names) > 1) as meter:
        for _ in ordered_map(remove, names, WORKERS):
            pass
