"""A dataset of whole objects, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from aistore.pytorch.base_iter_dataset import AISBaseIterDataset
from aistore.pytorch.prefetch import prefetch
from aistore.pytorch.progress import progress_bar
from aistore.pytorch.split import IterOptions, check_read_ahead
from aistore.sdk.batch.fetch import Fetched, Fetcher, Wanted
from aistore.sdk.const import MIB
from aistore.sdk.etl.etl_config import ETLConfig

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from aistore.pytorch.listing import PrefixMap, Sources
    from aistore.sdk.etl.etl import Etl

logger = logging.getLogger(__name__)


class AISIterDataset(AISBaseIterDataset):
    """Samples are `(name, bytes)`; the next objects are read while one is used.

    Small objects are read many at a time with Get-Batch, where the cluster has it and they are its own; large
    ones, transformed ones and those of remote buckets with a GET each.

    Args:
        ais_source_list: One source or several: buckets, groups of objects.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        etl_name: An ETL, or its name, that transforms the objects on the way. Default: none.
        show_progress: Show a progress bar, when tqdm or rich is installed. Default: `False`.
        partition_sources_by_worker: See `AISBaseIterDataset`.
        cont_on_err: Log an object that is gone, and go on without it. Default: `False`.
        max_batch_size: Objects in one request; 1: a GET for each. Default: 32.
        read_ahead: How many requests to have under way at a time. Default: 4.
        max_buffer: How many bytes to hold at most that were read ahead, give or take a sample of each
            request. Default: 256 MiB in each worker.
        validate_checksum: As of `Object.get_reader`; True: with a GET for each object, because the answers of
            Get-Batch have no checksums. Default: what the client says.
        options: See `AISBaseIterDataset`.

    Raises:
        InvalidArgument: There is no source, or an option is out of range (also a `ValueError`).
    """

    def __init__(
        self,
        ais_source_list: Sources,
        prefix_map: PrefixMap | None = None,
        etl_name: str | Etl | None = None,
        show_progress: bool = False,
        partition_sources_by_worker: bool = False,
        *,
        cont_on_err: bool = False,
        max_batch_size: int = 32,
        read_ahead: int = 4,
        max_buffer: int = 256 * MIB,
        validate_checksum: bool | None = None,
        **options: Unpack[IterOptions],
    ) -> None:
        check_read_ahead(max_batch_size=max_batch_size, read_ahead=read_ahead, max_buffer=max_buffer)
        super().__init__(ais_source_list, prefix_map, partition_sources_by_worker, **options)
        self._etl = ETLConfig(etl_name) if etl_name else None
        self._show_progress = show_progress
        self._cont_on_err = cont_on_err
        self._max_batch_size = 1 if validate_checksum else max_batch_size
        self._validate_checksum = validate_checksum
        self._read_ahead = read_ahead
        self._max_buffer = max_buffer

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the objects of this rank and worker.

        Raises:
            ErrObjNotFound: An object is gone (also a `FileNotFoundError`).
        """
        objects, done, _ = self._start()
        fetcher = Fetcher(self._max_batch_size, self._validate_checksum)
        samples = prefetch(
            fetcher.split(Wanted(obj, etl=self._etl) for obj in objects),
            fetcher.read,
            _size,
            ahead=self._read_ahead,
            max_bytes=self._max_buffer,
        )
        with (
            progress_bar("Reading objects", self._expected(), self._show_progress) as advance,
            closing(samples),
        ):
            for position, (wanted, content, error) in enumerate(samples, done + 1):
                name = wanted.obj.name
                self._advance(name, position)
                advance()
                if error is None:
                    yield name, content
                elif self._cont_on_err:
                    logger.warning("%s; it is left out", error)
                else:
                    raise error


def _size(fetched: Fetched) -> int:
    return len(fetched.content)
