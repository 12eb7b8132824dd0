"""Datasets that are iterated over: split between ranks and workers, shuffled, resumed."""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypedDict

from aistore.pytorch.errors import ErrCannotResume
from aistore.pytorch.listing import Listing, PrefixMap, Sources
from aistore.pytorch.manifest import Manifest, temporary_manifest
from aistore.pytorch.torch_classes import IterableDataset, current_rank, current_worker, torch
from aistore.sdk.errors import InvalidArgument

if TYPE_CHECKING:
    from aistore.sdk.obj.object import Object


class IterOptions(TypedDict, total=False):
    """What every iterable dataset takes by keyword; see `AISBaseIterDataset`."""

    shuffle: bool
    seed: int
    rank: int | None
    world_size: int | None
    manifest: str | os.PathLike[str] | None


class AISBaseIterDataset(ABC, IterableDataset[Any]):
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
        manifest: A file for the listing, which all processes that name it share: the first writes it, also
            for later runs. Default: none.

    Raises:
        InvalidArgument: There is no source, or `rank` and `world_size` do not fit (also a `ValueError`).
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
    ) -> None:
        self._given_rank = _check_rank(rank, world_size)
        self._listing = Listing(ais_source_list, prefix_map)
        self._partition = partition_sources_by_worker
        self._shuffle = shuffle
        self._seed = seed
        # In shared memory: workers that live for several epochs see what the main process sets.
        self._epoch = _shared_number() if shuffle else None
        self._manifest = Manifest(os.fspath(manifest)) if manifest is not None else None
        self._shared = None if manifest or partition_sources_by_worker else temporary_manifest(self)
        self._resume: dict[str, Any] | None = None
        self._state: dict[str, Any] = {}

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Return an iterator over the samples of this rank and worker."""

    def __len__(self) -> int:
        """Return how many objects this rank reads, in all of its workers."""
        rank, world_size = self._rank()
        if self._partition:
            return self._listing.count(range(len(self._listing.sources))[rank::world_size])
        return len(range(rank, len(self._all_objects()), world_size))

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iterations; reaches the workers that are running too.

        Args:
            epoch: Number of the epoch. Without `shuffle` it makes no difference.
        """
        if self._epoch is not None:
            self._epoch[0] = epoch

    def refresh(self) -> None:
        """List the sources anew when they are needed next; a running iteration goes on as it is."""
        self._listing.forget()
        for manifest in (self._manifest, self._shared):
            if manifest is not None:
                manifest.clear()

    # ------------------------------------------------------------ resuming

    def state_dict(self) -> dict[str, Any]:
        """Return where the iteration in this process is, after the sample handed out last.

        Each worker has its own; torchdata's `StatefulDataLoader` collects them and gives them back.
        """
        return dict(self._resume if self._resume is not None else self._state)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have the next iteration go on after the sample at which the state was taken.

        Args:
            state_dict: What `state_dict` returned.

        Raises:
            ErrCannotResume: (iteration) Ranks, workers, shuffling or objects are not those of then.
        """
        self._resume = dict(state_dict) or None
        if self._resume is not None:
            self.set_epoch(int(self._resume["epoch"]))

    def _advance(self, name: str, position: int, sample: int = 0) -> None:
        """Note what is handed out next.

        Args:
            name: The last object that is done.
            position: How many objects are done.
            sample: How many samples of the object after it are.
        """
        self._state.update(last=name, position=position, sample=sample)

    # ------------------------------------------------------------ what is read here

    def _start(self) -> tuple[Iterator[Object], int, int]:
        """Begin an iteration.

        Returns:
            The objects that this worker reads, how many were left out because they are done, and how many
            samples of the first one are done.
        """
        offset, stride = self._share()
        plan = {
            "epoch": self._epoch_number(),
            "seed": self._seed,
            "shuffle": self._shuffle,
            "offset": offset,
            "stride": stride,
        }
        resumed, self._resume = self._resume, None
        objects = self._share_of_objects(offset, stride)
        if resumed is None:
            self._state = {**plan, "position": 0, "sample": 0, "last": ""}
            return objects, 0, 0
        differing = [
            f"{key} {resumed.get(key)!r}, now {plan[key]!r}" for key in plan if resumed.get(key) != plan[key]
        ]
        if differing:
            raise ErrCannotResume(f"the state is of another split or order: {'; '.join(differing)}")
        self._state = resumed
        done = int(resumed["position"])
        passed = deque(islice(objects, done), maxlen=1)
        if done and (not passed or passed[0].name != resumed["last"]):
            raise ErrCannotResume(
                f"object {done} was {resumed['last']!r}, now it is "
                f"{passed[0].name if passed else 'missing'!r}: "
                "the objects changed; name a `manifest` to keep a listing"
            )
        return objects, done, int(resumed["sample"])

    def _expected(self) -> int | None:
        """Return how many objects this worker reads, if that is known without asking."""
        if not self._listing.is_known or self._partition:
            return None
        offset, stride = self._share()
        return len(range(offset, len(self._listing.objects()), stride))

    def _share_of_objects(self, offset: int, stride: int) -> Iterator[Object]:
        if self._partition and stride > 1:
            mine = range(len(self._listing.sources))[offset::stride]
            return iter(self._ordered(chain.from_iterable(map(self._listing.source_objects, mine))))
        if stride == 1 and not self._shuffle and self._manifest is None:
            return self._listing.stream()  # the first sample does not wait for the last page
        return islice(self._ordered(self._all_objects()), offset, None, stride)

    def _ordered(self, objects: Iterable[Object]) -> Iterable[Object]:
        if not self._shuffle:
            return objects
        shuffled = list(objects)
        random.Random(f"{self._seed}/{self._epoch_number()}").shuffle(shuffled)  # noqa: S311  # not for secrets
        return shuffled

    def _all_objects(self) -> list[Object]:
        in_worker = current_worker()[1] > 1
        return self._listing.objects(self._manifest or (self._shared_manifest() if in_worker else None))

    def _shared_manifest(self) -> Manifest | None:
        # A copy on another machine, or one that outlived the original, has no such file.
        return self._shared if self._shared is not None and os.path.exists(self._shared.path) else None

    def _epoch_number(self) -> int:
        return int(self._epoch[0]) if self._epoch is not None else 0

    def _rank(self) -> tuple[int, int]:
        return self._given_rank or current_rank()

    def _share(self) -> tuple[int, int]:
        (rank, world_size), (worker, workers) = self._rank(), current_worker()
        return rank + world_size * worker, world_size * workers

    def __getstate__(self) -> dict[str, Any]:
        # Spawned workers know nothing of the main process's torch.distributed.
        return {**self.__dict__, "_given_rank": self._rank()}


def _shared_number() -> torch.Tensor:
    number = torch.zeros(1, dtype=torch.int64)
    number.share_memory_()  # type: ignore[no-untyped-call]  # torch has no annotation there
    return number


def check_read_ahead(**values: int) -> None:
    """Refuse options that are no counts from 1 on.

    Args:
        values: The options, by name.

    Raises:
        InvalidArgument: One is not (also a `ValueError`).
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidArgument(f"{name} must be an int of at least 1, not {value!r}")


def _check_rank(rank: int | None, world_size: int | None) -> tuple[int, int] | None:
    if rank is None and world_size is None:
        return None
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise InvalidArgument(
            f"rank and world_size go together, with 0 <= rank < world_size: not {rank!r} and {world_size!r}"
        )
    return rank, world_size
