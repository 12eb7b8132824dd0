"""Samples whose parts are in shards of several buckets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from aistore.pytorch.torch_classes import IterableDataset, current_rank, current_worker
from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.dataset.data_shard import DataShard
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.parallel import ordered_map

if TYPE_CHECKING:
    from aistore.sdk.obj.object import Object

_Member = tuple["Object", str, "ETLConfig | None"]


class AISMultiShardStream(IterableDataset[Any]):
    """Samples are tuples of bytes: the n-th file of all shards of each source. The shortest source ends it.

    Samples go to ranks and workers in turn; each reads only its own.

    Args:
        data_sources: Where the shards are.

    Raises:
        InvalidArgument: There is no source (also a `ValueError`).
    """

    def __init__(self, data_sources: list[DataShard]) -> None:
        if not data_sources:
            raise InvalidArgument("data_sources must name at least one DataShard")
        self.data_sources = list(data_sources)

    def __iter__(self) -> Iterator[tuple[bytes, ...]]:
        """Return an iterator over the samples of this rank and worker."""
        (rank, world_size), (worker, workers) = current_rank(), current_worker()
        samples = zip(*map(_members, self.data_sources), strict=False)
        mine = islice(samples, rank + world_size * worker, None, world_size * workers)
        return ordered_map(_read, mine, 4)


def _members(source: DataShard) -> Iterator[_Member]:
    etl = ETLConfig(source.etl_name) if source.etl_name else None
    for shard in source.bucket.list_all_objects_iter(prefix=source.prefix, props="name"):
        for entry in source.bucket.list_archive(shard.name):
            yield shard, entry.name[len(shard.name) + 1 :], etl


def _read(sample: tuple[_Member, ...]) -> tuple[bytes, ...]:
    return tuple(
        shard.get_reader(archive_config=ArchiveConfig(archpath=path), etl=etl).read_all()  # type: ignore[misc]  # no workers: bytes
        for shard, path, etl in sample
    )
