"""Files to objects: which name each gets, and many at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aistore.cli.exits import NOT_FOUND, USAGE, CliError
from aistore.cli.files import regular_files
from aistore.cli.progress import Meter
from aistore.cli.selection import Patterns
from aistore.cli.text import human_size, plural
from aistore.cli.transfer import CHUNK, WORKERS, put_file, put_stream
from aistore.cli.uri import is_uri

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri


def put_standard_input(session: Session, where: Uri) -> None:
    """Upload standard input as an object."""
    if not where.name or where.name.endswith("/"):
        example = where.below(f"{where.folder}NAME")
        raise CliError(f"standard input has no name: give the object one, as {example}", USAGE)
    first = sys.stdin.buffer.read(CHUNK)  # before any request: a stream that cannot be read changes nothing
    with Meter(session.out, f"put {where.name}", shown=not sys.stdin.isatty()) as meter:
        put_stream(where.object_of(session.client), first, sys.stdin.buffer, meter)
    session.out.note(f"standard input -> {where}")


def plan_uploads(
    session: Session, sources: Sequence[str], where: Uri, recursive: bool, patterns: Patterns
) -> list[tuple[Path, str]]:
    """Return the files and the names that they get; nothing is uploaded yet.

    Raises:
        CliError: A source is missing, a folder without `-r`, or two files would get the same name.
    """
    from aistore.wire.names import check_object_name

    several = len(sources) > 1
    if several and where.name and not where.name.endswith("/"):
        raise CliError(f"several files need a folder or bucket: {where}/", USAGE)
    plan: list[tuple[Path, str]] = []
    for source in sources:
        path = Path(source)
        if is_uri(source):
            raise CliError(f"{source}: not a file; objects are copied by `aistore cp`", USAGE)
        if path.is_dir():
            if not recursive:
                raise CliError(f"{path} is a folder: add -r to upload the files in it", USAGE)
            plan += _folder(session, path, where, patterns)
        elif not path.exists():
            raise CliError(f"{path}: there is no such file", NOT_FOUND)
        else:
            is_folder = not where.name or where.name.endswith("/")
            plan.append((path, where.name + path.name if is_folder else where.name))
    taken: dict[str, Path] = {}
    for path, name in plan:
        check_object_name(name)
        if name in taken:
            raise CliError(f"{taken[name]} and {path} would both become {where.below(name)}", USAGE)
        taken[name] = path
    return plan


def _folder(session: Session, root: Path, where: Uri, patterns: Patterns) -> list[tuple[Path, str]]:
    found = [
        (path, where.folder + name)
        for name, path in regular_files(root, session.out.note)
        if patterns.match(name)
    ]
    if not found:
        session.out.note(f"{root}: no files")
    return found


def upload_all(session: Session, plan: Sequence[tuple[Path, str]], where: Uri, *, note: bool = True) -> None:
    """Upload files, several at a time; the first failure ends it.

    Args:
        session: The run.
        plan: Files and names.
        where: Their bucket.
        note: Sum it up on standard error. Default: `True`.
    """
    from aistore.sdk.parallel import ordered_map

    bucket = where.of(session.client)
    total = sum(path.stat().st_size for path, _ in plan)
    one = len(plan) == 1
    what = f"put {plan[0][0].name}" if one else "put"

    def upload(item: tuple[Path, str]) -> None:
        path, name = item
        put_file(bucket.object(name), path, meter)

    with Meter(
        session.out, what, total_bytes=total or None, total_objects=None if one else len(plan)
    ) as meter:
        for _ in ordered_map(upload, plan, WORKERS):
            pass
    if note and plan:
        target = where.below(plan[0][1]) if one else where
        session.out.note(f"{plural(len(plan), 'file')}, {human_size(total)} -> {target}")
