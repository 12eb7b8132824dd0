"""The answer's bytes: the archive as it is made, and the multipart form around a finished one."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local import work
from aistore.local.archives import new_archive
from aistore.local.batch.entries import opened
from aistore.local.batch.request import MISSING
from aistore.local.errors import LocalError
from aistore.local.store.spool import Spool
from aistore.wire.serialization import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from aistore.local.batch.entries import Opened
    from aistore.local.batch.request import BatchRequest
    from aistore.local.store import Store
    from aistore.wire.archive.writer import ArchiveWriter

MAX_SOFT_ERRORS = 8
"""Entries that may be missing in a request that goes on: the cluster's `get_batch.max_soft_errs`."""

PIECE = 256 << 10
"""Bytes of a piece worth sending."""

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
        piece_size: Bytes of each piece after the first.

    Attributes:
        sent: What became of each entry so far.
        is_done: Whether the last piece was made.
    """

    def __init__(
        self,
        store: Store,
        request: BatchRequest,
        label: str,
        on_entry: Callable[[int], None] = lambda _: None,
        piece_size: Callable[[], int] = lambda: PIECE,
    ) -> None:
        self._store = store
        self._request = request
        self._label = label
        self._on_entry = on_entry
        self._piece_size = piece_size
        self.sent: list[Sent] = []
        self.is_done = False

    def pieces(self) -> Generator[bytes, None, None]:
        """The whole archive, in pieces worth sending.

        Raises:
            LocalError: An entry can't be had, and the request doesn't go on without it.
        """
        joined = Joined()
        size = PIECE
        archive = new_archive(self._request.kind, joined.write)
        with closing(opened(self._store, self._request)) as entries:
            for entry in entries:
                work.check()
                for _ in self._add(archive, entry):
                    if joined.size >= size:
                        yield joined.take()
                        size = self._piece_size()
                if joined.size >= size:
                    yield joined.take()
                    size = self._piece_size()
        archive.close()
        self.is_done = True
        yield joined.take()

    def _add(self, archive: ArchiveWriter, opened_entry: Opened) -> Iterator[None]:
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
        yield from archive.adding(name, content.size, content.pieces, mtime=content.mtime)
        self.sent.append(Sent(content.size))
        self._on_entry(content.size)

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
    """Small writes, held until they are worth sending.

    Attributes:
        size: Bytes held.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._held.append(data)
        self.size += len(data)

    def take(self) -> bytes:
        """The bytes held, which are the caller's from now on."""
        data = b"".join(self._held)
        self._held.clear()
        self.size = 0
        return data


class Multipart:
    """A finished answer in two parts, metadata and archive; the archive is on disk when it is over 8 MiB.

    Args:
        maker (Maker): Makes the archive.
        job_id (str): Named in the metadata.
        store (Store): The store whose quota and disk the archive takes up meanwhile.

    Raises:
        OutOfSpace: There is no room for it.
    """

    def __init__(self, maker: Maker, job_id: str, store: Store) -> None:
        self.boundary = secrets.token_hex(30)
        self._job_id = job_id
        self._maker = maker
        # Closed by `pieces`, or with this object.
        self._archive = Spool(store, _IN_MEMORY)
        try:
            for piece in maker.pieces():
                self._archive.write(piece)
        except BaseException:
            self._archive.close()
            raise

    def pieces(self) -> Generator[bytes, None, None]:
        """The body; the temporary file is gone when it ends."""
        with closing(self._archive) as archive:
            meta = encode_json(self._maker.metadata(self._job_id)).decode("utf-8", "surrogateescape")
            yield (
                f'--{self.boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{meta}\n'
                f'\r\n--{self.boundary}\r\nContent-Disposition: form-data; name="archive"; '
                f'filename="get-batch[{self._job_id}]"\r\nContent-Type: application/octet-stream\r\n\r\n'
            ).encode("utf-8", "surrogateescape")
            yield from archive.read(0, archive.size)
            yield f"\r\n--{self.boundary}--\r\n".encode()
