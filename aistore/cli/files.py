"""Files on this machine: what is in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from aistore._files import is_part
from aistore.cli.exits import CliError


def regular_files(root: Path, skipped: Callable[[str], None]) -> Iterator[tuple[str, Path]]:
    """Yield the names, with slashes, and paths of the files below a folder, if it is there.

    Links to files are followed, those to folders are not.

    Args:
        root: The folder.
        skipped: Told of what is left out.

    Raises:
        CliError: A folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise CliError(f"{error.filename}: {error.strerror}")

    for folder, folders, names in os.walk(root, onerror=fail) if root.exists() else ():
        folders.sort()
        for name in folders:
            if Path(folder, name).is_symlink():
                skipped(f"left out: {Path(folder, name)} (a link to a folder)")
        for name in sorted(names):
            path = Path(folder, name)
            if is_part(name):
                continue
            if path.is_file():
                yield path.relative_to(root).as_posix(), path
            else:
                skipped(f"left out: {path} ({'a link to nothing' if path.is_symlink() else 'not a file'})")
