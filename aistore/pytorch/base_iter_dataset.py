"""Datasets of objects that are iterated over: split between ranks and workers, shuffled, resumed."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from aistore.pytorch.listing import Listing, PrefixMap, Sources, label_of
from aistore.pytorch.manifest import AnyManifest, manifest_at
from aistore.pytorch.split import SplitIterable
from aistore.pytorch.torch_classes import current_worker
from aistore.pytorch.torch_classes import torch_utils as torch_utils  # noqa: PLC0414 - where programs' tests patch it

if TYPE_CHECKING:
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient


class AISBaseIterDataset(SplitIterable["Object"], ABC):
    """Objects of one or more sources, one after the other, each in one worker of one rank.

    The sources are listed once, when that is first needed. The k-th object goes to rank `k % world_size`, and
    in it to the `DataLoader`'s workers in turn. Worker processes of one `DataLoader` share one listing.

    Args:
        ais_source_list: One source or several: buckets, groups of objects.
        prefix_map: For a source, the prefix or prefixes of the names wanted. Default: all names.
        partition_sources_by_worker: Give each worker whole sources in turn instead of objects in turn, so
            that it lists only its own. Default: `False`.
        shuffle: Go through the objects in an order that depends on `seed` and epoch only. Default: `False`,
            in the order of the listing.
        seed: Of the order. Default: 0.
        rank: Which part of the objects is this process's, from 0. Default: `torch.distributed`'s, else the
            environment variable `RANK`, else 0.
        world_size: How many parts there are. Default: as for `rank` (`WORLD_SIZE`), else 1.
        manifest: Where the listing is kept that all processes which name it share, also in later runs: a file
            (the first process writes it) or the URL of an object (rank 0 does, the others wait). Default:
            none.
        archive_members: Go through the members of archives instead of the objects. Default: `False`.
        skip_unreadable: Log an archive whose members cannot be listed, and go on without them. Default:
            `False`, it is an error.

    Raises:
        InvalidArgument: There is no source, or `rank` and `world_size` do not fit (also a `ValueError`).
        UnsupportedOperation: `archive_members` of a source of the program's own kind (also a
            `NotImplementedError`).
    """

    def __init__(
        self,
        ais_source_list: Sources,
        prefix_map: PrefixMap | None = None,
        partition_sources_by_worker: bool = False,
        *,
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        manifest: str | os.PathLike[str] | None = None,
        archive_members: bool = False,
        skip_unreadable: bool = False,
    ) -> None:
        self._listing = Listing(
            ais_source_list, prefix_map, members=archive_members, skip_unreadable=skip_unreadable
        )
        self._partition = partition_sources_by_worker
        super().__init__(
            self._client,
            shuffle=shuffle,
            seed=seed,
            rank=rank,
            world_size=world_size,
            manifest=manifest,
            shares_listing=not partition_sources_by_worker,
        )

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Return an iterator over the samples of this rank and worker."""

    def __len__(self) -> int:
        """Return how many objects this rank reads, in all of its workers."""
        rank, world_size = self._rank()
        if self._partition:
            return self._listing.count(range(len(self._listing.sources))[rank::world_size])
        return len(range(rank, len(self._all_items()), world_size))

    def save_manifest(self, where: str | os.PathLike[str]) -> None:
        """Save the listing for other processes to name as their `manifest`; what is there is replaced.

        Args:
            where: A file, or the URL of an object, `ais://bucket/name`.

        Raises:
            InvalidArgument: A URL that names no object (also a `ValueError`).
            UnsupportedOperation: A source is of the program's own kind (also a `NotImplementedError`).
        """
        self._listing.save(manifest_at(where, self._client))

    def refresh(self) -> None:
        """List the sources anew when they are needed next; a running iteration goes on as it is."""
        self._listing.forget()
        super().refresh()

    # ------------------------------------------------------------ for subclasses of programs

    def _reset_iterator(self) -> None:
        """Do nothing: the 2.0.0 package wants this before `_get_worker_iter_info`, which here begins anew."""

    def _get_worker_iter_info(self) -> tuple[Iterator[Object], str]:
        """Begin an iteration of a subclass; see "Datasets of your own" in docs/pytorch.md.

        Returns:
            The objects of this rank and worker, and what the title of a progress bar ends with:
            ` (Worker 1)`, or nothing where there is one worker.
        """
        objects, done, _ = self._start()
        worker, workers = current_worker()
        return self._noting(objects, done), f" (Worker {worker})" if workers > 1 else ""

    def _noting(self, objects: Iterator[Object], done: int) -> Iterator[Object]:
        # An object is done when the next one is asked for: a subclass may make many samples of it.
        for position, obj in enumerate(objects, done + 1):
            yield obj
            self._advance(label_of(obj), position)

    # ------------------------------------------------------------ what is read

    def _client(self) -> RequestClient:
        return self._listing.sources[0].client

    def _stream(self) -> Iterator[Object]:
        return self._listing.stream()

    def _listed(self, manifest: AnyManifest | None, is_first: bool) -> Sequence[Object]:
        return self._listing.objects(manifest, is_first)

    def _name_of(self, item: Object) -> str:
        return label_of(item)

    def _share_of_items(self, offset: int, stride: int) -> Iterator[Object]:
        if not self._partition or stride == 1:
            return super()._share_of_items(offset, stride)
        mine = range(len(self._listing.sources))[offset::stride]
        found = chain.from_iterable(map(self._listing.source_objects, mine))
        if not self._shuffle:
            return found
        objects = list(found)
        return (objects[index] for index in self._order(len(objects)))

    def _expected(self) -> int | None:
        """Return how many objects this worker reads, if that is known without asking."""
        if not self._listing.is_known or self._partition:
            return None
        offset, stride = self._share()
        return len(range(offset, len(self._listing.objects()), stride))
