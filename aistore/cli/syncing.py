"""What a synchronisation does: compare both sides by size and checksum, then transfer and remove."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aistore._files import ErrNotAFile, Folder
from aistore.cli import interrupt
from aistore.cli.downloads import checksum_type, download_all
from aistore.cli.exits import NOT_FOUND, USAGE, CliError
from aistore.cli.files import regular_files
from aistore.cli.progress import Meter
from aistore.cli.removal import remove_objects
from aistore.cli.selection import Patterns, Selected, select
from aistore.cli.text import human_size, plural
from aistore.cli.transfer import CHUNK, WORKERS
from aistore.cli.uploads import upload_all
from aistore.cli.uri import Uri, is_uri, parse_uri

if TYPE_CHECKING:
    from aistore.cli.session import Session


class Change(NamedTuple):
    """Something to do (`upload`, `download`, `delete`): the name below both folders, and the bytes moved."""

    action: str
    name: str
    size: int


class Sides(NamedTuple):
    """Both sides as they are: files and objects by their names below the folders."""

    folder: Folder
    uri: Uri
    files: dict[str, Path]
    objects: dict[str, Selected]


def sync(
    session: Session,
    source: str,
    target: str,
    patterns: Patterns,
    *,
    delete: bool,
    dry_run: bool,
    size_only: bool,
    yes: bool,
) -> None:
    """Make the target the same as the source; see `aistore sync --help` for the options."""
    upload = is_uri(target)
    uri, root = parse_uri(target if upload else source), Path(source if upload else target)
    if not uri.bucket:
        raise CliError(f"{uri} names no bucket", USAGE)
    if root.exists() and not root.is_dir():
        raise CliError(f"{root} is not a folder", USAGE)
    if upload and not root.exists():
        raise CliError(f"{root}: there is no such folder", NOT_FOUND)
    sides = _look(session, uri, root, patterns)
    here, there = (sides.files, sides.objects) if upload else (sides.objects, sides.files)
    if delete and there and not here and not yes and not dry_run:
        raise CliError(
            f"{source} is empty: --delete would remove all of {target} ({len(there):,}); add --yes to do so",
            USAGE,
        )
    changes = list(_compare(session, sides, upload=upload, size_only=size_only))
    if delete:
        changes += [Change("delete", name, 0) for name in there if name not in here]
    unfit = {} if dry_run else _carry_out(session, sides, changes, upload=upload)
    _report(session, (change for change in changes if change.name not in unfit), dry_run=dry_run)
    if unfit:
        raise ErrNotAFile(unfit, str(root))


def _look(session: Session, uri: Uri, root: Path, patterns: Patterns) -> Sides:
    objects = {one.relative: one for one in select(session, uri, patterns, "name,size,checksum")}
    files = {name: path for name, path in regular_files(root, session.out.note) if patterns.match(name)}
    return Sides(Folder(root), uri, files, objects)


def _compare(session: Session, sides: Sides, *, upload: bool, size_only: bool) -> Iterator[Change]:
    """Yield what has to be transferred."""
    action = "upload" if upload else "download"
    sizes = {name: path.stat().st_size for name, path in sides.files.items()}
    same_size = []
    for name in sides.files if upload else sides.objects:
        size = sizes[name] if upload else sides.objects[name].entry.size
        if name in sizes and name in sides.objects and sizes[name] == sides.objects[name].entry.size:
            same_size.append(name)
        else:
            yield Change(action, name, size)
    if same_size and not size_only:
        differing = _differing(session, sides, same_size, sum(sizes[name] for name in same_size))
        yield from (Change(action, name, sizes[name]) for name in differing)


def _differing(session: Session, sides: Sides, names: list[str], total: int) -> Iterator[str]:
    """Yield which of the files of the same size have another checksum than the object."""
    from aistore.sdk.parallel import ordered_map
    from aistore.wire.checksums import new_hasher

    kind = checksum_type(session, sides.uri)
    if new_hasher(kind) is None:
        session.out.note(
            f"{sides.uri.below('')} keeps no checksums: all files are transferred; see --size-only"
        )
        yield from names
        return

    def differs(name: str) -> bool:
        hasher = new_hasher(kind)
        assert hasher is not None
        with sides.files[name].open("rb") as file:
            while piece := file.read(CHUNK):
                interrupt.check()
                hasher.update(piece)
                meter.add_bytes(len(piece))
        meter.add_object()
        return hasher.hexdigest() != sides.objects[name].entry.checksum.lower()

    with Meter(session.out, "compare", total_bytes=total, total_objects=len(names)) as meter:
        for name, is_other in zip(names, ordered_map(differs, names, WORKERS), strict=True):
            if is_other:
                yield name


def _report(session: Session, changes: Iterable[Change], *, dry_run: bool) -> None:
    for change in changes:
        if session.json:
            session.out.record({**change._asdict(), "done": not dry_run})
        elif dry_run:
            session.out.line(f"{change.action} {change.name}")


def _carry_out(session: Session, sides: Sides, changes: list[Change], *, upload: bool) -> dict[str, str]:
    """Do what has to be done, and return which objects cannot be files, and why."""
    uploads = [change.name for change in changes if change.action == "upload"]
    downloads = [change for change in changes if change.action == "download"]
    gone = [change.name for change in changes if change.action == "delete"]
    total = sum(change.size for change in changes)
    if uploads:
        plan = [(sides.files[name], sides.uri.folder + name) for name in uploads]
        upload_all(session, plan, sides.uri, note=False)
    unfit: dict[str, str] = {}
    if downloads:
        work = [sides.objects[one.name] for one in downloads]
        with Meter(session.out, "get", total_bytes=total, total_objects=len(work)) as meter:
            unfit = download_all(sides.uri, session, sides.folder, work, meter)
    # What is not there any more goes last: a synchronisation that stops early has lost nothing.
    if upload and gone:
        remove_objects(session, sides.uri, [sides.uri.folder + name for name in gone])
    elif gone:
        sides.folder.remove(gone)
    moved = [change for change in changes if change.action != "delete" and change.name not in unfit]
    size = human_size(sum(change.size for change in moved))
    session.out.note(f"{plural(len(moved), 'file')} ({size}) transferred, {len(gone):,} removed")
    return unfit
