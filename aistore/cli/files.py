"""Files on this machine: written whole or not at all, found without following links out of a folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from aistore.cli import interrupt
from aistore.cli.exits import CliError

PART_PREFIX = ".aistore-"
PART_SUFFIX = ".part"


def is_part(name: str) -> bool:
    """Return whether a file's name is that of one that is being downloaded."""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which is at `path` only once it is whole.

    A device or pipe at `path` is written to directly.

    Args:
        path: The file; its folder must exist.
    """
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise CliError(f"{path} is a folder")
        with path.open("wb") as special:
            yield special
        return
    part = path.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}")
    interrupt.add_unfinished(part)
    try:
        with part.open("xb") as file:
            yield file
        finish(part, path)
    finally:
        part.unlink(missing_ok=True)
        interrupt.remove_unfinished(part)


def finish(part: Path, path: Path) -> None:
    """Give a whole file its name; it keeps the permissions of the one that it replaces."""
    with contextlib.suppress(FileNotFoundError):
        part.chmod(stat.S_IMODE(path.stat().st_mode))
    part.replace(path)


class Folder:
    """A folder that names from a cluster become files in, and nowhere else.

    Args:
        root: The folder; it need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = os.path.realpath(root)
        self._checked: set[str] = set()

    def path_of(self, name: str) -> Path:
        """Return the path for a name with slashes.

        Raises:
            CliError: The name would lead out of the folder, or cannot be that of a file.
        """
        parts = name.split("/")
        if not name or any(part in ("", ".", "..") for part in parts) or "\0" in name:
            raise CliError(f"the object {name!r} cannot be a file below {self.root}; --exclude leaves it out")
        if os.sep != "/" and (os.sep in name or ":" in name):
            raise CliError(f"the object {name!r} cannot be a file here")
        return self.root.joinpath(*parts)

    def prepare(self, path: Path) -> None:
        """Make the folder of a file, and check that it is below the root, links considered.

        Raises:
            CliError: A link leads out of the folder, or a file is where a folder must be.
        """
        parent = str(path.parent)
        if parent in self._checked:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise CliError(f"{path.parent}: a file is where a folder must be") from None
        real = os.path.realpath(parent)
        if os.path.commonpath([real, self._real_root]) != self._real_root:
            raise CliError(f"{path}: a link leads out of {self.root}")
        self._checked.add(parent)

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files, and the folders below the root that are empty for it."""
        for path in paths:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root:
                    break
                try:
                    folder.rmdir()
                except OSError:  # not empty
                    break


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
