"""Promote: files of this machine become objects (protocol/03)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aistore.local.api import access
from aistore.local.api.response import Response, text_response
from aistore.local.errors import InvalidRequest, LocalError, ObjectChanged
from aistore.local.names import check_object_name
from aistore.local.store import unchanged
from aistore.sdk.models.prepare import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.jobs import Job
    from aistore.local.state import State


class _PromoteMsg(msgspec.Struct):
    """What to promote; `tid` and `notshr` mean nothing on one machine."""

    src: str = ""
    obj: str = ""
    recursive: bool = msgspec.field(default=False, name="rcr")
    overwrite: bool = msgspec.field(default=False, name="ovw")
    delete: bool = msgspec.field(default=False, name="dls")


async def _promote(req: Request, bucket: Bucket, _name: str, msg: ActionMsg) -> Response:
    access.check_access(bucket, access.PROMOTE)
    try:
        asked = msgspec.convert(msg.value or {}, prepared(_PromoteMsg))
    except msgspec.ValidationError as err:
        raise InvalidRequest(f"{req.node.label}: failed to unmarshal promote, err: {err}") from err
    source = _source(req.state, asked.src or msg.name)
    if source.is_file():
        # One file is there when the answer is: there is no job to wait for.
        await req.run(
            req.state.copying, _promote_file, req.state, bucket, source, _name_of(source, asked), asked
        )
        return Response()
    what = f"promote {source} to {bucket.bck}"
    job = req.state.jobs.start(
        "promote", lambda job: _run(req.state, job, bucket, source, asked), bck=bucket.bck, what=what
    )
    return text_response(job.id)


def _source(state: State, text: str) -> Path:
    """The file or folder, which must be below the one folder that promoting is allowed from.

    Raises:
        InvalidRequest: It is elsewhere, also by way of a symbolic link.
        LocalError: 404, it is not there.
    """
    root = state.options.promote_dir
    path = Path(text)
    if not path.is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise InvalidRequest(
            f'invalid promote source "{text}": must be under {root}', tcode="errInvalidPromoteSource"
        )
    if not path.exists():
        raise LocalError(f"stat {text}: no such file or directory", status=404, tcode="PathError")
    return path


def _name_of(file: Path, asked: _PromoteMsg) -> str:
    return f"{asked.obj}{file.name}" if asked.obj.endswith("/") or not asked.obj else asked.obj


def _files(source: Path, asked: _PromoteMsg) -> Iterator[tuple[Path, str]]:
    """Files of a folder and the names of the objects that they become. Links are not followed."""
    prefix = f"{asked.obj.rstrip('/')}/" if asked.obj else ""
    for folder, folders, names in os.walk(source):
        if not asked.recursive:
            folders.clear()
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path, prefix + path.relative_to(source).as_posix()


def _promote_file(
    state: State, bucket: Bucket, path: Path, name: str, asked: _PromoteMsg
) -> ObjectMeta | None:
    """The object that was made of a file, None if there was one already."""
    check_object_name(name)
    if not asked.overwrite and state.store.exists(bucket, name):
        return None
    with path.open("rb") as file, state.store.writer(bucket, name) as writer:
        writer.write_from(file.fileno())
        condition = None if asked.overwrite else unchanged(bucket, name, None)
        try:
            meta = writer.commit(only_if=condition)
        except ObjectChanged:
            return None
    if asked.delete:
        path.unlink()
    return meta


def _run(state: State, job: Job, bucket: Bucket, source: Path, asked: _PromoteMsg) -> None:
    for path, name in _files(source, asked):
        job.check()
        try:
            meta = _promote_file(state, bucket, path, name, asked)
            if meta is not None:
                place = state.store.place(bucket.bck, name)
                job.moved(place, place, meta.size)
        except LocalError as err:
            job.failed(err.message, full_name=f"{bucket.bck}/{name}", code=err.status)


def register(state: State) -> None:
    """Add the action."""
    state.registry.named_actions["promote"] = _promote
