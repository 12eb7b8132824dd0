"""Which objects a recursive command means: those below a folder, narrowed by patterns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from aistore.cli.exits import NOT_FOUND, CliError

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri
    from aistore.sdk.models.listing import BucketEntry

F = TypeVar("F", bound=Callable[..., Any])


class Patterns(NamedTuple):
    """Shell patterns for names below the folder; `*` also matches `/`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def match(self, name: str) -> bool:
        """Return whether a name is wanted."""
        if self.include and not any(fnmatchcase(name, pattern) for pattern in self.include):
            return False
        return not any(fnmatchcase(name, pattern) for pattern in self.exclude)


def pattern_options(function: F) -> F:
    """Add `--include` and `--exclude` to a command."""
    text = "names below the folder that match PATTERN, in which * also matches /."
    function = click.option("--exclude", multiple=True, metavar="PATTERN", help=f"With -r: leave out {text}")(
        function
    )
    return click.option("--include", multiple=True, metavar="PATTERN", help=f"With -r: only {text}")(function)


class Selected(NamedTuple):
    """An object, and its name below the folder that was asked for."""

    entry: BucketEntry
    relative: str


def select(session: Session, uri: Uri, patterns: Patterns, props: str = "name,size") -> Iterator[Selected]:
    """Yield the objects below a folder: `ais://b/a` means `a/...`, never `ab`.

    Args:
        session: The run.
        uri: The bucket or folder.
        patterns: What to leave out.
        props: Properties to list.
    """
    folder = uri.folder
    for entry in uri.of(session.client).list_objects_iter(prefix=folder, props=props, prefetch=True):
        relative = entry.name[len(folder) :]
        if relative and patterns.match(relative):
            yield Selected(entry, relative)


def select_all(session: Session, uri: Uri, patterns: Patterns, props: str = "name,size") -> list[Selected]:
    """Return what `select` yields.

    Raises:
        CliError: There is nothing (exit code 3).
    """
    found = list(select(session, uri, patterns, props))
    if not found and uri.name:
        raise CliError(
            f"there is nothing below {uri.below(uri.folder)} (an object is named without -r)", NOT_FOUND
        )
    return found


@contextlib.contextmanager
def folder_hint(session: Session, uri: Uri) -> Iterator[None]:
    """Say that a name is a folder when there is no object of that name but some below it.

    Raises:
        CliError: That is so (exit code 3).
    """
    from aistore.sdk.errors import ErrObjNotFound

    try:
        yield
    except ErrObjNotFound:
        if uri.of(session.client).list_objects(prefix=uri.folder, props="name", page_size=1).entries:
            raise CliError(f"{uri} is a folder: add -r for what is in it", NOT_FOUND) from None
        raise
