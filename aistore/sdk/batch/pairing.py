"""Members of an answer's archive paired with the entries asked for: by order, and checked by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from aistore.errors import ErrArchiveFormat
from aistore.sdk.batch.errors import (
    ErrBatchEntryNotFound,
    ErrBatchFormat,
    ErrBatchIncomplete,
    ErrBatchMismatch,
)
from aistore.sdk.batch.types import MossIn, MossOut, MossReq, MossResp, new_result
from aistore.sdk.const import GB_MISSING_FILES_DIR
from aistore.sdk.obj.stream_errors import STREAM_ERRORS
from aistore.wire.archive.formats import ArchiveReader

_MARKER = GB_MISSING_FILES_DIR.encode() + b"/"
_REPLACED = dict.fromkeys(range(0xDC80, 0xDD00), "\ufffd")
_FAILED = "Batch entry failed on the server"


def full_name(entry: MossIn) -> str:
    """Return `bucket/object[/member]`, as errors and archives name an entry.

    Args:
        entry: It.
    """
    name = f"{_bucket(entry)}/{entry.obj_name}"
    return f"{name}/{entry.archpath}" if entry.archpath else name


def pair_members(
    reader: ArchiveReader,
    request: MossReq,
    answer: MossResp | None,
    read: Callable[[], Any] | None = None,
) -> Iterator[tuple[MossOut, bytes]]:
    """Yield every entry of the request with the bytes of its member.

    The cluster sends exactly one member for each entry, in their order. What else it does (archives that end
    early, whole objects instead of ranges) is noticed here.

    Args:
        reader: The archive.
        request: What was asked for; every entry names its bucket.
        answer: The list of entries that came with the archive, when it was not streamed.
        read: Reads the member that the archive is at. Default: `reader.read_member`.

    Raises:
        ErrBatchIncomplete: The archive has fewer members than the request has entries.
        ErrBatchMismatch: A member has the wrong name or size, or there are too many.
        ErrBatchEntryNotFound: An entry is missing, and the request did not say to continue (also an
            `ErrObjNotFound`).
        ErrBatchFormat: The archive is damaged.
    """
    entries = request.moss_in
    if answer is not None and len(answer.out) > len(entries):
        raise ErrBatchMismatch(
            f"Get-Batch answer lists {len(answer.out)} entries, {len(entries)} were asked for"
        )
    listed = answer.out if answer is not None else None
    read = read or reader.read_member
    for index, entry in enumerate(entries):
        try:
            member = reader.next_member()
            if member is None:
                raise _incomplete(entries, index)
            name, size = member
            result = _result(entry, name, size, bool(request.only_obj_name))
            if listed is not None:
                if index == len(listed):
                    raise _incomplete(entries, index)
                result = _merge(entry, result, listed[index])
            if result.err_msg is None:
                data = read()
            elif request.cont_on_err:
                data = b""
            else:
                raise ErrBatchEntryNotFound(full_name(entry), result.err_msg)
        except ErrBatchIncomplete:
            raise
        except ErrArchiveFormat as err:
            raise ErrBatchFormat(f"Get-Batch archive, at {full_name(entry)!r}: {err}") from err
        except STREAM_ERRORS as err:
            raise _incomplete(entries, index) from err
        yield result, data
    if reader.has_more_at_hand():
        raise ErrBatchMismatch(f"Get-Batch answer has more than the {len(entries)} members asked for")


def _incomplete(entries: list[MossIn], index: int) -> ErrBatchIncomplete:
    return ErrBatchIncomplete([full_name(entry) for entry in entries[index:]], len(entries))


def _result(entry: MossIn, name: bytes, size: int, only_obj_name: bool) -> MossOut:
    """Return what a streamed answer says of an entry: the member's name and size."""
    bucket = _bucket(entry)
    error = None
    if not _is_member_of(entry, bucket, name, only_obj_name):
        if not _is_missing(entry, bucket, name):
            raise ErrBatchMismatch(
                f"Get-Batch answer has {_text(name)!r} where {full_name(entry)!r} should be"
            )
        error = missing_text(entry)
    elif entry.length is not None and entry.length > 0 and size != entry.length:
        # A cluster answers a range that is out of bounds with the whole object.
        error = range_text(entry, size)
    return new_outcome(entry, error, size)


