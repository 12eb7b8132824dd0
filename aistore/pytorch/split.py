"""Splitting what a dataset reads between ranks and workers; its order; going on where an iteration was."""

from __future__ import annotations

import os
import random
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from aistore.pytorch.errors import ErrCannotResume
from aistore.pytorch.manifest import AnyManifest, manifest_at, temporary_manifest
from aistore.pytorch.torch_classes import IterableDataset, current_rank, current_worker, torch
from aistore.sdk.errors import InvalidArgument

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient

Item = TypeVar("Item")


class IterOptions(TypedDict, total=False):
    """What every iterable dataset takes by keyword; see `AISBaseIterDataset`."""

    shuffle: bool
    seed: int
    rank: int | None
    world_size: int | None
    manifest: str | os.PathLike[str] | None


class SplitIterable(IterableDataset[Any], Generic[Item]):
    """Items, each in one worker of one rank; see `AISBaseIterDataset` for the options."""

    def __init__(
        self,
        client: Callable[[], RequestClient],
        *,
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        manifest: str | os.PathLike[str] | None = None,
        shares_listing: bool = True,
    ) -> None:
        self._given_rank = _check_rank(rank, world_size)
        self._shuffle = shuffle
        self._seed = seed
        # In shared memory: workers that live for several epochs see what the main process sets.
        self._epoch = _shared_number() if shuffle else None
        self._manifest = manifest_at(manifest, client) if manifest is not None else None
        self._shared = temporary_manifest(self) if shares_listing and manifest is None else None
        self._resume: dict[str, Any] | None = None
        self._state: dict[str, Any] = {}

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iterations; reaches the workers that are running too.

        Args:
            epoch: Number of the epoch. Without `shuffle` it makes no difference.
        """
        if self._epoch is not None:
            self._epoch[0] = epoch

    def refresh(self) -> None:
        """List the sources anew when they are needed next; a running iteration goes on as it is."""
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
            name: The last item that is done.
            position: How many items are done.
            sample: How many samples of the item after it are.
        """
        state = self._state
        state["last"], state["position"], state["sample"] = name, position, sample

    # ------------------------------------------------------------ what is read here

    @abstractmethod
    def _stream(self) -> Iterator[Item]:
        """Return the items as they become known."""

    @abstractmethod
    def _listed(self, manifest: AnyManifest | None, is_first: bool) -> Sequence[Item]:
        """Return all items, by way of a manifest if there is one.

        Args:
            manifest: The manifest.
            is_first: Whether this is the first worker of rank 0.
        """

    @abstractmethod
    def _name_of(self, item: Item) -> str:
        """Return what an item is recognised by."""

    def _start(self) -> tuple[Iterator[Item], int, int]:
        """Begin an iteration.

        Returns:
            The items that this worker reads, how many were left out because they are done, and how many
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
        items = self._share_of_items(offset, stride)
        if resumed is None:
            self._state = {**plan, "position": 0, "sample": 0, "last": ""}
            return items, 0, 0
        differing = [
            f"{key} {resumed.get(key)!r}, now {plan[key]!r}" for key in plan if resumed.get(key) != plan[key]
        ]
        if differing:
            raise ErrCannotResume(f"the state is of another split or order: {'; '.join(differing)}")
        self._state = resumed
        done = int(resumed["position"])
        passed = deque(islice(items, done), maxlen=1)
        if done and (not passed or self._name_of(passed[0]) != resumed["last"]):
            raise ErrCannotResume(
                f"object {done} was {resumed['last']!r}, now it is "
                f"{self._name_of(passed[0]) if passed else 'missing'!r}: "
                "the objects changed; name a `manifest` to keep a listing"
            )
        return items, done, int(resumed["sample"])

    def _share_of_items(self, offset: int, stride: int) -> Iterator[Item]:
        if stride == 1 and not self._shuffle and self._manifest is None:
            return self._stream()  # the first sample does not wait for the last page
        items = self._all_items()
        return (items[index] for index in islice(self._order(len(items)), offset, None, stride))

    def _order(self, count: int) -> Iterable[int]:
        if not self._shuffle:
            return range(count)
        order = list(range(count))
        random.Random(f"{self._seed}/{self._epoch_number()}").shuffle(order)  # noqa: S311  # not for secrets
        return order

    def _all_items(self) -> Sequence[Item]:
        worker, workers = current_worker()
        manifest = self._manifest or (self._shared_manifest() if workers > 1 else None)
        return self._listed(manifest, is_first=self._rank()[0] == worker == 0)

    def _shared_manifest(self) -> AnyManifest | None:
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


def _shared_number() -> torch.Tensor:
    number = torch.zeros(1, dtype=torch.int64)
    number.share_memory_()  # type: ignore[no-untyped-call]  # torch has no annotation there
    return number


def _check_rank(rank: int | None, world_size: int | None) -> tuple[int, int] | None:
    if rank is None and world_size is None:
        return None
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise InvalidArgument(
            f"rank and world_size go together, with 0 <= rank < world_size: not {rank!r} and {world_size!r}"
        )
    return rank, world_size
