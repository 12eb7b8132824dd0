"""A dataset of whole objects, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aistore.pytorch.base_iter_dataset import AISBaseIterDataset, IterOptions
from aistore.pytorch.progress import progress_bar
from aistore.sdk.bck.counts import check_count
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.parallel import ordered_map

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from aistore.pytorch.listing import PrefixMap, Sources
    from aistore.sdk.etl.etl import Etl
    from aistore.sdk.obj.object import Object


class AISIterDataset(AISBaseIterDataset):
    """Samples are `(name, bytes)`; the next objects are read while one is used.

    For many small objects `AISBatchIterDataset` is faster, on clusters that have Get-Batch.

    Args:
        ais_source_list: One source or several: buckets, groups of objects.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        etl_name: An ETL, or its name, that transforms the objects on the way. Default: none.
        show_progress: Show a progress bar, when tqdm or rich is installed. Default: `False`.
        partition_sources_by_worker: See `AISBaseIterDataset`.
        read_ahead: How many objects to read at a time, and to hold at most. Default: 4.
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
        read_ahead: int = 4,
        **options: Unpack[IterOptions],
    ) -> None:
        check_count("read_ahead", read_ahead)
        super().__init__(ais_source_list, prefix_map, partition_sources_by_worker, **options)
        self._etl = ETLConfig(etl_name) if etl_name else None
        self._show_progress = show_progress
        self._read_ahead = read_ahead

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the objects of this rank and worker.

        Raises:
            ErrObjNotFound: An object is gone.
        """
        objects, done, _ = self._start()
        samples = ordered_map(self._read, objects, max(1, self._read_ahead))
        with progress_bar("Reading objects", self._expected(), self._show_progress) as advance:
            for position, (name, content) in enumerate(samples, done + 1):
                self._advance(name, position)
                advance()
                yield name, content

    def _read(self, obj: Object) -> tuple[str, bytes]:
        return obj.name, obj.get_reader(etl=self._etl).read_all()  # type: ignore[return-value]  # no workers: bytes
