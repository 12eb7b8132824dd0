"""Which record goes to which output shard: by size, or by the key map and size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import InvalidRequest
from aistore.wire.archive.formats import by_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.dsort.key_map import KeyMap
    from aistore.local.jobs.template import Template

_HEADER = 512


class SortedRecord(NamedTuple):
    """A record in its turn: name of its first file, bytes, files."""

    name: str
    size: int
    files: int


class _Names:
    """Names of output shards, in the template's order."""

    def __init__(self, template: Template, extension: str) -> None:
        self._names: Iterator[str] = template.names()
        self._extension = extension
        self._taken = 0

    def next(self) -> str:
        name = next(self._names, None)
        if name is None:
            raise InvalidRequest(
                f"number of shards to be created exceeds expected number of shards ({self._taken})"
            )
        self._taken += 1
        return name if by_name(name) else name + self._extension


class _Plan:
    """Numbers shards as they are opened."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._known: set[str] = set()

    def _open(self, name: str) -> int:
        if name in self._known:
            raise InvalidRequest(f"two output shards would have the name {name}")
        self._known.add(name)
        self.names.append(name)
        return len(self.names) - 1


class FillPlan(_Plan):
    """Fills one shard after the other until it has `size` bytes or more.

    Args:
        template (Template): Of the shards' names.
        extension (str): For names that have none.
        size (int): Bytes of payload that fill a shard.
    """

    def __init__(self, template: Template, extension: str, size: int) -> None:
        super().__init__()
        self._next = _Names(template, extension).next
        self._size = size
        self._filled = 0

    def place(self, record: SortedRecord) -> int | None:
        """Number of the record's shard.

        Raises:
            InvalidRequest: There are more shards than names.
        """
        # What has no bytes fits into a full shard: a size made from the number of names may leave no other.
        if not self.names or (record.size and self._filled >= self._size):
            self._open(self._next())
            self._filled = 0
        self._filled += record.size
        return len(self.names) - 1


class MappedPlan(_Plan):
    """Fills the shards that the key map names; each of its templates has a shard that is being filled.

    Args:
        key_map (KeyMap): Says which.
        extension (str): For names that have none.
        size (int): Bytes, headers of a tar included, from beyond which on a shard is full.
    """

    def __init__(self, key_map: KeyMap, extension: str, size: int) -> None:
        super().__init__()
        self._map = key_map
        self._extension = extension
        self._size = size
        self._series: dict[str, tuple[_Names, int, int]] = {}

    def place(self, record: SortedRecord) -> int | None:
        """Number of the record's shard; None if it is to be left out.

        Raises:
            InvalidRequest: The map doesn't say, or there are more shards than names.
        """
        found = self._map.find(record.name)
        if found is None:
            return None
        names, shard, filled = self._series.get(found, (None, -1, 0))
        if names is None:
            names = _Names(self._map.template(found), self._extension)
        if shard < 0 or filled > self._size:
            shard, filled = self._open(names.next()), 0
        self._series[found] = (names, shard, filled + record.size + _HEADER * record.files)
        return shard
