"""Objects to files: where each goes, and many at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aistore.cli.exits import NOT_FOUND, CliError
from aistore.cli.files import Folder
from aistore.cli.progress import Meter
from aistore.cli.selection import Patterns, Selected, folder_hint, select_all
from aistore.cli.text import human_size, plural
from aistore.cli.transfer import WORKERS, get_file, has_checksum

if TYPE_CHECKING:
    from aistore.cli.session import Session
    from aistore.cli.uri import Uri


def destination(name: str, dest: str | None) -> Path:
    """Return the file that an object becomes.

    Args:
        name: Name of the object.
        dest: A file, a folder that is there, or one written with a slash at the end. Default: here.

    Raises:
        CliError: The folder is not there, or the name cannot be that of a file.
    """
    path = Path(dest) if dest else Path()
    if dest is None or dest.endswith(os.sep) or path.is_dir():
        if not path.is_dir():
            raise CliError(f"{path}: there is no such folder", NOT_FOUND)
        return Folder(path).path_of(name.rsplit("/", 1)[-1])
    if not path.parent.is_dir():
        raise CliError(f"{path.parent}: there is no such folder", NOT_FOUND)
    # What a link leads to is written, not the link replaced.
    return path.resolve() if path.is_symlink() else path


def get_one(session: Session, where: Uri, path: Path) -> None:
    """Download one object to a file, with progress.

    Raises:
        CliError: It is a folder (exit code 3).
    """
    obj = where.object_of(session.client)
    with folder_hint(session, where):
        props = obj.head("size,checksum,version")
    with Meter(session.out, f"get {where.name}", total_bytes=props.size) as meter:
        get_file(obj, path, meter, validate=has_checksum(props))


def download_folder(session: Session, uri: Uri, root: Path, patterns: Patterns) -> list[Selected]:
    """Download the objects below a folder of a bucket; the first failure ends it.

    Args:
        session: The run.
        uri: The bucket or folder.
        root: The folder here, made if need be.
        patterns: Which objects.

    Returns:
        What was downloaded.
    """
    chosen = select_all(session, uri, patterns, "name,size,checksum")
    folder = Folder(root)
    paths = [folder.path_of(one.relative) for one in chosen]  # all names are looked at before a byte comes
    if root.exists() and not root.is_dir():
        raise CliError(f"{root} is not a folder")
    total = sum(one.entry.size for one in chosen)
    with Meter(session.out, "get", total_bytes=total, total_objects=len(chosen)) as meter:
        download_all(uri, session, folder, list(zip(chosen, paths, strict=True)), meter)
    session.out.note(f"{plural(len(chosen), 'object')}, {human_size(total)} -> {root}")
    return chosen


def download_all(
    uri: Uri, session: Session, folder: Folder, work: list[tuple[Selected, Path]], meter: Meter
) -> None:
    """Download objects to files, several at a time."""
    from aistore.sdk.parallel import ordered_map
    from aistore.wire.checksums import new_hasher

    bucket = uri.of(session.client)
    kept = new_hasher(checksum_type(session, uri)) is not None

    def fetch(item: tuple[Selected, Path]) -> None:
        one, path = item
        folder.prepare(path)
        get_file(bucket.object(one.entry.name), path, meter, validate=kept and bool(one.entry.checksum))

    for _ in ordered_map(fetch, work, WORKERS):
        pass


def checksum_type(session: Session, uri: Uri) -> str:
    """Return the type of the checksums that a bucket's objects have, or "none"."""
    import json

    from aistore.sdk.const import HEADER_BUCKET_PROPS

    text = uri.of(session.client).head().get(HEADER_BUCKET_PROPS, "{}")
    return str(json.loads(text).get("checksum", {}).get("type", "none"))
