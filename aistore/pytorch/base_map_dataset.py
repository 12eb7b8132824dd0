"""Datasets that are looked up by index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from aistore.pytorch.listing import Listing, PrefixMap, Sources
from aistore.pytorch.torch_classes import Dataset
from aistore.sdk.obj.object import Object


class AISBaseMapDataset(ABC, Dataset[Any]):
    """Objects of one or more sources, listed at construction; a subclass says what a sample is.

    Args:
        ais_source_list: One source or several: buckets, groups of objects.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.

    Raises:
        InvalidArgument: There is no source (also a `ValueError`).
    """

    def __init__(self, ais_source_list: Sources, prefix_map: PrefixMap | None = None) -> None:
        self._ais_source_list = ais_source_list
        self._prefix_map = prefix_map
        self._obj_list = self._create_objects_list()

    def _create_objects_list(self) -> list[Object]:
        # Programs' tests put a list of their own in its place.
        return list(Listing(self._ais_source_list, self._prefix_map).stream())

    def get_obj_list(self) -> list[Object]:
        """Return the objects, in the order of their indices."""
        return self._obj_list

    def __len__(self) -> int:
        return len(self._obj_list)

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """Return the sample at an index.

        Args:
            index: Its index.
        """

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return the samples of a batch, one after the other: `__getitem__` may not be thread-safe.

        Args:
            indices: Their indices.
        """
        return [self[index] for index in indices]

    def _object_at(self, index: int) -> Object:
        try:
            return self._obj_list[index]
        except IndexError:
            raise IndexError(
                f"index {index} is out of range: the dataset has {len(self._obj_list)} objects"
            ) from None
