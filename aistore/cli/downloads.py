"""Objects to files: where each goes, and many at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aistore._files import ErrNotAFile, Folder, followed, remove_parts, replacing
from aistore.cli.exits import NOT_FOUND, CliError
from aistore.cli.progress import Meter
from aistore.cli.selection import Patterns, Selected, folder_hint, select_all
from aistore.cli.text import human_size, plural
from aistore.cli.transfer import WORKERS, get_file

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri


def destination(name: str, dest: str | None) -> Path:
    """Return the file that an object becomes.

    Args:
        name: Name of the object.
        dest: A file, a folder that is there, or one written with a slash at the end. Default: here.

    Raises:
        CliError: The folder is not there.
        ErrNotAFile: The name cannot be that of a file.
    """
    path = Path(dest) if dest else Path()
    if dest is None or dest.endswith(os.sep) or path.is_dir():
        if not path.is_dir():
            raise CliError(f"{path}: there is no such folder", NOT_FOUND)
        base = name.rsplit("/", 1)[-1]
        unfit = Folder(path).unfit([base])
        if unfit:
            raise ErrNotAFile(unfit, str(path))
        return path / base
    if not path.parent.is_dir():
        raise CliError(f"{path.parent}: there is no such folder", NOT_FOUND)
    # What a link that the user names leads to is written, not the link replaced.
    return Path(followed(path))


def get_one(session: Session, where: Uri, path: Path) -> None:
    """Download one object to a file, with progress.

    Raises:
        CliError: It is a folder (exit code 3).
    """
    obj = where.object_of(session.client)
    with folder_hint(session, where):
        props = obj.head()
    with Meter(session.out, f"get {where.name}", total_bytes=props.size) as meter:
        get_file(obj, lambda: replacing(path), meter)
    remove_parts([path])


def download_folder(session: Session, uri: Uri, root: Path, patterns: Patterns) -> list[Selected]:
    """Download the objects below a folder of a bucket; the first failure ends it.

    Args:
        session: The run.
        uri: The bucket or folder.
        root: The folder here, made if need be.
        patterns: Which objects.

    Returns:
        What was downloaded.

    Raises:
        ErrNotAFile: Some objects cannot be files; all others were downloaded.
    """
    chosen = select_all(session, uri, patterns, "name,size")
    if root.exists() and not root.is_dir():
        raise CliError(f"{root} is not a folder")
    total = sum(one.entry.size for one in chosen)
    with Meter(session.out, "get", total_bytes=total, total_objects=len(chosen)) as meter:
        unfit = download_all(uri, session, Folder(root), chosen, meter)
    done = [one.entry.size for one in chosen if one.relative not in unfit]
    session.out.note(f"{plural(len(done), 'object')}, {human_size(sum(done))} -> {root}")
    if unfit:
        raise ErrNotAFile(unfit, str(root))
    return chosen


def download_all(
    uri: Uri, session: Session, folder: Folder, work: list[Selected], meter: Meter
) -> dict[str, str]:
    """Download objects to files, several at a time, and return which cannot be files, and why."""
    from aistore.sdk.parallel import ordered_map

    bucket = uri.of(session.client)
    unfit = folder.unfit(one.relative for one in work)

    def fetch(one: Selected) -> None:
        try:
            get_file(bucket.object(one.entry.name), lambda: folder.replacing(one.relative), meter)
        except ErrNotAFile as err:
            unfit.update(err.names)

    for _ in ordered_map(fetch, [one for one in work if one.relative not in unfit], WORKERS):
        pass
    remove_parts(Path(folder.root, one.relative) for one in work if one.relative not in unfit)
    return dict(sorted(unfit.items()))


def checksum_type(session: Session, uri: Uri) -> str:
    """Return the type of the checksums that a bucket's objects have, or "none"."""
    from aistore.sdk.obj.put_check import checksum_type_of

    return checksum_type_of(uri.of(session.client).head())
