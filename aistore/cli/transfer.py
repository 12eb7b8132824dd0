"""Bytes between this machine and objects, with progress, and a way to stop in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from aistore._files import Part, remove_parts
from aistore.cli import interrupt
from aistore.cli.exits import USAGE, CliError
from aistore.cli.progress import Meter

if TYPE_CHECKING:
    from aistore.cli.output import Output
    from aistore.sdk.obj.object import Object
    from aistore.sdk.obj.object_props import ObjectProps
    from aistore.sdk.obj.object_reader import ObjectReader
    from aistore.wire.checksums import ChecksumCheck

CHUNK = 1024 * 1024
WORKERS = 8


class Upload:
    """A file that reports what is read of it, and stops when the user wants to.

    Args:
        file: The file.
        meter: What to report to.
    """

    def __init__(self, file: BinaryIO, meter: Meter) -> None:
        self._file = file
        self._meter = meter
        self._counted = 0

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        interrupt.check()
        data = self._file.read(size)
        self._meter.add_bytes(len(data))
        self._counted += len(data)
        return data

    def tell(self) -> int:
        """Return where the next read starts."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere; an upload that is repeated is counted anew."""
        position = self._file.seek(offset, whence)
        if whence == os.SEEK_SET and self._counted:
            self._meter.add_bytes(-self._counted)
            self._counted = 0
        return position


def put_file(obj: Object, path: Path, meter: Meter) -> None:
    """Upload a file, or what comes out of a pipe or device."""
    with path.open("rb") as file:
        obj.get_writer().put_stream(Upload(file, meter))  # type: ignore[arg-type]  # reads, tells and seeks
    meter.add_object()


def put_stream(obj: Object, first: bytes, stream: BinaryIO, meter: Meter) -> None:
    """Upload a stream of unknown length, of which the first bytes have been read."""

    def pieces() -> Any:
        data = first
        while data:
            interrupt.check()
            meter.add_bytes(len(data))
            yield data
            data = stream.read(CHUNK)

    obj.get_writer().put_stream(pieces())


def has_checksum(props: ObjectProps) -> bool:
    """Return whether the cluster keeps a checksum of the object that can be computed here."""
    from aistore.wire.checksums import new_hasher

    return bool(props.checksum_value) and new_hasher(props.checksum_type) is not None


def copy_out(reader: ObjectReader, write: Callable[[memoryview], object], meter: Meter) -> int:
    """Read an object to its end, going on after broken connections, and return how many bytes it had.

    Raises:
        ErrChecksumMismatch: (at the end) The bytes are not those of the cluster's checksum.
    """
    from aistore.sdk.errors import ErrChecksumMismatch

    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    total = 0
    try:
        with reader.as_file(buffer_size=CHUNK) as file:
            while count := file.readinto(view):
                interrupt.check()
                write(view[:count])
                meter.add_bytes(count)
                total += count
    except ErrChecksumMismatch:
        meter.add_bytes(-total)
        raise
    return total


def get_file(obj: Object, target: Callable[[], AbstractContextManager[BinaryIO]], meter: Meter) -> None:
    """Download an object to a file that is there only once it is whole, and compared with its checksum.

    Args:
        obj: The object.
        target: Opens the file.
        meter: What to report to.

    Raises:
        ErrChecksumMismatch: The bytes are not those of the checksum, also when read again; the file stays.
    """
    from aistore.sdk.obj.verification import copy_twice

    reader = obj.get_reader(chunk_size=CHUNK)
    copy_twice(target, lambda file: copy_out(reader, file.write, meter))
    meter.add_object()


def resume_file(obj: Object, path: Path, out: Output) -> None:
    """Download an object to a file; what a stopped download left behind is the beginning of it.

    Args:
        obj: The object.
        path: The file; its folder must exist.
        out: Where progress is shown.

    Raises:
        CliError: The object has no checksum, so that its halves cannot be known to belong together, or `path`
            is no file.
        ErrChecksumMismatch: They don't; the part is removed.
    """
    from aistore.sdk.errors import ErrChecksumMismatch
    from aistore.wire.checksums import ChecksumCheck

    if path.exists() and not path.is_file():
        raise CliError(f"{path} is no file: --resume needs one", USAGE)
    props = obj.head("size,checksum,version")
    if not has_checksum(props):
        raise CliError("--resume needs the checksum of the object, and the cluster keeps none for it")
    # Another version of the object has another part: it starts anew.
    part = Part(path, f"{obj.uname}\0{props.size}\0{props.checksum_value}\0{props.obj_version}")
    check = ChecksumCheck(obj.get_semantic_url(), props.checksum_type, props.checksum_value)
    try:
        with Meter(out, f"get {obj.name}", total_bytes=props.size) as meter, part.open() as file:
            done = _take_part(file, check, meter)
            if done:
                out.note(f"going on at byte {done:,} of {props.size:,}")

            def write(data: memoryview) -> None:
                file.write(data)
                check.update(data)

            if done < props.size:
                byte_range = f"bytes={done}-" if done else None
                # Compared here, together with what is there already.
                reader = obj.get_reader(chunk_size=CHUNK, byte_range=byte_range, validate_checksum=False)
                copy_out(reader, write, meter)
    finally:
        if props.size:
            part.remove_if_empty()
    try:
        check.finish()
    except ErrChecksumMismatch:
        part.remove()
        raise
    part.finish()
    remove_parts([path])


def _take_part(file: BinaryIO, check: ChecksumCheck, meter: Meter) -> int:
    """Read what an earlier download left, and return how much that is."""
    file.seek(0)
    done = 0
    while piece := file.read(CHUNK):
        interrupt.check()
        check.update(piece)
        meter.add_bytes(len(piece))
        done += len(piece)
    return done
