"""The answer's bytes: the archive as it is made, and the multipart form around a finished one."""

from __future__ import annotations

import json
import secrets
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local.archives import new_archive
from aistore.local.batch.entries import opened
from aistore.local.batch.request import MISSING
from aistore.local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.local.batch.entries import Opened
    from aistore.local.batch.request import BatchRequest
    from aistore.local.store import Store
    from aistore.wire.archive.writer import ArchiveWriter

MAX_SOFT_ERRORS = 8
"""Entries that may be missing in a request that goes on: the cluster's `get_batch.max_soft_errs`."""

_PIECE = 256 << 10
_IN_MEMORY = 8 << 20


class Sent(NamedTuple):
    """What became of an entry."""

    size: int
    error: str = ""


class Maker:
    """Makes the archive of a request.

    Args:
        store (Store): The objects.
        request (BatchRequest): What is wanted.
        label (str): The node, for messages.
        on_entry: Called with each entry's size.
        check: Called before each entry and each piece of one; what it raises ends the making.
    """

    def __init__(
        self,
        store: Store,
        request: BatchRequest,
        label: str,
        on_entry: Callable[[int], None] = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._request = request
        self._label = label
        self._on_entry = on_entry
        self._check = check
        self.sent: list[Sent] = []

    def write(self, sink: Callable[[bytes], object]) -> None:
        """Write the whole archive.

        Raises:
            LocalError: An entry can't be had, and the request doesn't go on without it.
        """
        archive = new_archive(self._request.kind, sink)
        for entry in opened(self._store, self._request):
            self._check()
            self._add(archive, entry)
        archive.close()

    def _add(self, archive: ArchiveWriter, opened_entry: Opened) -> None:
        name = opened_entry.entry.member_name(only_object=self._request.only_object)
        try:
            content = opened_entry.content()
        except LocalError as err:
            message = f"{self._label}: {err.message}" if err.with_node else err.message
            if not self._request.keep_going:
                raise
            self._check_soft_errors()
            archive.add(f"{MISSING}/{name}", 0, ())
            self.sent.append(Sent(0, message))
            return
        archive.add(name, content.size, self._checked(content.pieces), mtime=content.mtime)
        self.sent.append(Sent(content.size))
        self._on_entry(content.size)

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._check()
            yield piece

    def _check_soft_errors(self) -> None:
        errors = 1 + sum(1 for sent in self.sent if sent.error)
        if errors > MAX_SOFT_ERRORS:
            raise LocalError(f"exceeded soft-errors limit: {errors} (max: {MAX_SOFT_ERRORS})", with_node=True)

    def metadata(self, job_id: str) -> dict[str, Any]:
        """What the multipart form says of each entry."""
        out = []
        for entry, sent in zip(self._request.entries, self.sent, strict=True):
            about: dict[str, Any] = {"objname": entry.name}
            if entry.archpath:
                about["archpath"] = entry.archpath
            about |= {"bucket": entry.bucket.bck.name, "provider": entry.bucket.bck.provider}
            if sent.error:
                about["err_msg"] = sent.error
            if entry.opaque is not None:
                about["opaque"] = entry.opaque
            out.append({**about, "size": sent.size})
        return {"uuid": job_id, "out": out}


class Joined:
    """Joins small writes to pieces worth sending.

    Args:
        sink: Takes the pieces.
    """

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._held.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._size:
            self._sink(b"".join(self._held))
            self._held.clear()
            self._size = 0


class Multipart:
    """A finished answer in two parts, metadata and archive; the archive is on disk when it is over 8 MiB.

    Args:
        maker (Maker): Makes the archive.
        job_id (str): Named in the metadata.
        folder (str): For the temporary file.
    """

    def __init__(self, maker: Maker, job_id: str, folder: str) -> None:
        self.boundary = secrets.token_hex(30)
        self._job_id = job_id
        self._maker = maker
        # Closed by `pieces` or `close`.
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=folder)  # noqa: SIM115
        try:
            joined = Joined(self._file.write)
            maker.write(joined.write)
            joined.flush()
        except BaseException:
            self._file.close()
            raise

    def pieces(self) -> Iterator[bytes]:
        """The body; the temporary file is gone when it ends."""
        with self._file as file:
            meta = json.dumps(self._maker.metadata(self._job_id), separators=(",", ":"))
            yield (
                f'--{self.boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{meta}\n'
                f'\r\n--{self.boundary}\r\nContent-Disposition: form-data; name="archive"; '
                f'filename="get-batch[{self._job_id}]"\r\nContent-Type: application/octet-stream\r\n\r\n'
            ).encode("utf-8", "surrogateescape")
            file.seek(0)
            while piece := file.read(_PIECE):
                yield piece
            yield f"\r\n--{self.boundary}--\r\n".encode()

    def close(self) -> None:
        """Drop what is left."""
        self._file.close()
