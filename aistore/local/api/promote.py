"""Promote: files of this machine become objects (protocol/03)."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from aistore._files import Directory
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
    if await req.run(req.state.copying, _promote_single, req.state, bucket, source, asked):
        # One file is there when the answer is: there is no job to wait for.
        return Response()
    what = f"promote {source.path} to {bucket.bck}"
    job = req.state.jobs.start(
        "promote", lambda job: _run(req.state, job, bucket, source, asked), bck=bucket.bck, what=what
    )
    return text_response(job.id)


class _Source(NamedTuple):
    """A file or folder below the one folder that promoting is allowed from.

    Each part is opened below the descriptor of the one before, and no link is followed: another user may put
    one there at any moment.
    """

    root: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Its path."""
        return self.root.joinpath(*self.parts)

    @contextlib.contextmanager
    def opened(self, count: int | None = None) -> Iterator[Directory]:
        """Open the folder that it is, or that its first `count` parts lead to.

        Raises:
            LocalError: 404, it does not exist; 400, it is a link or a file.
        """
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(contextlib.closing(Directory.open(str(self.root))))
                for part in self.parts[:count]:
                    folder = stack.enter_context(contextlib.closing(folder.child(part)))
            except OSError as err:
                raise _refusal(self.path, err) from err
            yield folder


def _refusal(path: Path, err: OSError) -> LocalError:
    """The error for what cannot be opened."""
    if isinstance(err, FileNotFoundError):
        return LocalError(f"stat {path}: no such file or directory", status=404, tcode="PathError")
    return InvalidRequest(
        f'invalid promote source "{path}": {err.strerror or err}', tcode="errInvalidPromoteSource"
    )


def _source(state: State, text: str) -> _Source:
    """The file or folder that a request names.

    Raises:
        InvalidRequest: It is elsewhere, also by way of a symbolic link.
    """
    allowed = state.options.promote_dir
    path, root = Path(text), allowed.resolve()
    try:
        real = path.resolve() if path.is_absolute() else Path()
    except (OSError, RuntimeError, ValueError):  # links in a circle, or a NUL character
        real = Path()
    if not real.is_relative_to(root):
        raise InvalidRequest(
            f'invalid promote source "{text}": must be under {allowed}', tcode="errInvalidPromoteSource"
        )
    return _Source(root, real.relative_to(root).parts)


def _promote_single(state: State, bucket: Bucket, source: _Source, asked: _PromoteMsg) -> bool:
    """Promote the one file that the source is; False if it is a folder."""
    if not source.parts:
        return False
    last = source.parts[-1]
    with source.opened(len(source.parts) - 1) as folder:
        found = folder.find(last)
        if found is not None and stat.S_ISDIR(found.st_mode):
            return False
        name = f"{asked.obj}{last}" if asked.obj.endswith("/") or not asked.obj else asked.obj
        _promote_file(state, bucket, folder, last, name, asked)
    return True


def _files(folder: Directory, prefix: str, *, recursive: bool) -> Iterator[tuple[Directory, str, str]]:
    """Files of a folder, and the names of the objects that they become; what is no file is left out."""
    below = []
    for name in folder.names():
        found = folder.find(name)
        if found is not None and stat.S_ISREG(found.st_mode):
            yield folder, name, prefix + name
        elif found is not None and stat.S_ISDIR(found.st_mode) and recursive:
            below.append(name)
    for name in below:
        try:
            child = folder.child(name)
        except OSError:  # it is a folder no more
            continue
        with contextlib.closing(child):
            yield from _files(child, f"{prefix}{name}/", recursive=True)


def _promote_file(
    state: State, bucket: Bucket, folder: Directory, file_name: str, name: str, asked: _PromoteMsg
) -> ObjectMeta | None:
    """The object that was made of a file, None if there was one already.

    Raises:
        LocalError: It cannot be read, or is no regular file.
    """
    check_object_name(name)
    try:
        opened = folder.open_regular(file_name)
    except OSError as err:
        raise _refusal(Path(folder.path, file_name), err) from err
    if not asked.overwrite and state.store.exists(bucket, name):
        opened.close()
        return None
    with opened as file, state.store.writer(bucket, name) as writer:
        before = os.fstat(file.fileno())
        writer.write_from(file.fileno())
        condition = None if asked.overwrite else unchanged(bucket, name, None)
        try:
            meta = writer.commit(only_if=condition)
        except ObjectChanged:
            return None
    found = folder.find(file_name)
    # A file that was replaced or written to meanwhile is not the one that is stored.
    if asked.delete and found is not None and _version(found) == _version(before):
        folder.unlink(file_name)
    return meta


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _run(state: State, job: Job, bucket: Bucket, source: _Source, asked: _PromoteMsg) -> None:
    prefix = f"{asked.obj.rstrip('/')}/" if asked.obj else ""
    with source.opened() as root:
        for folder, file_name, name in _files(root, prefix, recursive=asked.recursive):
            job.check()
            try:
                meta = _promote_file(state, bucket, folder, file_name, name, asked)
                if meta is not None:
                    place = state.store.place(bucket.bck, name)
                    job.moved(place, place, meta.size)
            except LocalError as err:
                job.failed(err.message, full_name=f"{bucket.bck}/{name}", code=err.status)


def register(state: State) -> None:
    """Add the action."""
    state.registry.named_actions["promote"] = _promote
