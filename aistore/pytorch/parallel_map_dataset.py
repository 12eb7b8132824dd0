"""A dataset of large objects, each read as several ranges at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.pytorch.base_map_dataset import AISBaseMapDataset
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.obj.verification import validation

if TYPE_CHECKING:
    from aistore.pytorch.listing import PrefixMap, Sources
    from aistore.sdk.obj.content_iterator import ParallelBuffer


class AISParallelMapDataset(AISBaseMapDataset):
    """Samples are `(name, ParallelBuffer)`; closing the buffer gives its memory back at once.

    Ranges are read by threads of the process that asks, so it works in forked, spawned and daemonic workers.

    Args:
        ais_source_list: One source or several: buckets, groups of objects. They are listed at construction.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        num_workers: How many ranges of an object to read at a time, at least 2. Default: 16.
        validate_checksum: As of `Object.get_reader`. Default: what the client says.

    Raises:
        InvalidArgument: There is no source, or too few workers (also a `ValueError`).
    """

    def __init__(
        self,
        ais_source_list: Sources | None = None,
        prefix_map: PrefixMap | None = None,
        num_workers: int = 16,
        *,
        validate_checksum: bool | None = None,
    ) -> None:
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 2:
            raise InvalidArgument(f"num_workers must be an int of at least 2, not {num_workers!r}")
        super().__init__(ais_source_list or (), prefix_map)
        self._num_workers = num_workers
        self._validation = validation(validate_checksum)

    @property
    def num_workers(self) -> int:
        """How many ranges of an object are read at a time."""
        return self._num_workers

    def __len__(self) -> int:
        return super().__len__()

    def __getitem__(self, index: int) -> tuple[str, ParallelBuffer]:
        """Return name and content of the object at an index.

        Args:
            index: Its index; negative ones count from the end.

        Raises:
            IndexError: There is none.
            ErrObjNotFound: The object is gone. ErrObjectChanged: It was overwritten while it was read.
        """
        obj = self._object_at(index)
        return obj.name, obj.get_reader(num_workers=self._num_workers, **self._validation).read_all()
