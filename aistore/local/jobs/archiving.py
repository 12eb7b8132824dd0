"""Putting many objects into one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local.archives import by_mime, keep_members, new_archive
from aistore.local.errors import InvalidRequest, NotFound, ObjectNotFound
from aistore.local.names import bck_from_dict, check_object_name
from aistore.local.store import unchanged
from aistore.wire.archive.formats import Format, by_name

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.jobs import Job
    from aistore.local.jobs.selection import Selection
    from aistore.local.names import Bck
    from aistore.local.state import State
    from aistore.wire.archive.writer import ArchiveWriter

_SECOND = 1_000_000_000


class ArchiveOptions(NamedTuple):
    """Options of one request.

    Attributes:
        name: Of the archive.
        kind: Its format.
        to: Its bucket.
        append: Keep the members that it has.
        with_bucket: Begin each member's name with the source bucket's.
        base_only: Drop the directories of the members' names.
        keep_going: Make the archive without the objects that are missing.
    """

    name: str
    kind: Format
    to: Bck
    append: bool = False
    with_bucket: bool = False
    base_only: bool = False
    keep_going: bool = False

    def member_name(self, bck: Bck, name: str) -> str:
        """An object's name in the archive."""
        if self.base_only:
            name = name.rpartition("/")[2]
        return f"{bck.name}/{name}" if self.with_bucket else name


def parse_archive_options(value: Any, source: Bck) -> ArchiveOptions:
    """The options in the value of the action.

    Raises:
        InvalidRequest: No archive name, or one whose format is unknown or contradicts `mime`.
    """
    if not isinstance(value, dict):
        raise InvalidRequest(f"archive: expecting an object with options, got {value!r}")
    name, mime = value.get("archname") or "", value.get("mime") or ""
    if not isinstance(name, str) or not isinstance(mime, str) or not name:
        raise InvalidRequest("archive: archname, the name of the archive, is missing")
    check_object_name(name)
    wanted = by_mime(mime) if mime else None
    kind = by_name(name)
    if kind is None:
        raise InvalidRequest(
            f'archive: unknown file extension in "{name}", expecting .tar, .tgz, .tar.gz, .zip or .tar.lz4',
            tcode="errUnknownFileExt",
        )
    if wanted is not None and wanted is not kind:
        raise InvalidRequest(f'mime mismatch "{mime}" vs "{kind.value}"')
    return ArchiveOptions(
        name=name,
        kind=kind,
        to=bck_from_dict(value["tobck"]) if value.get("tobck") else source,
        append=bool(value.get("aate")),
        with_bucket=bool(value.get("isbn")),
        base_only=bool(value.get("bnonly")),
        keep_going=bool(value.get("coer")),
    )


def archive_selected(
    state: State, src: Bucket, dst: Bucket, selection: Selection, options: ArchiveOptions
) -> Job:
    """Start to make the archive; it appears when it is complete, or not at all."""
    what = f"arch {src.bck}=>{dst.bck}/{options.name}"
    return state.jobs.start(
        "archive",
        lambda job: _archive(state, job, src, dst, selection, options),
        bck=src.bck,
        src=src.bck,
        dst=dst.bck,
        what=what,
        names=len(selection.names),
    )


def _archive(
    state: State, job: Job, src: Bucket, dst: Bucket, selection: Selection, options: ArchiveOptions
) -> None:
    with state.locks.hold(f"{dst.id}/{options.name}"), state.store.writer(dst, options.name) as writer:
        archive = new_archive(options.kind, writer.write)
        condition = None
        if options.append:
            before = _keep_members(state, dst, options, archive)
            condition = unchanged(dst, options.name, before)
        for name in selection.objects(state.store, src):
            job.check()
            _add(state, job, src, dst, name, options, archive)
        archive.close()
        job.check()
        writer.commit(only_if=condition)


def _keep_members(
    state: State, dst: Bucket, options: ArchiveOptions, archive: ArchiveWriter
) -> ObjectMeta | None:
    """Copy the members of the archive there is; returns what it was, None if there is none."""
    try:
        old = state.store.open(dst, options.name)
    except ObjectNotFound:
        return None
    with old:
        keep_members(archive, old, options.kind)
        return old.meta


def _add(
    state: State,
    job: Job,
    src: Bucket,
    dst: Bucket,
    name: str,
    options: ArchiveOptions,
    archive: ArchiveWriter,
) -> None:
    store = state.store
    try:
        reader = store.open(src, name)
    except NotFound as err:
        place = state.nodes.targets[store.place(src.bck, name)]
        message = f"{place.label}: {err.message}"
        if not options.keep_going:
            raise NotFound(message) from err
        job.failed(message, full_name=f"{src.bck}/{name}", code=404)
        return
    with reader:
        meta = reader.meta
        archive.add(
            options.member_name(src.bck, name), meta.size, reader.chunks(), mtime=meta.mtime // _SECOND
        )
        job.moved(store.place(src.bck, name), store.place(dst.bck, options.name), meta.size)
