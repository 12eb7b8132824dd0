"""What a dataset reads: sources of objects and prefixes, listed once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from aistore.pytorch.manifest import Manifest, ManifestRow
from aistore.sdk.ais_source import AISSource
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.multiobj import ObjectGroup

if TYPE_CHECKING:
    from aistore.sdk.bck.base import BucketBase
    from aistore.sdk.obj.object import Object

Sources: TypeAlias = AISSource | Sequence[AISSource]
PrefixMap: TypeAlias = Mapping[Any, str | list[str] | None]
"""From a source to the prefix or prefixes of the names wanted of it; a source that is not in it: all."""


class Listing:
    """The objects of sources, in the order of sources, prefixes and names.

    A listing that was gone through once is kept, so that `len`, every epoch and every split of it see the
    same objects, and the cluster is asked once.

    Args:
        sources: One source or several.
        prefix_map: Which names of which source. Default: all of all.

    Raises:
        InvalidArgument: There is no source (also a `ValueError`).
    """

    def __init__(self, sources: Sources | None, prefix_map: PrefixMap | None = None) -> None:
        self.sources: list[AISSource] = (
            list(sources) if isinstance(sources, (list, tuple)) else [sources] if sources else []  # type: ignore[list-item]  # one source
        )
        if not self.sources:
            raise InvalidArgument("ais_source_list must name at least one source, such as a bucket")
        self.prefix_map = dict(prefix_map or {})
        self._kept: dict[int, list[Object]] = {}
        self._all: list[Object] | None = None

    @property
    def is_known(self) -> bool:
        """Whether all objects are known, so that nothing needs to be asked."""
        return self._all is not None

    def prefixes(self, source: AISSource) -> list[str]:
        """Return the prefixes wanted of a source, `[""]` for everything."""
        wanted = self.prefix_map.get(source)
        if wanted is None:
            return [""]
        return [wanted] if isinstance(wanted, str) else list(wanted)

    def source_objects(self, index: int) -> Iterator[Object]:
        """Yield the objects of one source, as they become known.

        Args:
            index: Which source.
        """
        kept = self._kept.get(index)
        if kept is not None:
            yield from kept
            return
        source = self.sources[index]
        found: list[Object] = []
        for prefix in self.prefixes(source):
            for obj in source.list_all_objects_iter(prefix=prefix):
                found.append(obj)
                yield obj
        self._kept[index] = found

    def stream(self) -> Iterator[Object]:
        """Yield all objects, as they become known."""
        return chain.from_iterable(self.source_objects(index) for index in range(len(self.sources)))

    def objects(self, manifest: Manifest | None = None) -> list[Object]:
        """Return all objects.

        Args:
            manifest: Where other processes find them too. Default: `None`.
        """
        if self._all is None:
            buckets = [_bucket_of(source) for source in self.sources]
            if manifest is not None and all(bucket is not None for bucket in buckets):
                rows = manifest.read(self._describe(), self._rows)
                self._all = [buckets[row.source].object(row.name) for row in rows]  # type: ignore[union-attr]  # none is None
            else:
                self._all = list(self.stream())
        return self._all

    def count(self, indices: Sequence[int]) -> int:
        """Return how many objects some of the sources have.

        Args:
            indices: Which sources.
        """
        return sum(sum(1 for _ in self.source_objects(index)) for index in indices)

    def forget(self) -> None:
        """Forget the objects, so that they are listed anew."""
        self._kept.clear()
        self._all = None

    def _rows(self) -> list[ManifestRow]:
        return [
            ManifestRow(index, obj.name)
            for index in range(len(self.sources))
            for obj in self.source_objects(index)
        ]

    def _describe(self) -> list[str]:
        return [f"{source!r} {self.prefixes(source)}" for source in self.sources]


def _bucket_of(source: AISSource) -> BucketBase | None:
    """Return the bucket of a source's objects; of a source of the user's own it is not known."""
    from aistore.sdk.bucket import Bucket

    if isinstance(source, ObjectGroup):
        return source.bck
    return source if isinstance(source, Bucket) else None
