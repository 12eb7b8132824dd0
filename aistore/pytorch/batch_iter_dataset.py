"""A dataset of whole objects, read many at a time with Get-Batch."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from aistore.pytorch.base_iter_dataset import AISBaseIterDataset
from aistore.pytorch.errors import ErrSampleUnreadable
from aistore.pytorch.listing import Member
from aistore.pytorch.prefetch import prefetch
from aistore.pytorch.progress import progress_bar
from aistore.pytorch.split import IterOptions, check_read_ahead
from aistore.sdk.batch.extractor.extractor_registry import get_extractor
from aistore.sdk.client import Client
from aistore.sdk.const import MIB
from aistore.sdk.enums import Colocation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from aistore.pytorch.listing import PrefixMap, Sources
    from aistore.sdk.batch.types import MossOut
    from aistore.sdk.obj.object import Object

logger = logging.getLogger(__name__)


class AISBatchIterDataset(AISBaseIterDataset):
    """Samples are `(name, bytes)`; the next batches are read while one is used.

    With `archive_members`, samples are members of archives, in whichever order: a shard need not be read as a
    whole for them. Their names are `archive/member`.

    Args:
        ais_source_list: One source or several: buckets, groups of objects.
        client: Sends the batches.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        show_progress: Show a progress bar, when tqdm or rich is installed. Default: `False`.
        max_batch_size: Objects in one request. Default: 32.
        output_format: Archive that they come in: `.tar`, `.tgz`, `.tar.gz`, `.zip` or `.tar.lz4`.
            Default: `.tar`.
        streaming: Have the archive sent while it is made. Default: `True`.
        colocation: What is known of where the objects are. Default: nothing.
        partition_sources_by_worker: See `AISBaseIterDataset`.
        archive_members: Read the members of archives instead of the objects. Default: `False`.
        cont_on_err: Log an object that cannot be read, and go on without it. Default: `False`.
        read_ahead: How many batches to read at a time. Default: 2.
        max_buffer: How many bytes to hold at most that were read ahead, give or take a sample of each batch.
            Default: 256 MiB in each worker.
        options: See `AISBaseIterDataset`.

    Raises:
        InvalidArgument: There is no source, or an option is out of range (also a `ValueError`).
    """

    def __init__(
        self,
        ais_source_list: Sources,
        client: Client,
        prefix_map: PrefixMap | None = None,
        show_progress: bool = False,
        max_batch_size: int = 32,
        output_format: str = ".tar",
        streaming: bool = True,
        colocation: Colocation = Colocation.NONE,
        partition_sources_by_worker: bool = False,
        cont_on_err: bool = False,
        *,
        read_ahead: int = 2,
        max_buffer: int = 256 * MIB,
        archive_members: bool = False,
        **options: Unpack[IterOptions],
    ) -> None:
        check_read_ahead(max_batch_size=max_batch_size, read_ahead=read_ahead, max_buffer=max_buffer)
        get_extractor(output_format)
        super().__init__(
            ais_source_list,
            prefix_map,
            partition_sources_by_worker,
            archive_members=archive_members,
            skip_unreadable=cont_on_err,
            **options,
        )
        self.client = client
        self.max_batch_size = max_batch_size
        self.output_format = output_format
        self.streaming = streaming
        self.colocation = colocation
        self.cont_on_err = cont_on_err
        self._archive_members = archive_members
        self._show_progress = show_progress
        self._read_ahead = read_ahead
        self._max_buffer = max_buffer

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the objects of this rank and worker.

        Raises:
            ErrSampleUnreadable: An object is gone or cannot be read (also a `RuntimeError`).
            ErrArchiveFormat: With `archive_members`, an archive is damaged, encrypted or not of its format
                (also a `RuntimeError`).
        """
        objects, done, _ = self._start()
        samples = prefetch(
            self._split(objects), self._read, _size, ahead=self._read_ahead, max_bytes=self._max_buffer
        )
        with (
            progress_bar("Reading objects", self._expected(), self._show_progress) as advance,
            closing(samples),
        ):
            for position, (info, content) in enumerate(samples, done + 1):
                name = f"{info.obj_name}/{info.archpath}" if self._archive_members else info.obj_name
                self._advance(name, position)
                advance()
                if not info.err_msg:
                    yield name, content
                    continue
                message = f"{info.bucket}/{name} could not be read: {info.err_msg}"
                if not self.cont_on_err:
                    raise ErrSampleUnreadable(message)
                logger.warning("%s; it is left out", message)

    def _split(self, objects: Iterator[Object]) -> Iterator[list[Object]]:
        while batch := list(islice(objects, self.max_batch_size)):
            yield batch

    def _read(self, objects: list[Object]) -> Generator[tuple[MossOut, bytes], None, None]:
        # Always with the missing ones in their places: the error then names the object.
        members = [obj for obj in objects if isinstance(obj, Member)]
        batch = self.client.batch(
            objects=None if members else objects,
            output_format=self.output_format,
            cont_on_err=True,
            streaming_get=self.streaming,
            colocation=self.colocation,
        )
        for member in members:
            batch.add(member, archpath=member.archpath)
        yield from batch.get()


def _size(entry: tuple[MossOut, bytes]) -> int:
    return len(entry[1])
