"""Objects as rows of a Ray dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from aistore.ray.ray_classes import BlockMetadata, DataContext, Datasource, ReadTask, pa
from aistore.sdk.batch.fetch import Fetcher, Wanted
from aistore.sdk.bck.urls import bucket_at
from aistore.sdk.bucket import Bucket
from aistore.sdk.client import Client
from aistore.sdk.const import MIB
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.multiobj import ObjectGroup
from aistore.sdk.types import BucketEntry

if TYPE_CHECKING:
    from aistore.sdk.obj.object import Object

    Source = str | Bucket | ObjectGroup

logger = logging.getLogger(__name__)

SCHEMA = pa.schema([("bucket", pa.string()), ("key", pa.string()), ("bytes", pa.binary())])

# Besides its bytes, what reading an object costs: so that tasks of many small ones are not the longest.
_OVERHEAD = 4096


class _Entry(NamedTuple):
    """An object of the listing: number of its bucket, name, bytes."""

    bucket: int
    name: str
    size: int


class AISDatasource(Datasource):
    """Reads objects: a row for each, with the columns `bucket` (its URL), `key` (its name) and `bytes`.

    Objects are listed once, by the driver, and split into read tasks of about as many bytes each; a task
    reads its own with Get-Batch, large ones with a GET each.

    Args:
        source: Buckets, groups of objects or URLs such as `ais://bucket/prefix`: one or several.
        client: For URLs. Default: one made of the environment (`AIS_ENDPOINT`).
        prefix: Only names of buckets that start with it. Default: all.
        cont_on_err: Log an object that is gone when it is read, and go on without it. Default: `False`.
        max_batch_size: Objects in one request. Default: 64.

    Raises:
        InvalidArgument: There is no source, a URL names no bucket, or an option is out of range (also a
            `ValueError`).

    Example:
        >>> dataset = ray.data.read_datasource(AISDatasource("ais://images/train/"))
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        client: Client | None = None,
        *,
        prefix: str = "",
        cont_on_err: bool = False,
        max_batch_size: int = 64,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray has no annotation there
        given = [source] if isinstance(source, (str, Bucket, ObjectGroup)) else list(source)
        if not given:
            raise InvalidArgument("source must name at least one bucket, group of objects or URL")
        if isinstance(max_batch_size, bool) or not isinstance(max_batch_size, int) or max_batch_size < 1:
            raise InvalidArgument(f"max_batch_size must be an int of at least 1, not {max_batch_size!r}")
        self._sources = [_resolve(item, client, prefix) for item in given]
        self._buckets = [item.bck if isinstance(item, ObjectGroup) else item for item, _ in self._sources]
        self._cont_on_err = cont_on_err
        self._max_batch_size = max_batch_size
        self._listed: list[_Entry] | None = None

    def get_name(self) -> str:
        """Return what read tasks are called."""
        return "AIS"

    def estimate_inmemory_data_size(self) -> int:
        """Return how many bytes all rows have."""
        return _bytes_of(self._entries())

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        """Return the tasks, each of about as many bytes.

        Args:
            parallelism: How many tasks there should be; there are fewer when there are fewer objects.
            per_task_row_limit: Rows of a task at most. Default: all.
            data_context: Has the size of blocks. Default: the current one.

        Raises:
            ErrBckNotFound: A bucket does not exist (also a `FileNotFoundError`).
        """
        context = data_context or DataContext.get_current()
        block_size = context.target_max_block_size or 128 * MIB
        tasks = []
        for entries in split_by_size(self._entries(), parallelism):
            read = partial(_read, self._buckets, entries, self._max_batch_size, self._cont_on_err, block_size)
            metadata = BlockMetadata(
                num_rows=None if self._cont_on_err else len(entries),
                size_bytes=_bytes_of(entries),
                input_files=None,
                exec_stats=None,
            )
            tasks.append(ReadTask(read, metadata, schema=SCHEMA, per_task_row_limit=per_task_row_limit))
        return tasks

    def _entries(self) -> list[_Entry]:
        if self._listed is None:
            self._listed = [
                _Entry(number, obj.name, obj.size_cached or 0)
                for number, (source, prefix) in enumerate(self._sources)
                for obj in source.list_all_objects_iter(prefix=prefix)
            ]
        return self._listed


def split_by_size(entries: list[_Entry], count: int) -> list[list[_Entry]]:
    """Return entries in up to `count` groups of about as many bytes each, in order; at least one group.

    Args:
        entries: The entries.
        count: How many groups there should be.
    """
    total = sum(entry.size + _OVERHEAD for entry in entries)
    groups: list[list[_Entry]] = [[]]
    done = 0
    for entry in entries:
        # Where the middle of an object lies decides which group it goes to.
        weight = entry.size + _OVERHEAD
        if groups[-1] and (done + weight / 2) * count >= total * len(groups):
            groups.append([])
        groups[-1].append(entry)
        done += weight
    return groups


def _resolve(source: Source, client: Client | None, prefix: str) -> tuple[Bucket | ObjectGroup, str]:
    """Return a source that lists objects, and the prefix of the names wanted."""
    if isinstance(source, (Bucket, ObjectGroup)):
        return source, prefix
    if not isinstance(source, str):
        raise InvalidArgumentType(f"source must be a Bucket, an ObjectGroup or a URL, not {source!r}")
    bucket, rest = bucket_at(client or Client(), source)
    return bucket, rest + prefix


def _bytes_of(entries: list[_Entry]) -> int:
    return sum(entry.size + len(entry.name) for entry in entries)


def _read(
    buckets: list[Bucket], entries: list[_Entry], max_batch_size: int, cont_on_err: bool, block_size: int
) -> Iterator[pa.Table]:
    """Read the objects of a task, in a process of Ray's."""
    fetcher = Fetcher(max_batch_size)
    rows: list[tuple[Object, bytes]] = []
    held = 0
    for group in fetcher.split(
        Wanted(buckets[entry.bucket].object(entry.name, props=BucketEntry(entry.name, s=entry.size)))
        for entry in entries
    ):
        for wanted, content, error in fetcher.read(group):
            if error is not None:
                if not cont_on_err:
                    raise error
                logger.warning("%s; it is left out", error)
                continue
            rows.append((wanted.obj, content))
            held += len(content)
            if held >= block_size:
                yield _table(rows)
                rows, held = [], 0
    if rows or not entries:
        yield _table(rows)


def _table(rows: list[tuple[Object, bytes]]) -> pa.Table:
    urls = [f"{obj.bucket_provider.value}://{obj.bucket_name}" for obj, _ in rows]
    columns = [urls, [obj.name for obj, _ in rows], [content for _, content in rows]]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
