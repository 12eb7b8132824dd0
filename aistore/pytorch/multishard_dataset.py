"""Samples whose parts are in shards of several buckets."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from aistore.pytorch.manifest import AnyManifest, ManifestRow
from aistore.pytorch.prefetch import prefetch
from aistore.pytorch.split import IterOptions, SplitIterable, check_read_ahead
from aistore.sdk.batch.fetch import Fetcher, Wanted
from aistore.sdk.const import MIB
from aistore.sdk.dataset.data_shard import DataShard
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.etl.etl_config import ETLConfig

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from aistore.sdk.request_client import RequestClient

_Parts = tuple[Wanted, ...]
_Sample = tuple[bytes, ...]


class AISMultiShardStream(SplitIterable[_Parts]):
    """Samples are tuples of bytes: the n-th file of all shards of each source. The shortest source ends it.

    Samples go to ranks and workers in turn; each reads only its own. The next samples are read while one is
    used: many of them with one Get-Batch, where the cluster has it and the shards are its own.

    Args:
        data_sources: Where the shards are.
        max_batch_size: Samples whose parts are read with one request to each source; 1: a GET for each part.
            Default: 32.
        read_ahead: How many such requests to have under way at a time. Default: 2.
        max_buffer: How many bytes to hold at most that were read ahead, give or take a sample of each
            request. Default: 256 MiB in each worker.
        options: See `AISBaseIterDataset`; "objects" are samples here.

    Raises:
        InvalidArgument: There is no source, or an option is out of range (also a `ValueError`).
    """

    def __init__(
        self,
        data_sources: list[DataShard],
        *,
        max_batch_size: int = 32,
        read_ahead: int = 2,
        max_buffer: int = 256 * MIB,
        **options: Unpack[IterOptions],
    ) -> None:
        if not data_sources:
            raise InvalidArgument("data_sources must name at least one DataShard")
        check_read_ahead(max_batch_size=max_batch_size, read_ahead=read_ahead, max_buffer=max_buffer)
        self.data_sources = list(data_sources)
        super().__init__(self._client, **options)
        self._max_batch_size = max_batch_size
        self._read_ahead = read_ahead
        self._max_buffer = max_buffer
        self._rows: list[ManifestRow] | None = None

    def refresh(self) -> None:
        """List the shards anew when they are needed next; a running iteration goes on as it is."""
        super().refresh()
        self._rows = None

    def __iter__(self) -> Iterator[_Sample]:
        """Yield the samples of this rank and worker.

        Raises:
            ErrObjNotFound: A shard or a member of it is gone (also a `FileNotFoundError`).
        """
        samples, done, _ = self._start()
        fetcher = Fetcher(self._max_batch_size)

        def read(group: list[_Parts]) -> Generator[tuple[_Parts, _Sample], None, None]:
            return _read(fetcher, group)

        found = prefetch(
            _grouped(samples, self._max_batch_size),
            read,
            _size,
            ahead=self._read_ahead,
            max_bytes=self._max_buffer,
        )
        with closing(found):
            for position, (parts, contents) in enumerate(found, done + 1):
                self._advance(self._name_of(parts), position)
                yield contents

    def _client(self) -> RequestClient:
        return self.data_sources[0].bucket.client

    def _stream(self) -> Iterator[_Parts]:
        return zip(*map(_members, self.data_sources), strict=False)

    def _listed(self, manifest: AnyManifest | None, is_first: bool) -> Sequence[_Parts]:
        if self._rows is None:
            sources = [f"{source.bucket!r} {source.prefix!r}" for source in self.data_sources]
            self._rows = manifest.read(sources, self._list, is_first) if manifest else self._list()
        return _Samples(self.data_sources, self._rows)

    def _list(self) -> list[ManifestRow]:
        return [
            ManifestRow(number, wanted.obj.name, archpath=wanted.archpath)
            for parts in self._stream()
            for number, wanted in enumerate(parts)
        ]

    def _name_of(self, item: _Parts) -> str:
        return f"{item[0].obj.name}/{item[0].archpath}"


class _Samples(Sequence[_Parts]):
    """The samples of a listing, made when they are looked at."""

    def __init__(self, sources: list[DataShard], rows: list[ManifestRow]) -> None:
        self._sources = sources
        self._rows = rows
        self._etls = [_etl_of(source) for source in sources]

    def __len__(self) -> int:
        return len(self._rows) // len(self._sources)

    def __getitem__(self, index: int) -> _Parts:  # type: ignore[override]  # never sliced
        first = index * len(self._sources)
        rows = self._rows[first : first + len(self._sources)]
        return tuple(
            Wanted(source.bucket.object(row.name), row.archpath, etl)
            for source, row, etl in zip(self._sources, rows, self._etls, strict=True)
        )


def _members(source: DataShard) -> Iterator[Wanted]:
    etl = _etl_of(source)
    for shard in source.bucket.list_all_objects_iter(prefix=source.prefix, props="name"):
        for entry in source.bucket.list_archive(shard.name):
            yield Wanted(shard, entry.name[len(shard.name) + 1 :], etl)


def _etl_of(source: DataShard) -> ETLConfig | None:
    return ETLConfig(source.etl_name) if source.etl_name else None


def _grouped(samples: Iterator[_Parts], size: int) -> Iterator[list[_Parts]]:
    while group := list(islice(samples, size)):
        yield group


def _read(fetcher: Fetcher, group: list[_Parts]) -> Generator[tuple[_Parts, _Sample], None, None]:
    # A request for each source: they may be of different clusters.
    columns = [_read_column(fetcher, column) for column in zip(*group, strict=True)]
    try:
        yield from zip(group, zip(*columns, strict=True), strict=True)
    finally:
        for column in columns:
            column.close()


def _read_column(fetcher: Fetcher, wanted: _Parts) -> Generator[bytes, None, None]:
    for part in fetcher.split(wanted):
        with closing(fetcher.read(part)) as fetched:
            for _, content, error in fetched:
                if error is not None:
                    raise error
                yield content


def _size(sample: tuple[_Parts, _Sample]) -> int:
    return sum(map(len, sample[1]))
