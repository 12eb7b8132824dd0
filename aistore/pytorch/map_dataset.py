"""A dataset of whole objects, looked up by index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aistore.pytorch.base_map_dataset import AISBaseMapDataset
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.obj.verification import validation
from aistore.sdk.parallel import ordered_map

if TYPE_CHECKING:
    from aistore.pytorch.listing import PrefixMap, Sources
    from aistore.sdk.etl.etl import Etl

_READERS = 8


class AISMapDataset(AISBaseMapDataset):
    """Samples are `(name, bytes)`.

    Args:
        ais_source_list: One source or several: buckets, groups of objects. They are listed at construction.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        etl_name: An ETL, or its name, that transforms the objects on the way. Default: none.
        validate_checksum: As of `Object.get_reader`. Default: what the client says.

    Raises:
        InvalidArgument: There is no source (also a `ValueError`).
    """

    def __init__(
        self,
        ais_source_list: Sources = (),
        prefix_map: PrefixMap | None = None,
        etl_name: str | Etl | None = None,
        *,
        validate_checksum: bool | None = None,
    ) -> None:
        super().__init__(ais_source_list, prefix_map)
        self._validation = validation(validate_checksum)
        self._etl = ETLConfig(etl_name) if etl_name else None

    def __len__(self) -> int:
        return super().__len__()

    def __getitem__(self, index: int) -> tuple[str, bytes]:
        """Return name and content of the object at an index.

        Args:
            index: Its index; negative ones count from the end.

        Raises:
            IndexError: There is none.
            ErrObjNotFound: The object is gone.
        """
        obj = self._object_at(index)
        return obj.name, obj.get_reader(etl=self._etl, **self._validation).read_all()

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return the samples of a batch, several of which are read at a time.

        Those of a subclass with a `__getitem__` of its own are read one after the other, in this thread.

        Args:
            indices: Their indices.
        """
        if type(self).__getitem__ is not AISMapDataset.__getitem__:
            return super().__getitems__(indices)
        return list(ordered_map(self.__getitem__, indices, _READERS))