def missing_text(entry: MossIn) -> str:
    """Return what is said of an entry that is not there.

    Args:
        entry: It.
    """
    return f"{_FAILED}: {full_name(entry)} does not exist or cannot be read"


def range_text(entry: MossIn, size: int) -> str:
    """Return what is said of an entry whose range is out of bounds.

    Args:
        entry: It.
        size: How many bytes came.
    """
    wanted = "the bytes" if entry.length == -1 else f"{entry.length} bytes"
    return f"{_FAILED}: asked for {wanted} from byte {entry.start or 0} on, got {size}"


def new_outcome(entry: MossIn, error: str | None, size: int) -> MossOut:
    """Return what an answer says of an entry.

    Args:
        entry: It.
        error: Why there are no bytes; `None` when there are.
        size: How many there are.
    """
    opaque = None if entry.opaque is None else entry.opaque_bytes()
    return new_result(
        entry.obj_name,
        _bucket(entry),
        entry.provider or "",
        entry.archpath or "",
        opaque,
        error,
        0 if error else size,
    )


def _merge(entry: MossIn, result: MossOut, listed: MossOut) -> MossOut:
    """Return what the answer's list says of an entry, checked against the entry and its member."""
    names = {(entry.obj_name, entry.archpath or "")}
    if entry.archpath:  # a target that is not the one that makes the archive joins the two
        names.add((f"{entry.obj_name}/{entry.archpath}", ""))
        names.add((f"{entry.obj_name}/{entry.archpath.removeprefix('/')}", ""))
    if listed.err_msg is not None:
        names |= {(name.translate(_REPLACED), path.translate(_REPLACED)) for name, path in names}
    if (listed.obj_name, listed.archpath or "") not in names or listed.bucket != _bucket(entry):
        name = f"{listed.bucket}/{listed.obj_name}" + (f"/{listed.archpath}" if listed.archpath else "")
        raise ErrBatchMismatch(f"Get-Batch answer lists {name!r} where {full_name(entry)!r} should be")
    if listed.err_msg is None and result.err_msg is None and listed.size != result.size:
        raise ErrBatchMismatch(
            f"Get-Batch answer lists {listed.size} bytes for {listed.obj_name!r}, it has {result.size}"
        )
    listed.err_msg = listed.err_msg or result.err_msg
    return listed


def _bucket(entry: MossIn) -> str:
    # A full bucket name is `provider/@uuid#namespace/bucket/`; archives have its last part only.
    return entry.uname.rstrip("/").rpartition("/")[2] if entry.uname else entry.bck or ""


def _is_member_of(entry: MossIn, bucket: str, name: bytes, only_obj_name: bool) -> bool:
    path = entry.obj_name if only_obj_name else f"{bucket}/{entry.obj_name}"
    if entry.archpath:
        path = f"{path}/{entry.archpath}"
    wanted = path.encode("utf-8", "surrogateescape")
    return name == wanted or ("//" in path and _squeeze(name) == _squeeze(wanted))


def _is_missing(entry: MossIn, bucket: str, name: bytes) -> bool:
    """Return whether the name is that of a marker for the entry.

    Depending on which target misses it, the marker has the bucket and the path of the member, or not. Bytes
    that are not UTF-8 are as the request has them, or what a cluster's JSON decoder replaces them with.
    """
    if not name.startswith(_MARKER):
        return False
    marked = _squeeze(name[len(_MARKER) :])
    objects = (entry.obj_name, f"{bucket}/{entry.obj_name}")
    members = [f"{path}/{entry.archpath}" for path in objects] if entry.archpath else []
    paths = [*objects, *members]
    paths += [path.translate(_REPLACED) for path in paths if not path.isascii()]
    return marked in {_squeeze(path.encode("utf-8", "surrogateescape")) for path in paths}


def _squeeze(path: bytes) -> bytes:
    # A leading slash of a member's path may come as one slash or as two.
    while b"//" in path:
        path = path.replace(b"//", b"/")
    return path


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
